using System.Text;
using Sync.Load.Measuring;

namespace Sync.Load.Reports;

/// <summary>Drains as text: a line as each ends, and a Markdown table of the medians.</summary>
static class DrainTable
{
    public static string Line(DrainResult d) =>
        $"  {d.Contestant,-16} {d.RowsPerSecond,9:N0} rows/s   CPU s per million rows: walsender {d.PerMillion(d.WalsenderCpuSeconds):F2}, Redis "
        + $"{d.PerMillion(d.RedisCpuSeconds):F2}, client {d.PerMillion(d.ClientCpuSeconds):F2}   peak RSS {d.PeakMemoryBytes / 1e6:F0} MB"
        + (d.Difference is { } difference ? $"   WRONG: {difference}" : "   content verified");

    /// <param name="results">One per contestant; the first is what the others are compared with.</param>
    public static string Of(IReadOnlyList<DrainResult> results)
    {
        var text = new StringBuilder();
        text.AppendLine("| contestant | rows/s | of the floor | walsender | Redis | client | its second half | client / (walsender + Redis) | start-up CPU s | peak RSS MB | bytes/row | GC 0/1/2 |");
        text.AppendLine("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|");
        foreach (var d in results)
        {
            string allocated = d.Node is null ? "" : $"{d.BytesAllocatedPerRow:F1}";
            string warm = d.Node is null ? "" : $"{d.Node.WarmCpuPerMillion:F2}";
            string collections = d.Node is null ? "" : $"{d.Node.Gen0}/{d.Node.Gen1}/{d.Node.Gen2}";
            text.AppendLine(
                $"| {d.Contestant} | {d.RowsPerSecond:N0} | {d.RowsPerSecond / results[0].RowsPerSecond:F2} | {d.PerMillion(d.WalsenderCpuSeconds):F2} "
                + $"| {d.PerMillion(d.RedisCpuSeconds):F2} | {d.PerMillion(d.ClientCpuSeconds):F2} | {warm} "
                + $"| {d.ClientCpuSeconds / (d.WalsenderCpuSeconds + d.RedisCpuSeconds):F2} | {d.ClientStartupCpuSeconds:F2} "
                + $"| {d.PeakMemoryBytes / 1e6:F0} | {allocated} | {collections} |");
        }
        return text.ToString();
    }
}
