using System.Diagnostics;
using Sync.Load.Measuring;
using Sync.Load.Workloads;

namespace Sync.Load.Cluster;

/// <param name="Name">As it stands in the table.</param>
/// <param name="Nodes">How many nodes; 0 for a single host.</param>
/// <param name="Settings">Environment variables of each.</param>
sealed record ClusterSetup(string Name, int Nodes, IReadOnlyDictionary<string, string> Settings);

/// <summary>One drain by some nodes. Times of CPU are those of all of them together.</summary>
sealed record ClusterResult
{
    public required string Name { get; init; }
    public required int Nodes { get; init; }
    public required long Rows { get; init; }

    /// <summary>From the walsender's start to the last row in Redis.</summary>
    public required double Seconds { get; init; }

    /// <summary>Rows of <see cref="Rows"/> that were left when all lanes had been taken and had worked for a while.</summary>
    public required long WarmRows { get; init; }

    /// <summary>How long these took.</summary>
    public required double WarmSeconds { get; init; }
    public required double WalsenderCpuSeconds { get; init; }
    public required double RedisCpuSeconds { get; init; }
    public required double NodeCpuSeconds { get; init; }

    /// <summary>Of the nodes while <see cref="WarmRows"/> were drained.</summary>
    public required double WarmNodeCpuSeconds { get; init; }

    /// <summary>VmHWM of each node.</summary>
    public required IReadOnlyList<long> PeakBytes { get; init; }

    /// <summary>What was wrong in Redis afterwards; null for nothing.</summary>
    public string? Difference { get; init; }

    public double RowsPerSecond => Rows / Seconds;
    public double WarmRowsPerSecond => WarmRows / WarmSeconds;
    public double PerMillion(double cpuSeconds) => cpuSeconds / Rows * 1e6;
    public double WarmNodePerMillion => WarmNodeCpuSeconds / WarmRows * 1e6;
}

/// <summary>Lets nodes drain a backlog into an empty Redis, in the same way whether there is one that works alone or several.</summary>
static class ClusterDrain
{
    static readonly TimeSpan poll = TimeSpan.FromMilliseconds(50);

    /// <summary>Part of the rows after which the rest is counted as warm.</summary>
    const double coldPart = 0.3;

    public static async Task<ClusterResult> MeasureAsync(Stage stage, Backlog backlog, ClusterSetup setup)
    {
        await stage.RedisClient.CommandAsync("FLUSHALL", "SYNC");
        var workload = backlog.Workload;
        string slot = await backlog.NewSlotAsync("pgoutput");
        using var patience = new CancellationTokenSource(DrainRun.Longest);
        await using var control = await stage.Postgres.OpenAsync();
        var (started, lease) = await ClusterNodes.StartAsync(stage, new ClusterSource(workload.Publication, slot, workload.Tables), setup.Nodes, setup.Settings, patience.Token);
        await using var nodes = started;
        await lease.DisposeAsync();

        int walsender = await DrainRun.WalsenderAsync(control, slot, () => { }, patience.Token);
        var clock = Stopwatch.StartNew();
        using var usage = new UsageSampler([walsender, stage.RedisPid, .. nodes.Ids]);
        (long Rows, double Seconds, double Cpu)? warm = null;
        for (long applied; (applied = await nodes.AppliedAsync(patience.Token)) < workload.ChangeSets; await Task.Delay(poll, patience.Token))
            if (warm is null && applied >= coldPart * workload.ChangeSets) warm = (applied, clock.Elapsed.TotalSeconds, NodeCpu());
        double seconds = clock.Elapsed.TotalSeconds;
        usage.Stop();
        warm ??= (0, 0, 0);
        await nodes.StopAsync(patience.Token);

        string? difference = await backlog.DifferenceAsync(ContentCheck.Values);
        await stage.ExecuteAsync($"select pg_drop_replication_slot('{slot}')");
        return new ClusterResult
        {
            Name = setup.Name,
            Nodes = setup.Nodes,
            Rows = workload.ChangeSets,
            Seconds = seconds,
            WarmRows = workload.ChangeSets - warm.Value.Rows,
            WarmSeconds = seconds - warm.Value.Seconds,
            WalsenderCpuSeconds = usage.CpuSeconds(0),
            RedisCpuSeconds = usage.CpuSeconds(1),
            NodeCpuSeconds = NodeCpu(),
            WarmNodeCpuSeconds = NodeCpu() - warm.Value.Cpu,
            PeakBytes = [.. nodes.Ids.Select((_, i) => usage.PeakBytes(2 + i))],
            Difference = difference,
        };

        double NodeCpu() => nodes.Ids.Select((_, i) => usage.CpuSeconds(2 + i)).Sum();
    }
}
