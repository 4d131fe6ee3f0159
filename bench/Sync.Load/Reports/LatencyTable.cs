using Sync.Load.Latency;

namespace Sync.Load.Reports;

/// <summary>Latencies as a Markdown table, row by row as they come.</summary>
static class LatencyTable
{
    public const string Head = """
        | rows/s | tables | rows a transaction | other work | rows/s made | p50 ms | p90 ms | p99 ms | p99.9 ms | max ms | COMMIT ms |
        |---:|---:|---:|---|---:|---:|---:|---:|---:|---:|---:|
        """;

    public static string Row(LatencyResult r) =>
        $"| {r.Scenario.RowsPerSecond:N0} | {r.Scenario.Tables} | {r.Scenario.RowsPerTransaction} | {(r.Scenario.BusyCore ? "one busy core" : "none")} | {r.RowsPerSecond:N0} "
        + $"| {r.P50Ms:F2} | {r.P90Ms:F2} | {r.P99Ms:F2} | {r.P999Ms:F2} | {r.MaxMs:F1} | {r.CommitMs:F2} |";
}
