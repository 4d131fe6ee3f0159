using Npgsql;
using Sync.Contracts;
using Sync.Node.Hosting;

namespace Sync.Node.Tests.Hosting.Life;

/// <summary>Copies of whole tables, and the switch to the stream.</summary>
[Collection(CopyCollection.Name)]
[Trait("Speed", "Slow")]
public class SnapshotTests(Servers servers)
{
    const string Two = """
        create table a(id int primary key, n int);
        create table b(id int primary key, n int);
        insert into a select i, i from generate_series(1, 200) i;
        insert into b select i, i from generate_series(1, 20000) i;
        """;

    /// <summary>Counts how often a table's rows were copied, beside their hashes.</summary>
    const string Counted = """
          - a:
              insert: { commands: [["HSET", "public.a:{id}", "{pairs:*}"], ["INCR", "copied:a"]] }
              update: { commands: [["HSET", "public.a:{id}", "{pairs:*}"]] }
              delete: { commands: [["DEL", "public.a:{id}"]] }
          - b:
              insert: { commands: [["HSET", "public.b:{id}", "{pairs:*}"], ["INCR", "copied:b"]] }
              update: { commands: [["HSET", "public.b:{id}", "{pairs:*}"]] }
              delete: { commands: [["DEL", "public.b:{id}"]] }
        """;

    [Theory]
    [InlineData(1, 1)]
    [InlineData(3, 8)]
    public async Task Writes_during_the_copy_should_neither_be_lost_nor_overwritten(int readers, int workers)
    {
        await using var stage = await Stage.OpenAsync(servers, "create table t(id int primary key, n int, s text); insert into t select i, 0, 'old' from generate_series(1, 50000) i",
            "  - t", $"snapshot: {{ parallelWorkers: {readers}, batchSize: 200 }}");
        using var stop = new CancellationTokenSource();
        var load = WriteAsync(stage, stop.Token);
        var node = await stage.StartAsync(workers);
        await stop.CancelAsync();
        (await load).ShouldBeGreaterThan(20, "transactions while the table was copied");
        await stage.CaughtUpAsync(node);
        (await stage.DifferencesAsync("t", "id, n, s")).ShouldBeEmpty();
        node.Status.DeadLetters.ShouldBe(0);
        node.Log.ShouldContain(l => l.Contains("public.t: copied"));
    }

    static async Task<int> WriteAsync(Stage stage, CancellationToken stop)
    {
        await using var connection = await stage.Postgres.OpenAsync(stage.Database);
        int transactions = 0;
        for (var random = new Random(7); !stop.IsCancellationRequested; transactions++)
        {
            int id = random.Next(1, 49_000);
            string sql = $"""
                update t set n = n + 1, s = null where id between {id} and {id + 20};
                delete from t where id = {random.Next(1, 50_000)};
                update t set id = {100_000 + transactions} where id = {random.Next(1, 50_000)};
                insert into t values ({random.Next(1, 50_000)}, -1, 'again') on conflict (id) do update set n = -2, s = 'conflict';
                """;
            await using var command = new NpgsqlCommand(sql, connection);
            await command.ExecuteNonQueryAsync(CancellationToken.None);
        }
        return transactions;
    }

    [Fact]
    public async Task A_copy_that_broke_off_should_go_on_with_the_tables_that_are_left()
    {
        await using var stage = await Stage.OpenAsync(servers, Two, Counted, "snapshot: { batchSize: 100 }");
        var node = stage.Begin(2);
        await node.UntilAsync(async () => await stage.NumberAsync("copied:b") > 1000, "the second table should be under way");
        node.Crash();
        long before = await stage.NumberAsync("copied:b");
        before.ShouldBeLessThan(20_000, "it should have been cut off in the middle");
        // Rows that the broken copy wrote, or did not come to, end, change and move before the next one begins.
        await stage.SqlAsync("delete from b where id % 3 = 0; update b set n = -1 where id % 5 = 0; update b set id = id + 100000 where id % 7 = 0; insert into b values (0, 0); delete from a where id < 50");
        node = await stage.StartAsync();
        await stage.CaughtUpAsync(node);
        (await stage.DifferencesAsync("a", "id, n")).ShouldBeEmpty();
        (await stage.DifferencesAsync("b", "id, n")).ShouldBeEmpty();
        (await stage.NumberAsync("copied:a")).ShouldBe(200, "a was through");
        (await stage.NumberAsync("copied:b")).ShouldBe(await stage.ScalarAsync<long>("select count(*) from b"), "what the broken copy had counted does not count");
        node.Log.ShouldNotContain(l => l.Contains("public.a: copied"));
    }

