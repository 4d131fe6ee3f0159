using Sync.Load.Cluster;
using Sync.Load.Contestants;
using Sync.Load.Latency;
using Sync.Load.Measuring;
using Sync.Load.Snapshots;
using Sync.Load.Soak;

namespace Sync.Load.Reports;

/// <summary>All figures of one run.</summary>
sealed class LoadReport(Machine machine, int repeat)
{
    public Machine Machine => machine;
    public int Repeat => repeat;
    public List<DrainResult> Drains { get; } = [];
    public List<LatencyResult> Latencies { get; } = [];
    public List<SnapshotResult> Snapshots { get; } = [];

    public List<ClusterResult> Clusters { get; } = [];

    public List<HotWaitResult> HotWaits { get; } = [];

    /// <summary>Null when it was not measured.</summary>
    public ManyKeysResult? ManyKeys { get; set; }

    /// <summary>Null when there was none.</summary>
    public SoakResult? Soak { get; set; }

    /// <summary>Load average at the end; a run on an idle machine of two cores ends below 4 or so.</summary>
    public double LoadAfter { get; set; }

    /// <summary>One result per workload and contestant, in which each figure is the median over its drains.</summary>
    public IReadOnlyList<DrainResult> Medians =>
        [.. Drains.GroupBy(d => (d.Workload, d.Contestant)).OrderBy(g => Drains.FindIndex(d => (d.Workload, d.Contestant) == g.Key)).Select(g => MedianOf([.. g]))];

    /// <summary>The same for the snapshots.</summary>
    public IReadOnlyList<SnapshotResult> SnapshotMedians => [.. Snapshots.GroupBy(s => s.Contestant).Select(g => MedianOf([.. g]))];

    /// <summary>The same for the drains of nodes.</summary>
    public IReadOnlyList<ClusterResult> ClusterMedians => [.. Clusters.GroupBy(c => c.Name).OrderBy(g => g.First().Nodes).Select(g => MedianOf([.. g]))];

    /// <summary>What others wait beside keys that are alike, then beside a hot one.</summary>
    public IReadOnlyList<LatencyResult> HotWaitMedians => [.. HotWaits.GroupBy(w => w.IsHot).OrderBy(g => g.Key).Select(g => MedianOf([.. g.Select(w => w.Others)]))];

    static LatencyResult MedianOf(LatencyResult[] runs) => runs[0] with
    {
        RowsPerSecond = Median(runs, r => r.RowsPerSecond),
        P50Ms = Median(runs, r => r.P50Ms),
        P90Ms = Median(runs, r => r.P90Ms),
        P99Ms = Median(runs, r => r.P99Ms),
        P999Ms = Median(runs, r => r.P999Ms),
        MaxMs = Median(runs, r => r.MaxMs),
        CommitMs = Median(runs, r => r.CommitMs),
    };

    static ClusterResult MedianOf(ClusterResult[] drains) => drains[0] with
    {
        Seconds = Median(drains, d => d.Seconds),
        WarmRows = (long)Median(drains, d => d.WarmRows),
        WarmSeconds = Median(drains, d => d.WarmRows) / Median(drains, d => d.WarmRowsPerSecond),
        WalsenderCpuSeconds = Median(drains, d => d.WalsenderCpuSeconds),
        RedisCpuSeconds = Median(drains, d => d.RedisCpuSeconds),
        NodeCpuSeconds = Median(drains, d => d.NodeCpuSeconds),
        WarmNodeCpuSeconds = Median(drains, d => d.WarmNodePerMillion) * Median(drains, d => d.WarmRows) / 1e6,
        PeakBytes = [.. drains[0].PeakBytes.Select((_, node) => (long)Median(drains, d => d.PeakBytes[node]))],
        Difference = drains.Select(d => d.Difference).FirstOrDefault(d => d is not null),
    };

    static SnapshotResult MedianOf(SnapshotResult[] copies) => copies[0] with
    {
        Seconds = Median(copies, c => c.Seconds),
        PostgresCpuSeconds = Median(copies, c => c.PostgresCpuSeconds),
        RedisCpuSeconds = Median(copies, c => c.RedisCpuSeconds),
        ClientCpuSeconds = Median(copies, c => c.ClientCpuSeconds),
        Difference = copies.Select(c => c.Difference).FirstOrDefault(d => d is not null),
    };

    static DrainResult MedianOf(DrainResult[] drains) => drains[0] with
    {
        Seconds = Median(drains, d => d.Seconds),
        WalsenderCpuSeconds = Median(drains, d => d.WalsenderCpuSeconds),
        RedisCpuSeconds = Median(drains, d => d.RedisCpuSeconds),
        ClientCpuSeconds = Median(drains, d => d.ClientCpuSeconds),
        ClientStartupCpuSeconds = Median(drains, d => d.ClientStartupCpuSeconds),
        PeakMemoryBytes = (long)Median(drains, d => d.PeakMemoryBytes),
        Node = drains[0].Node is null ? null : new NodeFigures(
            drains[0].Rows, (long)Median(drains, d => d.Node!.BytesAllocated), Median(drains, d => d.Node!.WarmBytesAllocated),
            (int)Median(drains, d => d.Node!.Gen0), (int)Median(drains, d => d.Node!.Gen1), (int)Median(drains, d => d.Node!.Gen2),
            Median(drains, d => d.Node!.WarmCpuPerMillion)),
        Difference = drains.Select(d => d.Difference).FirstOrDefault(d => d is not null),
    };

    static double Median<T>(T[] results, Func<T, double> figure)
    {
        double[] sorted = [.. results.Select(figure).Order()];
        int middle = sorted.Length / 2;
        return sorted.Length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
    }
}
