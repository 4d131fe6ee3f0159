using System.Globalization;
using System.Text;
using Sync.Load.Cluster;

namespace Sync.Load.Reports;

/// <summary>Drains by several nodes as text: a line as each ends, and a Markdown table of the medians.</summary>
static class ClusterTable
{
    const string delayed = "5 ms, ", hot = "keys ";

    public static string Name(int nodes) => nodes == 0 ? "single host" : $"{nodes} node{(nodes == 1 ? "" : "s")}";

    public static string DelayedName(int nodes) => delayed + Name(nodes);

    public static bool IsDelayed(string name) => name.StartsWith(delayed, StringComparison.Ordinal);

    public static string HotName(bool isHot) => hot + (isHot ? "with a hot one" : "alike");

    public static bool IsHot(string name) => name.StartsWith(hot, StringComparison.Ordinal);

    public static string LanesName(int lanes) => string.Create(CultureInfo.InvariantCulture, $"{lanes} lane{(lanes == 1 ? "" : "s")}");

    public static string Line(ClusterResult r) =>
        $"  {r.Name,-16} {r.RowsPerSecond,9:N0} rows/s, warm {r.WarmRowsPerSecond,9:N0}   CPU s per million rows: walsender {r.PerMillion(r.WalsenderCpuSeconds):F2}, Redis "
        + $"{r.PerMillion(r.RedisCpuSeconds):F2}, nodes {r.PerMillion(r.NodeCpuSeconds):F2}, warm {r.WarmNodePerMillion:F2}   peak RSS {Peaks(r)} MB"
        + (r.Difference is { } difference ? $"   WRONG: {difference}" : "");

    /// <param name="results">One for each number of nodes; rates are compared with the first.</param>
    public static string Of(IReadOnlyList<ClusterResult> results)
    {
        var text = new StringBuilder();
        text.AppendLine("| nodes | rows/s | of the first | warm rows/s | of the first | walsender | Redis | nodes | warm | peak RSS MB |");
        text.AppendLine("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|");
        foreach (var r in results)
            text.AppendLine(
                $"| {r.Name} | {r.RowsPerSecond:N0} | {r.RowsPerSecond / results[0].RowsPerSecond:F2} | {r.WarmRowsPerSecond:N0} | {r.WarmRowsPerSecond / results[0].WarmRowsPerSecond:F2} "
                + $"| {r.PerMillion(r.WalsenderCpuSeconds):F2} | {r.PerMillion(r.RedisCpuSeconds):F2} | {r.PerMillion(r.NodeCpuSeconds):F2} | {r.WarmNodePerMillion:F2} | {Peaks(r)} |");
        return text.ToString();
    }

    public static string Of(ManyKeysResult result)
    {
        var text = new StringBuilder();
        text.AppendLine("| node | heap before MB | heap after MB | resident before MB | peak RSS MB | resident after MB |");
        text.AppendLine("|---:|---:|---:|---:|---:|---:|");
        foreach (var (before, peak, after) in result.Before.Zip(result.Under, result.After))
            text.AppendLine(
                $"| {before.Node} | {before.HeapBytes / 1e6:F1} | {after.HeapBytes / 1e6:F1} | {before.ResidentBytes / 1e6:F0} | {peak / 1e6:F0} | {after.ResidentBytes / 1e6:F0} |");
        return text.ToString();
    }

    public const string WaitHead = """
        | changes beside them | rows/s made | p50 ms | p90 ms | p99 ms | p99.9 ms | max ms |
        |---|---:|---:|---:|---:|---:|---:|
        """;

    public static string Wait(HotWaitResult result)
    {
        var r = result.Others;
        return $"| {HotName(result.IsHot)} | {r.RowsPerSecond:N0} | {r.P50Ms:F2} | {r.P90Ms:F2} | {r.P99Ms:F2} | {r.P999Ms:F2} | {r.MaxMs:F1} |";
    }

    static string Peaks(ClusterResult r) => string.Join(", ", r.PeakBytes.Select(bytes => $"{bytes / 1e6:F0}"));
}