    [Fact]
    public async Task A_copy_that_loses_PostgreSQL_should_begin_again_by_itself()
    {
        await using var stage = await Stage.OpenAsync(servers, Two, Counted, "snapshot: { batchSize: 100 }");
        var node = stage.Begin(2);
        await node.UntilAsync(async () => await stage.NumberAsync("copied:b") > 1000, "the second table should be under way");
        node.Postgres.Cut();
        await node.ReachesAsync(NodeState.Reconnecting);
        await stage.SqlAsync("delete from b where id % 3 = 0; delete from a where id = 1");
        node.Postgres.Mend();
        await node.ReachesAsync(NodeState.Streaming);
        await stage.CaughtUpAsync(node);
        (await stage.DifferencesAsync("a", "id, n")).ShouldBeEmpty();
        (await stage.DifferencesAsync("b", "id, n")).ShouldBeEmpty();
        (await stage.NumberAsync("copied:a")).ShouldBe(200, "a was through");
        (await stage.NumberAsync("copied:b")).ShouldBe(await stage.ScalarAsync<long>("select count(*) from b"), "what the broken copy had counted does not count");
    }

    [Fact]
    public async Task A_copy_that_loses_Redis_again_and_again_should_write_every_row_once()
    {
        await using var stage = await Stage.OpenAsync(servers, Two, Counted, "snapshot: { batchSize: 50 }");
        var node = stage.Begin(3);
        await node.UntilAsync(async () => await stage.NumberAsync("copied:b") > 0, "the copy should be under way");
        await node.UntilAsync(async () =>
        {
            await stage.RedisAsync("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
            return node.Status.State == NodeState.Streaming;
        }, "the copy should come to its end");
        await stage.CaughtUpAsync(node);
        node.Status.Retries.ShouldBeGreaterThan(5);
        (await stage.NumberAsync("copied:a")).ShouldBe(200);
        (await stage.NumberAsync("copied:b")).ShouldBe(20_000);
        (await stage.DifferencesAsync("b", "id, n")).ShouldBeEmpty();
    }

    [Fact]
    public async Task Modes_should_say_what_is_copied_and_whether_changes_follow()
    {
        await using var stage = await Stage.OpenAsync(servers, Two, "  - a", "snapshot: { mode: never }");
        var node = await stage.StartAsync();
        await stage.SqlAsync("update a set n = 0 where id = 7");
        await stage.CaughtUpAsync(node);
        (await stage.KeysAsync()).ShouldBe(["public.a:7"]);
        await node.StopAsync();

        stage.Extra = "snapshot: { mode: onetime_only }";
        await stage.SqlAsync("update a set n = 5 where id = 8");
        node = stage.Begin();
        await node.EndAsync();
        node.Status.State.ShouldBe(NodeState.Stopped);
        (await stage.DifferencesAsync("a", "id, n")).ShouldBeEmpty();

        stage.Extra = "";
        await stage.SqlAsync("update a set n = 6 where id = 9");
        node = await stage.StartAsync();
        await stage.CaughtUpAsync(node);
        (await stage.DifferencesAsync("a", "id, n")).ShouldBeEmpty();
        node.Log.ShouldNotContain(l => l.Contains("copied"));
    }

    [Fact]
    public async Task A_query_should_choose_the_rows_of_the_copy_alone()
    {
        await using var stage = await Stage.OpenAsync(servers, Two, "  - a\n  - b",
            "snapshot: { config: [{ name: a, type: query, query: \"id <= 3 or n = 100\" }, { name: public.b, type: query, query: \"false -- none\" }] }");
        var node = await stage.StartAsync();
        (await stage.KeysAsync()).ShouldBe(["public.a:1", "public.a:100", "public.a:2", "public.a:3"]);
        await stage.SqlAsync("update a set n = -5 where id = 5");
        await stage.CaughtUpAsync(node);
        (await stage.HashAsync("public.a:5")).ShouldBe("id=5 n=-5");
    }

    [Fact]
    public async Task A_table_that_can_not_be_read_should_abort_or_be_left_for_the_next_start()
    {
        const string Failing = "snapshot: {{ abortOnError: {0}, config: [{{ name: a, type: query, query: \"1 / (n - 100) >= -1\" }}] }}";
        await using var stage = await Stage.OpenAsync(servers, Two, Counted, string.Format(Failing, "true"));
        var node = stage.Begin();
        var error = await node.FailureAsync();
        error.Code.ShouldBe(ExitCode.SnapshotAborted);
        error.Message.ShouldContain("division by zero");
        error.Message.ShouldContain("public.a");

        stage.Extra = string.Format(Failing, "false");
        node = await stage.StartAsync();
        node.Log.ShouldContain(l => l.StartsWith("Error: public.a: the copy failed", StringComparison.Ordinal) && l.Contains("division by zero"));
        (await stage.DifferencesAsync("b", "id, n")).ShouldBeEmpty();
        await stage.SqlAsync("update a set n = 1 where id = 1");
        await stage.CaughtUpAsync(node);
        (await stage.HashAsync("public.a:1")).ShouldBe("id=1 n=1");
        await node.StopAsync();

        stage.Extra = "";
        node = await stage.StartAsync();
        await stage.CaughtUpAsync(node);
        (await stage.DifferencesAsync("a", "id, n")).ShouldBeEmpty();
        node.Log.ShouldContain(l => l.Contains("public.a: copied 200 rows"));
        node.Log.ShouldNotContain(l => l.Contains("public.b: copied"));
    }

    [Fact]
    public async Task A_row_that_Redis_refuses_should_abort_or_be_parked()
    {
        await using var stage = await Stage.OpenAsync(servers, Two, "  - a", "snapshot: { abortOnError: true }");
        await stage.RedisAsync("SET", "public.a:7", "in the way");
        var node = stage.Begin();
        var error = await node.FailureAsync();
        error.Code.ShouldBe(ExitCode.SnapshotAborted);
        error.Message.ShouldContain("WRONGTYPE");

        await stage.RedisAsync("DEL", $"actorsync:{{{stage.Slot}}}:dlq", $"actorsync:{{{stage.Slot}}}:dlq:keys");
        stage.Extra = "";
        node = await stage.StartAsync();
        node.Status.DeadLetters.ShouldBe(1);
        (await stage.DifferencesAsync("a", "id, n").WithoutAsync("public.a:7")).ShouldBeEmpty();
        await stage.RedisAsync("DEL", "public.a:7");
        (await node.Host.RetryDeadLettersAsync(null, false, default)).ShouldBe(new RetryOutcome(1, 0));
        (await stage.DifferencesAsync("a", "id, n")).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_table_that_is_configured_later_should_be_copied_alone()
    {
        await using var stage = await Stage.OpenAsync(servers, Two, Counted[..Counted.IndexOf("  - b", StringComparison.Ordinal)]);
        var node = await stage.StartAsync();
        await node.StopAsync();
        // Committed before the copy that is to come: part of it, and not to be counted twice.
        await stage.SqlAsync("insert into b values (0, 0); delete from b where id = 1; update a set n = 77 where id = 7");
        stage.Tables = Counted;
        node = await stage.StartAsync();
        await stage.SqlAsync("update b set n = -9 where id = 9");
        await stage.CaughtUpAsync(node);
        (await stage.DifferencesAsync("a", "id, n")).ShouldBeEmpty();
        (await stage.DifferencesAsync("b", "id, n")).ShouldBeEmpty();
        (await stage.NumberAsync("copied:a")).ShouldBe(200);
        (await stage.NumberAsync("copied:b")).ShouldBe(20_000);
        (await stage.ScalarAsync<long>($"select count(*) from pg_replication_slots where database = '{stage.Database}'")).ShouldBe(1, "the copy's own slot is gone");
    }

    [Fact]
    public async Task A_slot_that_was_there_before_should_be_joined_without_loss()
    {
        await using var stage = await Stage.OpenAsync(servers, Two, Counted);
        stage.Edit = yaml => yaml.Replace($"slot: {stage.Slot}", $"slot: {stage.Slot}, owner: user", StringComparison.Ordinal);
        await stage.SqlAsync("create publication pub for table a, b");
        await stage.SqlAsync($"select pg_create_logical_replication_slot('{stage.Slot}', 'pgoutput')");
        await stage.SqlAsync("insert into a values (0, 0); delete from a where id = 1; update a set n = -1 where id = 2");
        var node = await stage.StartAsync();
        await stage.SqlAsync("insert into a values (-1, -1)");
        await stage.CaughtUpAsync(node);
        (await stage.DifferencesAsync("a", "id, n")).ShouldBeEmpty();
        (await stage.NumberAsync("copied:a")).ShouldBe(201);
    }

    [Fact]
    public async Task Nothing_of_a_copy_should_hold_back_vacuum_while_streaming()
    {
        await using var stage = await Stage.OpenAsync(servers, Two, "  - a");
        await stage.StartAsync();
        (await stage.ScalarAsync<long>($"select count(*) from pg_stat_activity where datname = '{stage.Database}' and xact_start is not null and pid <> pg_backend_pid() and backend_type = 'client backend'"))
            .ShouldBe(0);
        (await stage.ScalarAsync<long>($"select count(*) from pg_stat_activity where datname = '{stage.Database}' and backend_type = 'walsender'")).ShouldBe(1);
    }

    [Theory]
    [InlineData("drop")]
    [InlineData("flush")]
    public async Task What_was_lost_between_slot_and_Redis_should_be_copied_again(string loss)
    {
        await using var stage = await Stage.OpenAsync(servers, Two, "  - a");
        var node = await stage.StartAsync();
        await stage.SqlAsync("update a set n = 1000 where id = 1");
        await stage.CaughtUpAsync(node);
        await node.StopAsync();
        await stage.SqlAsync("update a set n = 2000 where id = 2; delete from a where id = 3");
        if (loss == "flush") await stage.RedisAsync("FLUSHALL");
        else
        {
            // PostgreSQL lets the slot go a moment behind the node's end.
            await node.UntilAsync(() => stage.ScalarAsync<bool>($"select not active from pg_replication_slots where slot_name = '{stage.Slot}'"), "the slot should be free");
            await stage.SqlAsync($"select pg_drop_replication_slot('{stage.Slot}')");
            // A node that finds no Redis makes no slot; the one that is made by hand begins behind the changes.
            (await stage.Begin(redisIsAway: true).FailureAsync()).Code.ShouldBe(ExitCode.RedisUnreachable);
            await stage.SqlAsync($"select pg_create_logical_replication_slot('{stage.Slot}', 'pgoutput')");
        }
        node = await stage.StartAsync();
        await stage.CaughtUpAsync(node);
        (await stage.DifferencesAsync("a", "id, n")).ShouldBeEmpty();
        if (loss == "drop") node.Log.ShouldContain(l => l.Contains("every table is copied again"));
    }
}

static class Differences
{
    /// <summary>Leaves out what is said about one key.</summary>
    public static async Task<List<string>> WithoutAsync(this Task<List<string>> differences, string key) =>
        [.. (await differences).Where(d => !d.StartsWith(key + " ", StringComparison.Ordinal) && !d.StartsWith(key + ":", StringComparison.Ordinal))];
}
