using Sync.Contracts.Configuration;
using Sync.Node.Hosting;
using Sync.Node.Resync;
using Sync.Node.Tests.Hosting;
using Sync.Node.Tests.Resync;
using Sync.Node.Tests.Verification;
using Sync.Node.Verification;
using Sync.Redis.Errors;

namespace Sync.Node.Tests.Cluster;

/// <summary>Re-syncs through lanes, without actors: the reader sends what is to be compared, the writers of the lanes compare and mend.</summary>
[Collection(NodesCollection.Name)]
[Trait("Speed", "Slow")]
public sealed class LaneResyncTests(Servers servers)
{
    SyncConfig Config(Pipeline pipeline, string tables = ResyncTests.Tables) => LaneNode.Configure(servers, pipeline, tables);

    static ResyncStatus? Find(LaneReader reader, string table) => reader.Node.Board.Status.Resyncs.FirstOrDefault(r => r.Table == table);

    static Task StreamingAsync(LaneReader reader) => reader.UntilAsync(() => reader.Node.Board.Status.State == NodeState.Streaming && reader.Node.Board.Engine?.Resyncs is not null, "it should stream");

    static async Task<LaneReader> StartAsync(LaneNode node)
    {
        var reader = await LaneReader.StartAsync(node);
        await StreamingAsync(reader);
        return reader;
    }

    /// <summary>Everything that was committed is in Redis, and nothing else.</summary>
    static async Task ShouldBeRightAsync(Pipeline pipeline, LaneReader reader)
    {
        await reader.CaughtUpAsync(pipeline);
        (await new Verifier(reader.Node.Parts.Config, null, TimeProvider.System).RunAsync(Comparison.Options, CancellationToken.None)).ShouldBeClean();
        await reader.StopAsync();
    }

    static async Task<ResyncStatus> ResyncAsync(LaneReader reader, string table)
    {
        await reader.Node.Board.Engine!.Resyncs!.StartAsync(table, ResyncStatus.HighestRate, CancellationToken.None);
        return await EndedAsync(reader, table);
    }

    static async Task<ResyncStatus> EndedAsync(LaneReader reader, string table)
    {
        await reader.UntilAsync(() => Find(reader, table) is { IsOver: true }, $"the re-sync of {table} should end");
        return Find(reader, table)!;
    }

    [Fact]
    public async Task Drift_of_every_kind_should_be_mended_and_counted()
    {
        await using var pipeline = await Pipeline.PrepareAsync(servers, ResyncTests.Schema);
        await using var node = new LaneNode(Config(pipeline));
        await using var reader = await StartAsync(node);
        await reader.CaughtUpAsync(pipeline);
        await pipeline.RedisAsync("DEL", "t:1", "u:7:b:7", "by-n");
        await pipeline.RedisAsync("HSET", "t:2", "name", "wrong", "stray", "x");
        await pipeline.RedisAsync("SET", "t:3", "a string");
        await pipeline.RedisAsync("SET", "u:8:b:8", "wrong");
        await pipeline.RedisAsync("SREM", "kind:k1", "4", "7");
        await pipeline.RedisAsync("HSET", "t:9999", "name", "nobody");
        await pipeline.RedisAsync("SET", "u:9999:b", "nobody");
        await pipeline.RedisAsync("HSET", "names", "9999", "nobody");
        await pipeline.RedisAsync("SET", "t:not-a-number", "mine");
        var t = await ResyncAsync(reader, "public.t");
        (t.State, t.Error, t.Rows, t.Removed, t.Mended).ShouldBe((ResyncState.Done, "", 2500L, 2L, 2505L));
        var u = await ResyncAsync(reader, "public.u");
        (u.Mended, u.Removed, u.Rows).ShouldBe((2, 1, 300));
        (await pipeline.GetAsync("t:not-a-number")).ShouldBe("mine");
        (await pipeline.HashAsync("t:2")).ShouldBe("id=2 name=n2");
        (await ResyncAsync(reader, "public.t")).Mended.ShouldBe(0, "nothing differs any more");
        (await pipeline.HashAsync($"actorsync:{{{pipeline.Slot}}}:mends")).ShouldBe("", "what was counted is fetched");
        await ShouldBeRightAsync(pipeline, reader);
    }

    [Fact]
    public async Task Under_load_the_newest_row_should_win_though_lanes_are_taken_away()
    {
        await using var pipeline = await Pipeline.PrepareAsync(servers, ResyncTests.Schema);
        await using var node = new LaneNode(Config(pipeline));
        await using var other = new LaneNode(Config(pipeline));
        await using var reader = await StartAsync(node);
        using var over = new CancellationTokenSource();
        var load = Task.WhenAll(Enumerable.Range(1, 3).Select(seed => new RowLoad(servers, pipeline.Database, seed).RunAsync(over.Token)));
        var taking = Task.Run(async () =>
        {
            var random = new Random(5);
            // Each time refuses what all writers have under way: on a busy machine they need a while to bring something home in between.
            for (; !over.IsCancellationRequested; await Task.Delay(250))
            {
                try { await other.Lanes.Store.TakeAsync(random.Next(32), CancellationToken.None); }
                catch (RedisTransientException) { /* Its connection was killed, too. */ }
            }
        });
        for (int round = 0; round < 4; round++)
        {
            foreach (string key in (await pipeline.KeysAsync()).Where((_, i) => i % 2 == round % 2)) await pipeline.RedisAsync("DEL", key);
            for (int i = 0; i < 50; i++) await pipeline.RedisAsync("HSET", $"t:{5000 + i}", "name", "nobody");
            if (round == 2) await pipeline.RedisAsync("CLIENT", "KILL", "TYPE", "normal");
            var done = await ResyncAsync(reader, "public.t");
            (done.State, done.Error, done.Refused).ShouldBe((ResyncState.Done, "", 0));
            (await ResyncAsync(reader, "public.u")).State.ShouldBe(ResyncState.Done);
        }
        await over.CancelAsync();
        await load;
        await taking;
        reader.Lanes.Lost.ShouldBeGreaterThan(10);
        await ShouldBeRightAsync(pipeline, reader);
    }

