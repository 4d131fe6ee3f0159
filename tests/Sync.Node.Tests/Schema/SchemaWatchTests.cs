using Sync.Node.Hosting;
using Sync.Node.Resync;
using Sync.Node.Tests.Hosting;
using Sync.Node.Tests.Hosting.Life;
using Sync.Testing;

namespace Sync.Node.Tests.Schema;

/// <summary>What happens to tables without a row in the stream: Redis is brought in line, or it is told.</summary>
[Collection(SchemaCollection.Name)]
public sealed class SchemaWatchTests(Servers servers)
{
    const string Plain = "create table t(id int primary key, a text, b int); insert into t select i, 'a' || i, i from generate_series(1, 50) i; create table other(id int primary key, v text)";

    const string Parts = """
        create table t(id int primary key, a text, b int) partition by range (id);
        create table t1 partition of t for values from (1) to (31);
        create table t2 partition of t for values from (31) to (61);
        insert into t select i, 'a' || i, i from generate_series(1, 50) i;
        create table spare(id int primary key, a text, b int); insert into spare values (70, 'spare', 70);
        create table other(id int primary key, v text)
        """;

    const string Both = "  - t\n  - other";

    async Task<Stage> OpenAsync(string schema, string tables = Both, string policy = "resync", string owner = "app")
    {
        var stage = await Stage.OpenAsync(servers, schema, tables);
        stage.Edit = yaml => yaml.Replace("postgres:\n", $"postgres:\n  schemaCheckInterval: 300ms\n  onSchemaChange: {policy}\n").Replace("pub: pub", $"pub: pub, owner: {owner}");
        if (owner == "user") await stage.SqlAsync($"select pg_create_logical_replication_slot('{stage.Slot}', 'pgoutput')");
        return stage;
    }

    /// <summary>Waits until the table's hashes are what SQL says, and the other table follows as well.</summary>
    static async Task ShouldBecomeRightAsync(Stage stage, TestNode node, string columns)
    {
        await stage.SqlAsync("insert into other values (1, 'x') on conflict (id) do update set v = other.v || 'x'");
        await node.UntilAsync(async () => node.Status.State == NodeState.Streaming && (await stage.DifferencesAsync("t", columns)).Count == 0
            && (await stage.DifferencesAsync("other", "id, v")).Count == 0, "Redis should become what the tables are", 30);
    }

    public static TheoryData<string, string, string> Changes => new()
    {
        { Plain, "alter table t rename column a to c", "id, c, b" },
        { Plain, "alter table t drop column b", "id, a" },
        { Plain, "alter table t add column d int default 7", "id, a, b, d" },
        { Plain, "alter table t alter column b type bigint using b * 100", "id, a, b" },
        { Plain, "alter table t alter column b type int using b * 100", "id, a, b" },
        { Plain, "drop table t; create table t(id int primary key, a text, b int); insert into t values (1, 'new', 1), (99, 'new', 99)", "id, a, b" },
        { Plain, "begin; alter table t rename to t_old; create table t(id int primary key, a text, b int); insert into t select id, 'copy', b from t_old where id > 10; commit; update t set b = 0 where id = 20", "id, a, b" },
        { Plain, "alter publication pub drop table t; update t set a = 'missed'; delete from t where id < 5; insert into t values (60, 'missed', 60)", "id, a, b" },
        { Plain, "alter publication pub drop table t; update t set a = 'missed'; delete from t where id < 5; alter publication pub add table t", "id, a, b" },
        { Plain, "alter publication pub set (publish = 'insert'); delete from t where id < 5; update t set a = 'missed' where id = 6", "id, a, b" },
        { Parts, "alter table t rename column a to c", "id, c, b" },
        { Parts, "alter table t alter column b type int using b * 100", "id, a, b" },
        { Parts, "alter table t attach partition spare for values from (61) to (91)", "id, a, b" },
        { Parts, "alter table t detach partition t2", "id, a, b" },
        { Parts, "begin; alter table t detach partition t2; delete from t2 where id < 40; update t2 set b = 0; alter table t attach partition t2 for values from (31) to (61); commit", "id, a, b" },
        { Parts, "drop table t2", "id, a, b" },
        { Parts, "truncate t2", "id, a, b" },
        { "create type mood as enum ('sad', 'glad'); create table t(id int primary key, m mood); insert into t values (1, 'sad'), (2, 'glad'); create table other(id int primary key, v text)",
            "alter type mood rename value 'sad' to 'blue'", "id, m" },
    };

