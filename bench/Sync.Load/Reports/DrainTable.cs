using System.Text;
using Sync.Load.Measuring;

namespace Sync.Load.Reports;

/// <summary>Drains as text: a line as each ends, and a Markdown table of the medians.</summary>
static class DrainTable
{
    public static string Line(DrainResult d) =>
        $"  {d.Contestant,-16} {d.RowsPerSecond,9:N0} rows/s   CPU s per million rows: walsender {d.PerMillion(d.WalsenderCpuSeconds):F2}, Redis "
        + $"{d.PerMillion(d.RedisCpuSeconds):F2}, client {d.PerMillion(d.ClientCpuSeconds):F2}   peak RSS {d.PeakMemoryBytes / 1e6:F0} MB"
        + (d.Difference is { } difference ? $"   WRONG: {difference}" : "");

    /// <param name="results">One per contestant of a workload; "of the floor" stays empty where the floor is not among them.</param>
    public static string Of(IReadOnlyList<DrainResult> results)
    {
        var floor = results.FirstOrDefault(r => r.Contestant == "floor");
        var text = new StringBuilder();
        text.AppendLine("| contestant | rows/s | of the floor | walsender | Redis | client | its second half | client / (walsender + Redis) | start-up CPU s | peak RSS MB | bytes/row | its second half | GC 0/1/2 |");
        text.AppendLine("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|");
        foreach (var d in results)
        {
            string share = floor is null ? "" : $"{d.RowsPerSecond / floor.RowsPerSecond:F2}";
            string warm = d.Node is null ? "" : $"{d.Node.WarmCpuPerMillion:F2}";
            string allocated = d.Node is null ? " | | " : $"{d.BytesAllocatedPerRow:F1} | {d.Node.WarmBytesAllocated:F1} | {d.Node.Gen0}/{d.Node.Gen1}/{d.Node.Gen2}";
            text.AppendLine(
                $"| {d.Contestant} | {d.RowsPerSecond:N0} | {share} | {d.PerMillion(d.WalsenderCpuSeconds):F2} "
                + $"| {d.PerMillion(d.RedisCpuSeconds):F2} | {d.PerMillion(d.ClientCpuSeconds):F2} | {warm} "
                + $"| {d.ClientCpuSeconds / (d.WalsenderCpuSeconds + d.RedisCpuSeconds):F2} | {d.ClientStartupCpuSeconds:F2} "
                + $"| {d.PeakMemoryBytes / 1e6:F0} | {allocated} |");
        }
        return text.ToString();
    }
}