    [Fact]
    public async Task Another_reader_should_go_on_where_the_one_before_was()
    {
        await using var pipeline = await Pipeline.PrepareAsync(servers, ResyncTests.Schema);
        await using var first = new LaneNode(Config(pipeline));
        await using var next = new LaneNode(Config(pipeline));
        using var over = new CancellationTokenSource();
        await using var before = await StartAsync(first);
        var load = new RowLoad(servers, pipeline.Database, 3).RunAsync(over.Token);
        await pipeline.RedisAsync("DEL", "by-n", "names", "kind:k1");
        await before.Node.Board.Engine!.Resyncs!.StartAsync("public.t", 1500, CancellationToken.None);
        await before.UntilAsync(() => Find(before, "public.t") is { Rows: >= 1000 }, "the first rows should be read");
        var begun = Find(before, "public.t")!;
        // It goes on with its lanes, but its sessions end, as if it were cut off.
        object? sessions = await pipeline.ScalarAsync($"select string_agg(pid::text, ',') from pg_stat_activity where datname = '{pipeline.Database}' and application_name <> '' and pid <> pg_backend_pid()");
        await using var after = await LaneReader.StartAsync(next);
        await after.UntilAsync(() => after.Node.Board.Status.State == NodeState.Standby, "it should wait for the slot");
        await pipeline.SqlAsync($"select pg_terminate_backend(pid) from pg_stat_activity where pid in ({sessions})");
        await StreamingAsync(after);
        var ended = await EndedAsync(after, "public.t");
        (ended.State, ended.StartedAt).ShouldBe((ResyncState.Done, begun.StartedAt));
        ended.Rows.ShouldBeInRange(begun.Rows, 3400, "the first rows are not read again");
        await over.CancelAsync();
        await load;
        await ShouldBeRightAsync(pipeline, after);
    }

    [Fact]
    public async Task A_table_that_is_added_later_should_get_its_rows_while_others_stream()
    {
        await using var pipeline = await Pipeline.PrepareAsync(servers, ResyncTests.Schema);
        await using (var node = new LaneNode(Config(pipeline, ResyncTests.Tables[..ResyncTests.Tables.IndexOf("  - u:", StringComparison.Ordinal)])))
        {
            await using var reader = await StartAsync(node);
            await reader.CaughtUpAsync(pipeline);
            await reader.StopAsync();
        }
        await pipeline.SqlAsync("insert into u values (0, 'early', 'x'); delete from u where a = 5");
        using var over = new CancellationTokenSource();
        var load = new RowLoad(servers, pipeline.Database, 7).RunAsync(over.Token);
        await using var later = new LaneNode(Config(pipeline));
        await using var second = await StartAsync(later);
        (await EndedAsync(second, "public.u")).ShouldSatisfyAllConditions(r => r.State.ShouldBe(ResyncState.Done), r => r.IsCopy.ShouldBeTrue());
        await over.CancelAsync();
        await load;
        await ShouldBeRightAsync(pipeline, second);
    }

    [Fact]
    public async Task Redis_that_forgot_everything_should_be_filled_again_while_changes_stream()
    {
        await using var pipeline = await Pipeline.PrepareAsync(servers, ResyncTests.Schema);
        await using var node = new LaneNode(Config(pipeline));
        await using (var reader = await StartAsync(node))
        {
            await reader.CaughtUpAsync(pipeline);
            await pipeline.RedisAsync("FLUSHALL");
            await Should.ThrowAsync<RedisFencedException>(() => reader.Run.WaitAsync(TimeSpan.FromSeconds(20)));
        }
        using var over = new CancellationTokenSource();
        var load = new RowLoad(servers, pipeline.Database, 9).RunAsync(over.Token);
        await using var next = await StartAsync(node);
        foreach (string table in (string[])["public.t", "public.u"])
            (await EndedAsync(next, table)).ShouldSatisfyAllConditions(r => r.State.ShouldBe(ResyncState.Done), r => r.IsCopy.ShouldBeTrue());
        await over.CancelAsync();
        await load;
        await ShouldBeRightAsync(pipeline, next);
    }

    [Fact]
    public async Task A_repair_should_mend_rows_and_remove_places_and_leave_the_rest()
    {
        await using var pipeline = await Pipeline.PrepareAsync(servers, ResyncTests.Schema);
        await using var node = new LaneNode(Config(pipeline));
        await using var reader = await StartAsync(node);
        await reader.CaughtUpAsync(pipeline);
        await pipeline.RedisAsync("DEL", "t:1", "t:2");
        await pipeline.RedisAsync("HSET", "t:9999", "name", "nobody");
        var reply = await node.Board.Engine!.Resyncs!.RepairAsync(new RepairRequest("public.t", [["1"], ["3"]], [new RepairPlace("t:9999"), new RepairPlace("t:4")]), CancellationToken.None);
        reply.ShouldBe(new RepairReply(1, 1, 0, ""));
        (await pipeline.KeysAsync()).ShouldNotContain("t:2", "nobody named it");
        (await pipeline.HashAsync("t:1")).ShouldBe("id=1 name=n1");
        (await pipeline.KeysAsync()).ShouldContain("t:4");
        await reader.StopAsync();
    }
}
