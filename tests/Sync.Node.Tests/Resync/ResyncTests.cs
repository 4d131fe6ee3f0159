using Sync.Contracts;
using Sync.Node.Resync;
using Sync.Node.Tests.Hosting;
using Sync.Node.Tests.Verification;
using Sync.Testing;

namespace Sync.Node.Tests.Resync;

[Collection(CopyCollection.Name)]
[Trait("Speed", "Slow")]
public class ResyncTests(Servers servers)
{
    internal const string Schema = """
        create table t(id int primary key, name text, n int, kind text);
        alter table t replica identity full;
        insert into t select i, 'n' || i, i, 'k' || i % 3 from generate_series(1, 2500) i;
        create table u(a int, b text, v text, primary key (a, b));
        insert into u select i, 'b:' || i, 'v' || i from generate_series(1, 300) i;
        """;

    internal const string Tables = """
          - t:
              commands:
                - ["HSET", "t:{id}", "id", "{id}", "name", "{name}"]
                - ["SADD", "kind:{kind}", "{id}"]
                - ["ZADD", "by-n", "{n}", "{id}"]
                - ["HSET", "names", "{id}", "{name}"]
          - u:
              commands: [["SET", "u:{a}:{b}", "{v}"]]
        """;

    [PostgresFact(14)]
    public async Task Drift_of_every_kind_should_be_mended_while_changes_stream()
    {
        await using var pipeline = await Pipeline.StartAsync(servers, Schema, Tables);
        await pipeline.CaughtUpAsync();
        await pipeline.RedisAsync("DEL", "t:1", "u:7:b:7", "by-n");
        await pipeline.RedisAsync("HSET", "t:2", "name", "wrong", "stray", "x");
        await pipeline.RedisAsync("SET", "t:3", "a string");
        await pipeline.RedisAsync("SET", "u:8:b:8", "wrong");
        await pipeline.RedisAsync("SREM", "kind:k1", "4", "7");
        await pipeline.RedisAsync("HDEL", "names", "9");
        await pipeline.RedisAsync("ZADD", "by-n", "5", "5", "77", "6");
        await pipeline.RedisAsync("HSET", "t:9999", "name", "nobody");
        await pipeline.RedisAsync("SET", "u:9999:b", "nobody");
        await pipeline.RedisAsync("HSET", "names", "9999", "nobody");
        await pipeline.RedisAsync("SET", "t:not-a-number", "mine");
        var t = await pipeline.ResyncAsync("public.t");
        var u = await pipeline.ResyncAsync("public.u");
        (t.State, t.Error, t.Rows).ShouldBe((ResyncState.Done, "", 2500));
        t.Removed.ShouldBe(2);
        t.Mended.ShouldBeGreaterThanOrEqualTo(2505);
        (u.Mended, u.Removed, u.Rows).ShouldBe((2, 1, 300));
        (await pipeline.VerifyAsync()).ShouldBeClean();
        (await pipeline.GetAsync("t:not-a-number")).ShouldBe("mine");
        (await pipeline.HashAsync("t:2")).ShouldBe("id=2 name=n2");
        (await pipeline.ResyncAsync("public.t")).Mended.ShouldBe(0, "nothing differs any more");
    }

    [PostgresFact(14)]
    public async Task Under_load_the_newest_row_should_win()
    {
        await using var pipeline = await Pipeline.StartAsync(servers, Schema, Tables);
        await pipeline.CaughtUpAsync();
        using var over = new CancellationTokenSource();
        var load = Task.WhenAll(Enumerable.Range(1, 3).Select(seed => new RowLoad(servers, pipeline.Database, seed).RunAsync(over.Token)));
        for (int round = 0; round < 4; round++)
        {
            // Half of it gone, some of it wrong, some of it too much.
            foreach (string key in (await pipeline.KeysAsync()).Where((_, i) => i % 2 == round % 2)) await pipeline.RedisAsync("DEL", key);
            for (int i = 0; i < 50; i++) await pipeline.RedisAsync("HSET", $"t:{5000 + i}", "name", "nobody");
            var done = await pipeline.ResyncAsync("public.t");
            (done.State, done.Error, done.Refused).ShouldBe((ResyncState.Done, "", 0));
            (await pipeline.ResyncAsync("public.u")).State.ShouldBe(ResyncState.Done);
        }
        await over.CancelAsync();
        await load;
        await pipeline.CaughtUpAsync();
        (await pipeline.VerifyAsync()).ShouldBeClean();
    }

