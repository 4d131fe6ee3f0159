using System.Text;
using Sync.Contracts;
using Sync.Node.Hosting;

namespace Sync.Node.Tests.Hosting.Life;

/// <summary>Changes that Redis refuses for good, while everything else goes on.</summary>
[Collection(ServersCollection.Name)]
[Trait("Speed", "Slow")]
public class DeadLetterTests(Servers servers)
{
    const string Schema = "create table t(id int primary key, k text, n int)";
    const string Lists = """
          - t:
              key: "k:{k}"
              insert: { commands: [["RPUSH", "list:{k}", "{id}"], ["INCRBY", "sum:{k}", "{n}"]] }
              update: { commands: [["RPUSH", "list:{k}", "u{id}"]] }
        """;

    static byte[] Key(string key) => Encoding.UTF8.GetBytes(key);

    [Fact]
    public async Task A_refused_change_should_wait_with_what_follows_for_its_key_and_be_retried_in_order()
    {
        await using var stage = await Stage.OpenAsync(servers, Schema, Lists);
        var node = await stage.StartAsync();
        await stage.RedisAsync("SET", "list:a", "in the way");
        await stage.SqlAsync("insert into t values (1, 'a', 1), (2, 'b', 1), (3, 'a', 10)");
        await stage.SqlAsync("insert into t values (4, 'b', 1)");
        await stage.SqlAsync("update t set n = 2 where id = 1");
        await stage.CaughtUpAsync(node);
        (await stage.ItemsAsync("LRANGE", "list:b", "0", "-1")).ShouldBe(["2", "4"]);
        // Redis does not undo the neighbours of a command that failed: the sum of row 1 stands, and only its list waits.
        node.Status.DeadLetters.ShouldBe(3);
        node.Status.Tables.Single().DeadLetters.ShouldBe(3);
        node.Status.LastError.ShouldContain("WRONGTYPE");
        // Row 3 is refused by Redis when it travels with row 1, and only waits when it travels behind it.
        node.Log.Count(l => l.StartsWith("Error", StringComparison.Ordinal) && l.Contains("dead letters")).ShouldBeInRange(1, 2, "the update only waits");

        await node.StopAsync();
        node = await stage.StartAsync(7);
        node.Status.DeadLetters.ShouldBe(3);
        await stage.SqlAsync("insert into t values (5, 'a', 100)");
        await stage.CaughtUpAsync(node);
        node.Status.DeadLetters.ShouldBe(4, "the key is still parked after a restart");

        (await node.Host.RetryDeadLettersAsync(Key("k:a"), false, default)).ShouldBe(new RetryOutcome(0, 1), "nothing was mended yet");
        node.Status.DeadLetters.ShouldBe(4);
        await stage.RedisAsync("DEL", "list:a");
        (await node.Host.RetryDeadLettersAsync(null, false, default)).ShouldBe(new RetryOutcome(4, 0));
        node.Status.DeadLetters.ShouldBe(0);
        (await stage.ItemsAsync("LRANGE", "list:a", "0", "-1")).ShouldBe(["1", "3", "u1", "5"]);
        (await stage.NumberAsync("sum:a")).ShouldBe(111);
        await stage.SqlAsync("insert into t values (6, 'a', 1000)");
        await stage.CaughtUpAsync(node);
        (await stage.NumberAsync("sum:a")).ShouldBe(1111, "the key is free again");
        node.Status.DeadLetters.ShouldBe(0);
    }

    [Fact]
    public async Task A_NULL_in_a_key_should_be_parked_and_never_be_a_key_with_a_hole()
    {
        await using var stage = await Stage.OpenAsync(servers, Schema, """
              - t:
                  commands: [["SET", "v:{k}", "{n}"]]
            """);
        var node = await stage.StartAsync();
        await stage.SqlAsync("insert into t values (1, 'x', 1); insert into t values (2, null, 2); insert into t values (3, 'z', 3)");
        await stage.CaughtUpAsync(node);
        (await stage.KeysAsync()).ShouldBe(["v:x", "v:z"]);
        node.Status.DeadLetters.ShouldBe(1);
        (await node.Host.DropDeadLettersAsync(null, null, default)).ShouldBe(1);
        node.Status.DeadLetters.ShouldBe(0);
        await stage.SqlAsync("update t set k = 'y' where id = 2");
        await stage.CaughtUpAsync(node);
        (await stage.RedisAsync("GET", "v:y")).ShouldBe("2");
    }

    [Fact]
    public async Task A_command_that_Redis_does_not_know_should_hold_up_nothing_else()
    {
        await using var stage = await Stage.OpenAsync(servers, Schema + "; create table j(id int primary key)", """
              - t
              - j:
                  commands: [["JSON.SET", "j:{id}", "$", "{json:*}"]]
            """);
        var node = await stage.StartAsync(2);
        await stage.SqlAsync("insert into t select i, 'k', i from generate_series(1, 500) i; insert into j select generate_series(1, 3); insert into t select i, 'k', i from generate_series(501, 1000) i; delete from j where id = 2");
        await stage.CaughtUpAsync(node);
        (await stage.DifferencesAsync("t", "id, k, n")).ShouldBeEmpty();
        node.Status.DeadLetters.ShouldBe(4);
        node.Status.LastError.ShouldContain("j");
        node.Log.ShouldContain(l => l.Contains("unknown command"));
        (await node.Host.DropDeadLettersAsync(null, Key("public.j:2"), default)).ShouldBe(2);
        node.Status.DeadLetters.ShouldBe(2);
    }

