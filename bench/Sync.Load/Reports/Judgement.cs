using Sync.Load.Measuring;
using Sync.Load.Workloads;

namespace Sync.Load.Reports;

/// <summary>What has to hold, checked against one run. Shares and costs are only judged where a drain is long enough for them to mean something.</summary>
static class Judgement
{
    const long longRows = 2_000_000;
    const double mostMemoryMb = 150, mostBytesPerRow = 16;
    const double leastOfFloor = 0.8, leastOfNodeJs = 4, leastOfPython = 6, mostOfServers = 0.25;
    const double slowestP50Ms = 0.7, slowestP99Ms = 3;
    const double mostGrowth = 1.05;
    const int mostJudgedRate = 2000;
    const double leastOfFourWorkers = 3.2;

    /// <summary>What the line to Redis adds where workers are compared.</summary>
    public static readonly TimeSpan Delay = TimeSpan.FromMilliseconds(5);

    /// <summary>As many row changes are enough there; more would only take longer.</summary>
    public const int DelayRows = 440_000;

    const string DelayPrefix = "5 ms, ";

    /// <param name="workers">How many.</param>
    /// <param name="isSmall">Whether flights are kept small, so that the line is what limits and not the cores that all programs share. This is what is judged.</param>
    public static string DelayName(int workers, bool isSmall) => $"{DelayPrefix}{workers} worker{(workers == 1 ? "" : "s")}{(isSmall ? ", small flights" : "")}";

    /// <summary>A sentence for each demand that was not met.</summary>
    public static List<string> Of(LoadReport report)
    {
        var broken = new List<string>();
        foreach (var drain in report.Drains)
        {
            if (drain.Difference is { } difference) broken.Add($"{drain.Workload}, {drain.Contestant}: {difference}");
            Demand(drain.Node is null || drain.PeakMemoryBytes / 1e6 < mostMemoryMb,
                $"{drain.Workload}, {drain.Contestant}: peak RSS of {drain.PeakMemoryBytes / 1e6:F0} MB, below {mostMemoryMb} MB is demanded");
        }
        foreach (var copy in report.Snapshots.Where(s => s.Difference is not null)) broken.Add($"snapshot, {copy.Contestant}: {copy.Difference}");
        foreach (var one in report.Medians.Where(m => m.Contestant == DelayName(1, isSmall: true)))
            if (report.Medians.FirstOrDefault(m => m.Contestant == DelayName(4, isSmall: true) && m.Workload == one.Workload) is { } four)
                Demand(four.RowsPerSecond >= leastOfFourWorkers * one.RowsPerSecond,
                    $"{one.Workload}: with 5 ms to Redis 4 workers flush {four.RowsPerSecond / one.RowsPerSecond:F1} times what 1 does, at least {leastOfFourWorkers} times is demanded");
        foreach (var node in report.Medians.Where(m => m is { Node: not null, Rows: >= longRows } && !m.Contestant.StartsWith(DelayPrefix, StringComparison.Ordinal) && Workload.Names.Contains(m.Workload))) Judge(node, [.. report.Medians.Where(m => m.Workload == node.Workload)]);
        foreach (var latency in report.Latencies.Where(l => l.Scenario is { BusyCore: false, RowsPerSecond: <= mostJudgedRate }))
            Demand(latency is { P50Ms: < slowestP50Ms, P99Ms: < slowestP99Ms },
                $"latency at {latency.Scenario.RowsPerSecond:N0} rows/s, {latency.Scenario.Tables} tables: p50 {latency.P50Ms:F2} ms and p99 {latency.P99Ms:F2} ms, "
                + $"below {slowestP50Ms} and {slowestP99Ms} are demanded");
        if (report.Soak is { } soak)
        {
            Demand(soak.Difference is null, $"soak: {soak.Difference}");
            Demand(soak.Minutes[^1].PeakBytes / 1e6 < mostMemoryMb, $"soak: peak RSS of {soak.Minutes[^1].PeakBytes / 1e6:F0} MB, below {mostMemoryMb} MB is demanded");
            Demand(soak.Growth < mostGrowth, $"soak: memory in the last quarter is {soak.Growth:F2} times that of the second, below {mostGrowth} is demanded");
            Demand(soak.Node.WarmBytesAllocated <= mostBytesPerRow, $"soak: {soak.Node.WarmBytesAllocated:F1} bytes allocated per row, at most {mostBytesPerRow} are allowed");
        }
        return broken;

        void Demand(bool held, string sentence)
        {
            if (!held) broken.Add(sentence);
        }

        void Judge(DrainResult node, DrainResult[] field)
        {
            string who = $"{node.Workload}, {node.Contestant}";
            Demand(node.Node!.WarmBytesAllocated <= mostBytesPerRow, $"{who}: {node.Node.WarmBytesAllocated:F1} bytes allocated per row, at most {mostBytesPerRow} are allowed");
            double ours = node.ClientCpuSeconds, theirs = node.WalsenderCpuSeconds + node.RedisCpuSeconds;
            if (node.Workload != "users")
            {
                Demand(ours < node.WalsenderCpuSeconds, $"{who}: {node.PerMillion(ours):F2} CPU seconds per million rows, the walsender's {node.PerMillion(node.WalsenderCpuSeconds):F2}");
                return;
            }
            Demand(ours <= mostOfServers * theirs, $"{who}: CPU is {ours / theirs:F2} of walsender and Redis, at most {mostOfServers} is allowed");
            foreach (var (name, least) in new[] { ("floor", leastOfFloor), ("Node.js", leastOfNodeJs), ("Python", leastOfPython) })
                if (Array.Find(field, m => m.Contestant == name) is { } other)
                    Demand(node.RowsPerSecond >= least * other.RowsPerSecond, $"{who}: {node.RowsPerSecond / other.RowsPerSecond:F2} times the rate of {name}, at least {least} is demanded");
        }
    }
}
