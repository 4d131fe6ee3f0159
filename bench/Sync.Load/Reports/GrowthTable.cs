using Sync.Load.Growth;
using Sync.Load.Measuring;

namespace Sync.Load.Reports;

/// <summary>A series as a Markdown table, row by row as the points come.</summary>
static class GrowthTable
{
    public static string Head(GrowthSeries series) => $"""
        | {series.Axis} | row changes | rows/s | walsender | Redis | client | peak RSS MB | bytes/row |
        |---:|---:|---:|---:|---:|---:|---:|---:|
        """;

    public static string Row(GrowthPoint point, DrainResult d) =>
        $"| {point.X:N0} | {d.Rows:N0} | {d.RowsPerSecond:N0} | {d.PerMillion(d.WalsenderCpuSeconds):F2} | {d.PerMillion(d.RedisCpuSeconds):F2} "
        + $"| {d.PerMillion(d.ClientCpuSeconds):F2} | {d.PeakMemoryBytes / 1e6:F0} | {d.Node!.WarmBytesAllocated:F1} |{(d.Difference is { } difference ? $" WRONG: {difference}" : "")}";
}