    [Fact]
    public async Task Dead_letters_should_be_kept_when_Redis_is_lost_while_they_are_parked()
    {
        await using var stage = await Stage.OpenAsync(servers, Schema, Lists);
        var node = await stage.StartAsync();
        for (char k = 'a'; k <= 'h'; k++) await stage.RedisAsync("SET", $"list:{k}", "in the way");
        for (int round = 0; round < 30; round++)
        {
            var insert = stage.SqlAsync($"insert into t select {round} * 100 + i, chr(97 + i % 16), 1 from generate_series(0, 31) i");
            await stage.RedisAsync("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
            await insert;
        }
        await stage.CaughtUpAsync(node);
        for (char k = 'a'; k <= 'h'; k++) await stage.RedisAsync("DEL", $"list:{k}");
        await node.Host.RetryDeadLettersAsync(null, false, default);
        for (char k = 'a'; k <= 'p'; k++)
        {
            string expected = await stage.ScalarAsync<string>($"select string_agg(id::text, ',' order by id) from t where k = '{k}'") ?? "";
            // When the replies of a flight are lost, what Redis refused of it is lost too, and only that: it is counted and logged.
            string[] found = await stage.ItemsAsync("LRANGE", $"list:{k}", "0", "-1");
            if (!node.Log.Any(l => l.Contains("replies were lost"))) string.Join(',', found).ShouldBe(expected, $"list {k}");
            else found.ShouldBe(found.Distinct().OrderBy(int.Parse).ToArray(), $"list {k}");
            (await stage.NumberAsync($"sum:{k}")).ShouldBe(60, $"sum {k}");
        }
    }

    [Fact]
    public async Task Retrying_without_the_right_to_should_say_so_and_end_nothing()
    {
        await using var stage = await Stage.OpenAsync(servers, Schema, Lists);
        stage.Edit = yaml => yaml.Replace($"redis:\n  conn: {{ ", "redis:\n  conn: { user: limited, password: pass, ", StringComparison.Ordinal);
        await stage.RedisAsync("ACL", "SETUSER", "limited", "on", ">pass", "~*", "&*", "+@all", "-eval");
        await stage.RedisAsync("SET", "list:a", "in the way");
        var node = await stage.StartAsync();
        await stage.SqlAsync("insert into t values (1, 'a', 1)");
        await stage.CaughtUpAsync(node);
        var error = await Should.ThrowAsync<Contracts.SyncException>(() => node.Host.RetryDeadLettersAsync(null, false, default));
        error.Message.ShouldContain("eval");
        await stage.SqlAsync("insert into t values (2, 'b', 5)");
        await stage.CaughtUpAsync(node);
        (await stage.NumberAsync("sum:b")).ShouldBe(5);
        node.Status.State.ShouldBe(NodeState.Streaming);
        await node.StopAsync();
        (await Should.ThrowAsync<Contracts.SyncException>(() => node.Host.RetryDeadLettersAsync(null, false, default))).Message.ShouldContain("not the one that writes");
    }

    [Fact]
    public async Task As_many_dead_letters_as_are_allowed_should_end_the_node_and_lose_nothing()
    {
        await using var stage = await Stage.OpenAsync(servers, Schema, Lists, "deadLetters: { max: 3 }");
        var node = await stage.StartAsync();
        await stage.RedisAsync("SET", "list:a", "in the way");
        await stage.SqlAsync("insert into t values (1, 'a', 1), (2, 'a', 1)");
        await stage.CaughtUpAsync(node);
        node.Status.DeadLetters.ShouldBe(2);
        await stage.SqlAsync("insert into t values (3, 'a', 1), (4, 'b', 1)");
        await stage.SqlAsync("insert into t values (5, 'a', 1), (6, 'b', 1)");
        var failure = await node.FailureAsync();
        failure.Code.ShouldBe(ExitCode.DeadLettersFull);
        failure.Message.ShouldContain("deadLetters.max");
        (await stage.Begin().FailureAsync()).Code.ShouldBe(ExitCode.DeadLettersFull, "a new start does not help");

        stage.Extra = "deadLetters: { max: 100 }";
        node = await stage.StartAsync();
        await stage.CaughtUpAsync(node);
        await stage.RedisAsync("DEL", "list:a");
        (await node.Host.RetryDeadLettersAsync(null, false, default)).Failed.ShouldBe(0);
        (await stage.ItemsAsync("LRANGE", "list:a", "0", "-1")).ShouldBe(["1", "2", "3", "5"]);
        (await stage.ItemsAsync("LRANGE", "list:b", "0", "-1")).ShouldBe(["4", "6"]);
        (await stage.NumberAsync("sum:a")).ShouldBe(4);
    }

    [Fact]
    public async Task A_refusal_whose_reply_was_lost_should_be_found_and_parked()
    {
        await using var stage = await Stage.OpenAsync(servers, Schema, Lists, "writeTimeout: 60s");
        var node = await stage.StartAsync(workers: 1);
        await stage.RedisAsync("SET", "list:a", "in the way");
        await stage.RedisAsync("SET", "sum:b", "no number");
        node.Redis.SwallowAnswersTo("RPUSH"u8.ToArray());
        await stage.SqlAsync("insert into t values (1, 'a', 1), (2, 'b', 2), (3, 'c', 3), (4, 'a', 4)");
        await node.UntilAsync(async () => await stage.NumberAsync("sum:a") >= 1, "Redis should have applied it");
        node.Redis.Cut();
        node.Redis.Mend();
        await stage.SqlAsync("insert into t values (5, 'a', 1), (6, 'c', 1)");
        await stage.CaughtUpAsync(node);
        (await stage.ItemsAsync("LRANGE", "list:c", "0", "-1")).ShouldBe(["3", "6"]);
        node.Status.DeadLetters.ShouldBe(4, "lists of 1 and 4, sum of 2, and all of 5 behind them");
        node.Log.ShouldContain(l => l.Contains("whose replies were lost") && l.Contains(" commands of them") && !l.Contains("refused 0"));

        await stage.RedisAsync("DEL", "list:a", "sum:b");
        (await node.Host.RetryDeadLettersAsync(null, false, default)).Failed.ShouldBe(0);
        (await stage.ItemsAsync("LRANGE", "list:a", "0", "-1")).ShouldBe(["1", "4", "5"]);
        (await stage.NumberAsync("sum:a")).ShouldBe(6);
        (await stage.NumberAsync("sum:b")).ShouldBe(2);
        (await stage.ItemsAsync("LRANGE", "list:b", "0", "-1")).ShouldBe(["2"]);
    }

    [Fact]
    public async Task A_refused_change_whose_key_was_replaced_behind_it_should_not_be_retried_without_force()
    {
        const string tables = """
              - t:
                  insert: { commands: [["RPUSH", "list:{id}", "{n}"]] }
                  delete: { commands: [["DEL", "list:{id}"]] }
            """;
        await using var stage = await Stage.OpenAsync(servers, Schema, tables);
        var node = await stage.StartAsync();
        await stage.RedisAsync("SET", "list:1", "in the way");
        await stage.SqlAsync("begin; insert into t values (1, 'a', 10); delete from t where id = 1; commit");
        await stage.CaughtUpAsync(node);
        node.Status.DeadLetters.ShouldBe(1);
        await stage.SqlAsync("insert into t values (1, 'a', 20)");
        await stage.CaughtUpAsync(node);
        node.Status.DeadLetters.ShouldBe(2, "the key is parked");

        var left = await node.Host.RetryDeadLettersAsync(null, false, default);
        (left.Applied, left.Failed, left.NotTried).ShouldBe((0, 0, 1));
        left.Reason.ShouldContain("--force");
        (await stage.KeysAsync()).ShouldBeEmpty("the row was deleted behind the refused change");
        object?[] first = (object?[])((object?[])(await stage.RedisAsync("XRANGE", $"actorsync:{{{stage.Slot}}}:dlq", "-", "+"))!)[0]!;
        (await node.Host.DropDeadLettersAsync((string)first[0]!, null, default)).ShouldBe(1);
        (await node.Host.RetryDeadLettersAsync(null, false, default)).ShouldBe(new RetryOutcome(1, 0));
        (await stage.ItemsAsync("LRANGE", "list:1", "0", "-1")).ShouldBe(["20"]);
    }

    [Fact]
    public async Task Refused_changes_of_keys_that_rows_share_should_be_retried_whatever_other_rows_have_added()
    {
        await using var stage = await Stage.OpenAsync(servers, "create table t(id int primary key, k text, n text)", """
              - t:
                  insert: { commands: [["INCRBY", "sum", "{n}"], ["ZADD", "rank", "{k}", "{id}"]] }
            """);
        var node = await stage.StartAsync(1);
        await stage.RedisAsync("SET", "sum", "9223372036854775800");
        await stage.SqlAsync("begin; insert into t values (1, '1', '100'), (2, 'many', '1'), (3, '3', '2'); commit");
        await stage.CaughtUpAsync(node);
        node.Status.DeadLetters.ShouldBe(2, "the sum of row 1 and the rank of row 2");
        (await stage.NumberAsync("sum")).ShouldBe(9223372036854775803);
        (await node.Host.RetryDeadLettersAsync(null, false, default)).ShouldBe(new RetryOutcome(0, 2), "both were tried, and Redis has refused both");
        await stage.RedisAsync("SET", "sum", "3");
        (await node.Host.RetryDeadLettersAsync(null, false, default)).ShouldBe(new RetryOutcome(1, 1));
        (await stage.NumberAsync("sum")).ShouldBe(103);
    }
}
