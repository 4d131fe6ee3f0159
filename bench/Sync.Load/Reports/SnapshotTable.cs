using System.Text;
using Sync.Load.Snapshots;

namespace Sync.Load.Reports;

/// <summary>Copies as text: a line as each ends, and a Markdown table of the medians.</summary>
static class SnapshotTable
{
    public static string Line(SnapshotResult r) =>
        $"  {r.Contestant,-24} {r.RowsPerSecond,9:N0} rows/s{(r.Difference is { } difference ? $"   WRONG: {difference}" : "")}";

    public static string Of(IReadOnlyList<SnapshotResult> results)
    {
        var text = new StringBuilder();
        text.AppendLine("| contestant | rows/s | PostgreSQL | Redis | client |");
        text.AppendLine("|---|---:|---:|---:|---:|");
        foreach (var r in results)
            text.AppendLine($"| {r.Contestant} | {r.RowsPerSecond:N0} | {r.PerMillion(r.PostgresCpuSeconds):F2} | {r.PerMillion(r.RedisCpuSeconds):F2} | {r.PerMillion(r.ClientCpuSeconds):F2} |");
        return text.ToString();
    }
}
