using Sync.Node.Hosting;

namespace Sync.Node.Tests.Hosting.Life;

/// <summary><c>delivery: at-least-once</c>: no record of positions, no watch; changes may come twice, but none is lost and the last one wins.</summary>
[Collection(BreakableCollection.Name)]
[Trait("Speed", "Slow")]
public class DeliveryTests(BreakableServers servers)
{
    const string Rows = "create table t(id int primary key, n int); insert into t select i, 0 from generate_series(1, 200) i";

    [Fact]
    public async Task At_least_once_should_lose_nothing_over_lost_connections_and_restarts()
    {
        await using var stage = await Stage.OpenAsync(servers, Rows, "  - t", "delivery: at-least-once");
        var node = await stage.StartAsync();
        for (int round = 1; round <= 6; round++)
        {
            for (int i = 0; i < 20; i++) await stage.SqlAsync($"update t set n = n + {round} where id % 7 = {i % 7}");
            if (round == 3) await stage.Postgres.KillWalSendersAsync();
            else if (round == 5)
            {
                node.Crash();
                node = await stage.StartAsync(workers: 3);
            }
            else await stage.RedisAsync("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
        }
        await stage.CaughtUpAsync(node);
        (await stage.DifferencesAsync("t", "id, n")).ShouldBeEmpty();
        string[] fields = await stage.ItemsAsync("HKEYS", $"actorsync:{{{stage.Slot}}}:progress");
        fields.ShouldContain("confirmed");
        fields.ShouldNotContain(f => f.StartsWith("w:", StringComparison.Ordinal));
    }

    [Fact]
    public async Task At_least_once_should_still_notice_that_it_was_replaced_or_that_Redis_was_emptied()
    {
        await using var stage = await Stage.OpenAsync(servers, Rows, "  - t", "delivery: at-least-once");
        var node = await stage.StartAsync();
        await stage.RedisAsync("SET", $"actorsync:{{{stage.Slot}}}:owner", "somebody else");
        await stage.SqlAsync("update t set n = 5 where id = 5");
        await node.UntilAsync(() => node.Log.Any(l => l.Contains("Another ActorSync took over")), "it should look who owns what it writes");
        await node.ReachesAsync(NodeState.Streaming);
        await stage.RedisAsync("FLUSHALL");
        await stage.SqlAsync("update t set n = 6 where id = 6");
        await node.UntilAsync(async () => await stage.HashAsync("public.t:200") != "", "the table should be copied again");
        await stage.CaughtUpAsync(node);
        (await stage.DifferencesAsync("t", "id, n")).ShouldBeEmpty();
    }
}