    [Theory]
    [MemberData(nameof(Changes))]
    public async Task A_change_while_a_node_streams_should_be_brought_to_Redis(string schema, string change, string columns)
    {
        await using var stage = await OpenAsync(schema);
        var node = await stage.StartAsync();
        await stage.CaughtUpAsync(node);
        foreach (string sql in change.StartsWith("begin", StringComparison.Ordinal) ? [change] : change.Split("; ")) await stage.SqlAsync(sql);
        await ShouldBecomeRightAsync(stage, node, columns);
        node.Log.ShouldContain(l => l.StartsWith("Warning: public.t ", StringComparison.Ordinal), "it should be told");
        node.Status.Tables.ShouldAllBe(t => t.Error == "" && t.Notice == "");
    }

    [Theory]
    [MemberData(nameof(Changes))]
    public async Task A_change_while_no_node_runs_should_be_brought_to_Redis(string schema, string change, string columns)
    {
        await using var stage = await OpenAsync(schema);
        var first = await stage.StartAsync();
        await stage.CaughtUpAsync(first);
        await first.StopAsync();
        foreach (string sql in change.StartsWith("begin", StringComparison.Ordinal) ? [change] : change.Split("; ")) await stage.SqlAsync(sql);
        var node = await stage.StartAsync();
        await ShouldBecomeRightAsync(stage, node, columns);
        await node.UntilAsync(() => node.Status.Resyncs.All(r => r.IsOver), "re-syncs should end");
        await node.StopAsync();

        // It is over: the next start finds nothing.
        var next = await stage.StartAsync();
        await ShouldBecomeRightAsync(stage, next, columns);
        next.Log.ShouldNotContain(l => l.StartsWith("Warning: public.t ", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(Plain, "vacuum full t")]
    [InlineData(Plain, "alter table t alter column b set default 5")]
    [InlineData(Plain, "alter table t alter column a type varchar; alter table t alter column a type text")]
    [InlineData(Parts, "create table t3 partition of t for values from (100) to (200)")]
    public async Task What_changes_no_row_should_not_be_read_again(string schema, string change)
    {
        await using var stage = await OpenAsync(schema);
        var node = await stage.StartAsync();
        await stage.CaughtUpAsync(node);
        // Within one look, so that only the outcome is seen.
        if (change.Contains("; ")) await stage.SqlAsync($"begin; {change}; commit");
        else await stage.SqlAsync(change);
        await stage.SqlAsync("alter table other add column seen int");
        await node.UntilAsync(() => node.Log.Any(l => l.Contains("public.other has the new column seen")), "the watch should have looked");
        node.Log.ShouldNotContain(l => l.StartsWith("Warning: public.t ", StringComparison.Ordinal));
    }

    [PostgresTheory(15)]
    [InlineData("where (id <= 20)", "")]
    [InlineData("where (id <= 20)", "where (id <= 30)")]
    [InlineData("(id, a)", "")]
    public async Task Another_row_filter_or_column_list_should_be_followed(string before, string after)
    {
        await using var stage = await OpenAsync(Plain + $"; create publication pub for table t {before}, other with (publish_via_partition_root = true)", owner: "user");
        var node = await stage.StartAsync();
        await stage.CaughtUpAsync(node);
        await stage.SqlAsync($"alter publication pub set table t {after}, other");
        string rows = after.Length > 0 ? "(select * from t where id <= 30) t" : "t";
        await node.UntilAsync(async () => (await stage.DifferencesAsync("t", "id, a, b")).Count == (after.Length > 0 ? 10 : 0), $"Redis should have {rows}", 30);
    }

    [Fact]
    public async Task A_table_that_was_not_configured_for_a_time_should_be_read_again()
    {
        await using var stage = await OpenAsync(Plain);
        foreach (string tables in (string[])[Both, "  - other", Both])
        {
            stage.Tables = tables;
            var node = await stage.StartAsync();
            await stage.CaughtUpAsync(node);
            if (tables == Both) await ShouldBecomeRightAsync(stage, node, "id, a, b");
            else await stage.SqlAsync("delete from t where id < 10; update t set a = 'missed'; insert into t values (77, 'missed', 7)");
            await stage.CaughtUpAsync(node);
            await node.StopAsync();
        }
    }

    [Fact]
    public async Task A_dropped_table_should_not_hold_up_the_others_and_be_followed_when_it_comes_back()
    {
        await using var stage = await OpenAsync(Plain);
        var node = await stage.StartAsync();
        await stage.CaughtUpAsync(node);
        await stage.SqlAsync("drop table t");
        await node.UntilAsync(() => node.Status.Tables.Any(t => t is { Table: "public.t", Error.Length: > 0 }), "the table should be stopped");
        node.Log.ShouldContain(l => l.Contains("public.t does not exist any more under this name (it was dropped)"));
        await stage.SqlAsync("insert into other values (5, 'five')");
        await node.UntilAsync(async () => await stage.HashAsync("public.other:5") == "id=5 v=five", "the other table should go on");
        await stage.SqlAsync("create table t(id int primary key, a text, b int); insert into t values (3, 'back', 3)");
        await ShouldBecomeRightAsync(stage, node, "id, a, b");
        node.Status.Tables.ShouldAllBe(t => t.Error == "");
    }

    [PostgresFact(14)]
    public async Task Warn_should_tell_and_touch_nothing_until_the_table_is_read_again()
    {
        await using var stage = await OpenAsync(Plain, policy: "warn");
        var node = await stage.StartAsync();
        await stage.CaughtUpAsync(node);
        await stage.SqlAsync("alter table t rename column a to c");
        await node.UntilAsync(() => node.Status.Tables.Any(t => t.Notice.Contains("calls its column a c now")), "it should be told");
        (await stage.HashAsync("public.t:1")).ShouldBe("a=a1 b=1 id=1");
        await node.StopAsync();

        var next = await stage.StartAsync();
        next.Status.Tables.Single(t => t.Table == "public.t").Notice.ShouldContain("calls its column a c now", customMessage: "it stays told");
        await next.Host.StartResyncAsync("public.t", 100_000, CancellationToken.None);
        await next.UntilAsync(() => next.Status.Tables.All(t => t.Notice == ""), "a re-sync should take the notice back");
        (await stage.DifferencesAsync("t", "id, c, b")).ShouldBeEmpty();
    }

    [Fact]
    public async Task Stop_should_stop_the_table_alone_until_the_next_start()
    {
        await using var stage = await OpenAsync(Plain, policy: "stop");
        var node = await stage.StartAsync();
        await stage.CaughtUpAsync(node);
        await stage.SqlAsync("alter table t rename column a to c");
        await node.UntilAsync(() => node.Status.Tables.Any(t => t.Error.Contains("calls its column a c now, and postgres.onSchemaChange is stop")), "the table should be stopped");
        await stage.SqlAsync("update t set b = 0; insert into other values (1, 'x')");
        await node.UntilAsync(async () => await stage.HashAsync("public.other:1") == "id=1 v=x", "the other table should go on");
        (await stage.HashAsync("public.t:1")).ShouldBe("a=a1 b=1 id=1");
        await node.StopAsync();

        var next = await stage.StartAsync();
        await ShouldBecomeRightAsync(stage, next, "id, c, b");
    }

    [PostgresFact(14)]
    public async Task What_does_not_follow_from_rows_should_be_named()
    {
        await using var stage = await OpenAsync(Plain, """
              - t:
                  commands: [["HSET", "t:{id}", "{pairs:*}"], ["XADD", "log", "*", "{pairs:*}"]]
              - other
            """);
        var node = await stage.StartAsync();
        await stage.CaughtUpAsync(node);
        await stage.SqlAsync("alter table t rename column a to c");
        await node.UntilAsync(async () => await stage.HashAsync("t:1") == "b=1 c=a1 id=1", "the hash should follow");
        await node.UntilAsync(() => node.Status.Tables.Any(t => t.Notice.Contains("what does not follow from its rows stays as it is") && t.Notice.Contains("XADD")), "the rest should be told");
        (await stage.CountAsync("XLEN", "log")).ShouldBe(50);
    }

    [Fact]
    public async Task A_publication_of_the_user_that_loses_a_table_should_stop_it_alone_and_have_it_back()
    {
        await using var stage = await OpenAsync(Plain + "; create publication pub for table t, other with (publish_via_partition_root = true)", owner: "user");
        var node = await stage.StartAsync();
        await stage.CaughtUpAsync(node);
        await stage.SqlAsync("alter publication pub drop table t");
        await node.UntilAsync(() => node.Status.Tables.Any(t => t.Error.Contains("ALTER PUBLICATION \"pub\" ADD TABLE")), "it should be told with what helps");
        await stage.SqlAsync("update t set a = 'missed'; delete from t where id < 5");
        await stage.SqlAsync("alter publication pub add table t");
        await ShouldBecomeRightAsync(stage, node, "id, a, b");
    }

    [Theory]
    [InlineData("alter publication pub set (publish = 'insert')", "delete from t where id < 5; update t set b = b + 100 where id = 6")]
    [InlineData("alter publication pub drop table t", "delete from t where id < 5; update t set b = b + 100 where id = 6")]
    public async Task Differences_should_be_counted_anew_when_changes_were_missed(string change, string missed)
    {
        await using var stage = await OpenAsync(Plain + "; alter table t replica identity full", """
              - t:
                  commands: [["HSET", "public.t:{id}", "{pairs:*}"], ["INCRBY", "sum", "{diff:b}"]]
              - other
            """);
        var node = await stage.StartAsync();
        await stage.CaughtUpAsync(node);
        await stage.SqlAsync($"begin; {change}; {missed}; commit");
        await ShouldBecomeRightAsync(stage, node, "id, a, b");
        await node.UntilAsync(async () => await stage.NumberAsync("sum") == await stage.ScalarAsync<long>("select sum(b) from t"), "the sum should be that of the rows");
        await stage.SqlAsync("update t set b = b + 1");
        await stage.CaughtUpAsync(node);
        (await stage.NumberAsync("sum")).ShouldBe(await stage.ScalarAsync<long>("select sum(b) from t"));
        node.Status.Tables.ShouldAllBe(t => t.Notice == "");
    }

    [PostgresFact(14)]
    public async Task A_reading_that_was_cancelled_should_stay_told_until_another_one_ends()
    {
        await using var stage = await OpenAsync(Plain + "; insert into t select i, 'more', i from generate_series(100, 60000) i");
        var node = await stage.StartAsync();
        await stage.CaughtUpAsync(node);
        await stage.SqlAsync("alter table t rename column a to c");
        await node.UntilAsync(() => node.Status.Resyncs.Any(r => r is { Table: "public.t", State: ResyncState.Running }), "the table should be read again");
        await node.Host.OrderResyncAsync("public.t", ResyncOrder.Cancel, CancellationToken.None);
        await node.UntilAsync(() => node.Status.Tables.Any(t => t.Notice.Contains("reading it again was cancelled: run actorsync resync --table public.t")), "it should be told");
        await node.Host.StartResyncAsync("public.t", 1_000_000, CancellationToken.None);
        await node.UntilAsync(() => node.Status.Tables.All(t => t.Notice == ""), "another reading should take the notice back");
        (await stage.HashAsync("public.t:1")).ShouldBe("b=1 c=a1 id=1");
    }

    [Theory]
    [InlineData("alter table t rename column a to c", "calls its column a c now")]
    [InlineData("drop table t; create table t(id int primary key, a text, b int)", "is another table of this name now")]
    public async Task Without_copies_what_is_not_brought_in_line_should_be_told(string change, string told)
    {
        await using var stage = await OpenAsync(Plain);
        stage.Extra = "snapshot: { mode: never }";
        var node = await stage.StartAsync();
        await stage.SqlAsync("update t set b = 7 where id = 1");
        await stage.CaughtUpAsync(node);
        await node.StopAsync();
        await stage.SqlAsync(change);

        var next = await stage.StartAsync();
        await next.UntilAsync(() => next.Log.Any(l => l.StartsWith("Warning: public.t ", StringComparison.Ordinal) && l.Contains(told)), "it should be told");
        if (change.StartsWith("drop", StringComparison.Ordinal))
            await next.UntilAsync(() => next.Status.Tables.Any(t => t.Notice.Contains("snapshot.mode is never: run actorsync snapshot --table public.t")), "with what to do");
    }
}