    [PostgresFact(14)]
    public async Task A_pause_should_hold_over_a_restart_and_go_on_where_it_was()
    {
        await using var pipeline = await Pipeline.StartAsync(servers, Schema, Tables);
        await pipeline.CaughtUpAsync();
        await pipeline.RedisAsync("DEL", "t:1", "t:2500");
        await pipeline.Host.StartResyncAsync("public.t", 2000, CancellationToken.None);
        await pipeline.UntilAsync(() => Task.FromResult(pipeline.Resync("public.t")!.Rows >= 1000), "the first rows should be read");
        (await pipeline.Host.OrderResyncAsync("public.t", ResyncOrder.Pause, CancellationToken.None)).Single(r => r.Table == "public.t").State.ShouldBe(ResyncState.Paused);
        long rows = pipeline.Resync("public.t")!.Rows;
        rows.ShouldBeLessThan(2500);
        await pipeline.StopNodeAsync();
        await pipeline.RedisAsync("DEL", "t:2");
        await pipeline.StartNodeAsync(Tables);
        await pipeline.UntilAsync(() => Task.FromResult(pipeline.Resync("public.t") is not null), "it should be remembered");
        pipeline.Resync("public.t")!.State.ShouldBe(ResyncState.Paused);
        (await pipeline.KeysAsync()).ShouldNotContain("t:2500");
        await pipeline.Host.OrderResyncAsync(null, ResyncOrder.Resume, CancellationToken.None);
        var done = await pipeline.ResyncedAsync("public.t");
        (done.State, done.Rows, done.Mended).ShouldBe((ResyncState.Done, 2500, 2));
        (await pipeline.KeysAsync()).ShouldNotContain("t:2", "its chunk was done before");
    }

    [PostgresFact(14)]
    public async Task Cancelled_should_be_over_and_a_new_one_should_begin_at_the_first_row()
    {
        await using var pipeline = await Pipeline.StartAsync(servers, Schema, Tables);
        await pipeline.CaughtUpAsync();
        await pipeline.Host.StartResyncAsync(null, 1000, CancellationToken.None);
        await pipeline.UntilAsync(() => Task.FromResult(pipeline.Resync("public.t")!.Rows >= 1000), "the first rows should be read");
        var all = await pipeline.Host.OrderResyncAsync(null, ResyncOrder.Cancel, CancellationToken.None);
        all.ShouldAllBe(r => r.State == ResyncState.Cancelled && r.EndedAt != null);
        var error = await Should.ThrowAsync<SyncException>(() => pipeline.Host.OrderResyncAsync("public.t", ResyncOrder.Resume, CancellationToken.None));
        error.Message.ShouldBe("No re-sync of public.t is under way: see actorsync resync --status.");
        (await pipeline.ResyncAsync("public.t")).Rows.ShouldBe(2500);
        (await Should.ThrowAsync<SyncException>(() => pipeline.Host.StartResyncAsync("public.x", 1, CancellationToken.None))).Message.ShouldContain("not configured");
    }

    [PostgresFact(14)]
    public async Task What_adds_should_be_named_and_never_run_again()
    {
        await using var pipeline = await Pipeline.StartAsync(servers, "create table t(id int primary key, n int); insert into t values (1, 10), (2, 20)", """
              - t: { commands: [["HSET", "t:{id}", "n", "{n}"], ["INCRBY", "sum", "{diff:n}"], ["RPUSH", "log", "{id}"]] }
            """);
        await pipeline.CaughtUpAsync();
        await pipeline.RedisAsync("DEL", "t:1");
        var done = await pipeline.ResyncAsync("public.t");
        (done.State, done.Mended).ShouldBe((ResyncState.Done, 1));
        done.NotCovered.Count.ShouldBe(2);
        (await pipeline.GetAsync("sum")).ShouldBe("30");
        (await pipeline.RedisAsync("LLEN", "log")).ShouldBe(2L);
    }

