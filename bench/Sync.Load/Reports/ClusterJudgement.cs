namespace Sync.Load.Reports;

/// <summary>What has to hold of nodes that share a slot.</summary>
static class ClusterJudgement
{
    /// <summary>As many row changes are enough with a line that limits: three nodes have compiled their code in the first 30 %, which don't count.</summary>
    public const int DelayRows = 660_000;

    /// <summary>Row changes drained without and with a hot key.</summary>
    public const int HotRows = 2_000_000;

    /// <summary>Nodes that drain them.</summary>
    public const int HotNodes = 2;

    /// <summary>Keys that are changed once each to see what idle ones hold.</summary>
    public const int ManyKeys = 1_000_000;

    const double hotShare = 0.5, noise = 0.1, mostHeapGrowth = 1.1, mostResidentGrowth = 1.15;

    /// <summary>What a node may have allocated between the collection and the look.</summary>
    const double freshBytes = 8e6;

    const long longRows = 1_000_000;
    const double leastOfSingle = 0.6, mostCpuMore = 5;

    /// <summary>Times what one node flushes where the line limits.</summary>
    static readonly IReadOnlyDictionary<int, double> leastOfOne = new Dictionary<int, double> { [2] = 1.8, [3] = 2.6 };

    /// <summary>A sentence for each demand that was not met.</summary>
    public static IEnumerable<string> Of(LoadReport report)
    {
        foreach (var r in report.Clusters.Where(r => r.Difference is not null)) yield return $"cluster, {r.Name}: {r.Difference}";
        var medians = report.ClusterMedians.ToDictionary(r => r.Name);
        foreach (var (nodes, least) in leastOfOne)
            if (medians.GetValueOrDefault(ClusterTable.DelayedName(1)) is { } one && medians.GetValueOrDefault(ClusterTable.DelayedName(nodes)) is { } more && more.WarmRowsPerSecond < least * one.WarmRowsPerSecond)
                yield return $"cluster: with 5 ms to Redis {nodes} nodes flush {more.WarmRowsPerSecond / one.WarmRowsPerSecond:F2} times what 1 does, at least {least} times is demanded";
        if (medians.GetValueOrDefault(ClusterTable.HotName(false)) is { } even && medians.GetValueOrDefault(ClusterTable.HotName(true)) is { } hot)
        {
            // The others have half of the rows then, so their share of the rate without a hot key is half as well.
            double others = (1 - hotShare) * hot.WarmRowsPerSecond / even.WarmRowsPerSecond;
            if (others < (1 - hotShare) * (1 - noise))
                yield return $"cluster: beside a key with {hotShare:P0} of the changes the others have {others:F2} of their rate, {1 - hotShare} would be their share";
        }
        if (report.HotWaitMedians is [var alike, var beside])
            foreach (var (name, without, with) in ((string, double, double)[])[("half", alike.P50Ms, beside.P50Ms), ("99 %", alike.P99Ms, beside.P99Ms)])
                // With half of the service left a change waits twice as long.
                if (with > without / (1 - hotShare))
                    yield return $"cluster: beside a key with {hotShare:P0} of the changes {name} of the others wait up to {with:F2} ms, {without:F2} without it";
        if (report.ManyKeys is { } keys)
            foreach (var (before, after) in keys.Before.Zip(keys.After))
                if (after.HeapBytes > mostHeapGrowth * before.HeapBytes + freshBytes || after.ResidentBytes > mostResidentGrowth * before.ResidentBytes)
                    yield return $"cluster: node {after.Node} holds {after.HeapBytes / 1e6:F1} MB behind a million keys and {before.HeapBytes / 1e6:F1} before them, resident {after.ResidentBytes / 1e6:F0} and {before.ResidentBytes / 1e6:F0}";
        if (medians.GetValueOrDefault(ClusterTable.Name(0)) is not { Rows: >= longRows } single || medians.GetValueOrDefault(ClusterTable.Name(1)) is not { } alone) yield break;
        if (alone.RowsPerSecond < leastOfSingle * single.RowsPerSecond)
            yield return $"cluster: one node drains at {alone.RowsPerSecond / single.RowsPerSecond:F2} of the single host's rate, at least {leastOfSingle} is demanded";
        double cpuMore = alone.PerMillion(alone.NodeCpuSeconds) - single.PerMillion(single.NodeCpuSeconds);
        if (cpuMore > mostCpuMore)
            yield return $"cluster: one node needs {cpuMore:F1} CPU seconds per million rows more than the single host, at most {mostCpuMore} are allowed";
    }
}
