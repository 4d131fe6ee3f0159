using Sync.Contracts;
using Sync.Node.Resync;
using Sync.Node.Tests.Hosting;
using Sync.Node.Tests.Resync;

namespace Sync.Node.Tests.Cluster;

/// <summary>Any node takes an order; whoever reads carries it out, and whoever reads next goes on.</summary>
[Collection(NodesCollection.Name)]
[Trait("Speed", "Slow")]
public sealed class ClusterResyncTests(Servers servers)
{
    [Fact]
    public async Task All_keys_should_be_right_though_the_reader_is_killed_and_lanes_move()
    {
        await using var pipeline = await Pipeline.PrepareAsync(servers, ResyncTests.Schema);
        using var stage = await ClusterStage.StartAsync(servers, pipeline, ResyncTests.Tables);
        using var over = new CancellationTokenSource();
        var load = Task.WhenAll(Enumerable.Range(1, 2).Select(seed => new RowLoad(servers, pipeline.Database, seed).RunAsync(over.Token)));
        await SpoilAsync(pipeline, 0);
        var reader = await stage.ReaderAsync();
        var asked = stage.Members.First(m => m != reader);
        var began = await asked.Client.PostAsync<ResyncReply>("/api/resync", new ResyncRequest("public.t", 1000), default);
        var begun = began.Resyncs.Single(r => r.Table == "public.t");
        (await Should.ThrowAsync<SyncException>(() => asked.Client.PostAsync<ResyncReply>("/api/resync", new ResyncRequest("public.x"), default))).Message.ShouldContain("public.x is not configured");
        await stage.UntilAsync(async () => await asked.FindAsync("public.t") is { Rows: >= 1000 }, "another node than the reader should tell how far it is");
        reader.Kill();
        reader.Start();
        await stage.UntilAsync(async () => await asked.FindAsync("public.t") is { IsOver: true }, "another reader should go on to the end");
        var ended = (await asked.FindAsync("public.t"))!;
        (ended.State, ended.StartedAt, ended.Error).ShouldBe((ResyncState.Done, begun.StartedAt, ""));

        await SpoilAsync(pipeline, 1);
        reader = await stage.ReaderAsync();
        var resync = asked.RunAsync("resync", "--all", "--rate", "1500");
        await stage.UntilAsync(async () => await asked.FindAsync("public.t") is { IsOver: false, Rows: > 0 }, "the second re-sync should begin");
        var leaving = stage.Members.First(m => m != reader && m != asked);
        await leaving.LeaveAsync();
        leaving.Start();
        (await resync).ShouldSatisfyAllConditions(r => r.Code.ShouldBe(0, r.Out + r.Error), r => r.Out.ShouldContain("public.t  done"));

        await over.CancelAsync();
        await load;
        await SpoilAsync(pipeline, 0);
        var repair = await asked.RunAsync("verify", "--repair");
        repair.Code.ShouldBe(0, $"{repair.Out}{repair.Error}\n{stage.Log}");
        var verified = await asked.RunAsync("verify");
        verified.Code.ShouldBe(0, verified.Out + verified.Error);
    }

    [Fact]
    public async Task An_order_should_hold_wherever_it_was_given()
    {
        await using var pipeline = await Pipeline.PrepareAsync(servers, ResyncTests.Schema);
        using var stage = await ClusterStage.StartAsync(servers, pipeline, ResyncTests.Tables);
        var reader = await stage.ReaderAsync();
        var (one, two) = (stage.Members.First(m => m != reader), stage.Members.Last(m => m != reader));
        await one.Client.PostAsync<ResyncReply>("/api/resync", new ResyncRequest("public.t", 200), default);
        (await two.RunAsync("resync", "--pause")).ShouldSatisfyAllConditions(r => r.Code.ShouldBe(0, r.Error), r => r.Out.ShouldContain("paused"));
        await reader.LeaveAsync();
        await stage.UntilAsync(async () => await stage.FindReaderAsync() is { } next && await next.FindAsync("public.t") is { State: ResyncState.Paused }, "the next reader should know that it is held");
        (await one.Client.PostAsync<ResyncReply>("/api/resync/cancel", new ResyncRequest(null), default)).Resyncs.ShouldAllBe(r => r.State == ResyncState.Cancelled);
        await stage.UntilAsync(async () => await two.FindAsync("public.t") is { State: ResyncState.Cancelled }, "every node should tell that it is over");
        var again = await two.RunAsync("resync", "--resume");
        (again.Code, again.Error).ShouldBe(((int)ExitCode.Usage, "actorsync: No re-sync is under way: see actorsync resync --status.\n"));
    }

    static async Task SpoilAsync(Pipeline pipeline, int which)
    {
        foreach (string key in (await pipeline.KeysAsync()).Where((_, i) => i % 2 == which)) await pipeline.RedisAsync("DEL", key);
        for (int i = 0; i < 20; i++)
        {
            await pipeline.RedisAsync("HSET", $"t:{5000 + i}", "name", "nobody");
            await pipeline.RedisAsync("HSET", $"t:{100 + i}", "name", "wrong", "stray", "x");
        }
    }
}