    [PostgresTheory(14)]
    [InlineData("create table t(id int primary key); insert into t values (1)", """["RPUSH", "log", "{id}"]""", "nothing that its commands leave in Redis follows from its rows")]
    [InlineData("create table t(id int); insert into t values (1); alter table t replica identity full", """["SET", "t:{id}", "{id}"]""", "it has no primary key")]
    [InlineData("create table t(id int primary key, b int not null unique); alter table t replica identity using index t_b_key", """["SET", "t:{b}", "{id}"]""", "its replica identity leaves out the primary key")]
    public async Task A_table_that_can_not_be_re_synced_should_say_why(string schema, string command, string why)
    {
        await using var pipeline = await Pipeline.StartAsync(servers, schema, $$"""  - t: { commands: [{{command}}] }""");
        await pipeline.CaughtUpAsync();
        var failed = await pipeline.ResyncAsync("public.t");
        failed.State.ShouldBe(ResyncState.Failed);
        failed.Error.ShouldStartWith($"public.t can't be re-synced: {why}");
    }

    [PostgresFact(14)]
    public async Task Rows_in_the_dead_letters_should_be_left_to_them()
    {
        await using var pipeline = await Pipeline.StartAsync(servers, "create table t(id int primary key, n text); insert into t values (1, 'a'), (2, 'b')", """
              - t: { commands: [["SADD", "set:{id}", "{n}"], ["SET", "t:{id}", "{n}"]] }
            """);
        await pipeline.CaughtUpAsync();
        await pipeline.RedisAsync("DEL", "set:1", "t:2");
        await pipeline.RedisAsync("SET", "set:1", "in the way");
        await pipeline.SqlAsync("update t set n = 'c' where id = 1");
        await pipeline.CaughtUpAsync();
        pipeline.Host.Status.DeadLetters.ShouldBe(1);
        var done = await pipeline.ResyncAsync("public.t");
        (done.State, done.Parked, done.Mended).ShouldBe((ResyncState.Done, 1, 1));
        (await pipeline.GetAsync("set:1")).ShouldBe("in the way");
        (await pipeline.GetAsync("t:2")).ShouldBe("b");
    }

    [PostgresFact(14)]
    public async Task Emptied_and_altered_tables_should_be_read_as_they_are_then()
    {
        await using var pipeline = await Pipeline.StartAsync(servers, "create table t(id int primary key, n int); insert into t select i, i from generate_series(1, 20000) i", """
              - t: { commands: [["HSET", "t:{id}", "{pairs:*}"]], truncate: resync }
            """);
        await pipeline.CaughtUpAsync();
        await pipeline.Host.StartResyncAsync("public.t", 20_000, CancellationToken.None);
        for (int i = 0; i < 5; i++)
        {
            await pipeline.SqlAsync($"begin; alter table t add column c{i} int default {i}; insert into t(id, n) values ({100_000 + i}, 1); commit; update t set n = n + 1 where id % 100 = {i}");
            if (i == 2) await pipeline.SqlAsync("begin; truncate t; insert into t select i, i, 0, 1, 2 from generate_series(1, 15000) i; commit");
        }
        (await pipeline.ResyncedAsync("public.t")).State.ShouldBe(ResyncState.Done);
        await pipeline.CaughtUpAsync();
        // A column that was added changes no row, and so no key: what was written before lacks it until a re-sync.
        (await pipeline.ResyncAsync("public.t")).Refused.ShouldBe(0);
        (await pipeline.VerifyAsync()).ShouldBeClean();
    }

    [PostgresFact(14)]
    public async Task A_table_that_is_added_later_should_get_its_rows_while_others_stream()
    {
        await using var pipeline = await Pipeline.StartAsync(servers, Schema, Tables[..Tables.IndexOf("  - u:", StringComparison.Ordinal)]);
        await pipeline.CaughtUpAsync();
        await pipeline.StopNodeAsync();
        await pipeline.SqlAsync("insert into u values (0, 'early', 'x'); delete from u where a = 5");
        using var over = new CancellationTokenSource();
        var load = new RowLoad(servers, pipeline.Database, 7).RunAsync(over.Token);
        await pipeline.StartNodeAsync(Tables);
        var done = await pipeline.ResyncedAsync("public.u");
        (done.State, done.IsCopy).ShouldBe((ResyncState.Done, true));
        await over.CancelAsync();
        await load;
        await pipeline.CaughtUpAsync();
        (await pipeline.VerifyAsync()).ShouldBeClean();
        await pipeline.StopNodeAsync();
        await pipeline.StartNodeAsync(Tables);
        pipeline.Log.Count(l => l.Contains("public.u: re-sync begins")).ShouldBe(1);
    }
}
