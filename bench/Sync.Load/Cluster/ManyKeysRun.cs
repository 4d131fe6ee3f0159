using Sync.Load.Measuring;

namespace Sync.Load.Cluster;

/// <param name="Node">From 1.</param>
/// <param name="HeapBytes">What its garbage collector manages right behind a full collection.</param>
/// <param name="ResidentBytes">Its VmRSS then.</param>
public sealed record NodeMemory(int Node, long HeapBytes, long ResidentBytes);

/// <param name="Before">Each node when it had worked for a while over few keys and was idle.</param>
/// <param name="Under">The most that was resident while the many keys were changed.</param>
/// <param name="After">Each node once it was idle again.</param>
public sealed record ManyKeysResult(IReadOnlyList<NodeMemory> Before, IReadOnlyList<long> Under, IReadOnlyList<NodeMemory> After);

/// <summary>Nodes that change a million keys, each once: what they hold of them once nothing is under way any more.</summary>
static class ManyKeysRun
{
    const int nodeCount = 2, few = 1000, perTransaction = 100;
    const string slot = "many", publication = "many_pub", table = "many";
    static readonly TimeSpan patience = TimeSpan.FromMinutes(10);

    // Longer than a key's actor stays idle, and than the collector takes to give memory back.
    static readonly TimeSpan idle = TimeSpan.FromSeconds(15);

    const string mapping = "- public.many: { update: { commands: [[\"HSET\", \"many:{id}\", \"{pairs:*}\"]] } }";

    public static async Task<ManyKeysResult> MeasureAsync(Stage stage, int keys)
    {
        using var deadline = new CancellationTokenSource(patience);
        await stage.RedisClient.CommandAsync("FLUSHALL", "SYNC");
        await stage.ExecuteAsync($"create table {table}(id int primary key, number int not null, body text not null) with (fillfactor = 50)");
        await stage.ExecuteAsync($"insert into {table} select g, 0, 'some text for row '||g from generate_series(1, {keys}) g");
        await stage.ExecuteAsync($"create publication {publication} for table {table}");
        await stage.ExecuteAsync($"select pg_create_logical_replication_slot('{slot}', 'pgoutput')");
        var (started, lease) = await ClusterNodes.StartAsync(stage, new ClusterSource(publication, slot, mapping), nodeCount, new Dictionary<string, string>(), deadline.Token);
        await using var nodes = started;
        await lease.DisposeAsync();

        await ChangeAsync(stage, keys, few);
        await nodes.WaitForAsync(keys, deadline.Token);
        var before = await LookAsync(nodes, deadline.Token);
        using var usage = new UsageSampler([.. nodes.Ids]);
        await ChangeAsync(stage, keys, keys);
        await nodes.WaitForAsync(2 * keys, deadline.Token);
        usage.Stop();
        var after = await LookAsync(nodes, deadline.Token);
        await nodes.StopAsync(deadline.Token);
        await stage.ExecuteAsync($"select pg_drop_replication_slot('{slot}')");
        await stage.ExecuteAsync($"drop publication {publication}");
        await stage.ExecuteAsync($"drop table {table}");
        return new ManyKeysResult(before, [.. nodes.Ids.Select((_, i) => usage.PeakBytes(i))], after);
    }

    /// <summary>So many changes, going round so many rows.</summary>
    static Task ChangeAsync(Stage stage, int changes, int keys) => stage.ExecuteAsync($"""
        do $$ begin for i in 0..{changes / perTransaction - 1} loop
          update {table} set number = number + 1 where id between 1+(i*{perTransaction})%{keys} and {perTransaction}+(i*{perTransaction})%{keys};
          commit; end loop; end $$
        """);

    static async Task<IReadOnlyList<NodeMemory>> LookAsync(ClusterNodes nodes, CancellationToken cancellationToken)
    {
        await Task.Delay(idle, cancellationToken);
        foreach (int id in nodes.Ids) await RuntimePort.CollectAsync(id, cancellationToken);
        long[] heaps = await nodes.HeapsAsync(cancellationToken);
        return [.. nodes.Ids.Select((id, i) => new NodeMemory(i + 1, heaps[i], ProcessUsage.ResidentBytes(id)))];
    }
}
