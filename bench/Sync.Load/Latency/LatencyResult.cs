namespace Sync.Load.Latency;

/// <summary>From sending COMMIT to PostgreSQL to the first look at Redis that shows the new value, in milliseconds.</summary>
sealed record LatencyResult
{
    public required int TransactionsPerSecond { get; init; }
    public required int Transactions { get; init; }
    public required double P50Ms { get; init; }
    public required double P90Ms { get; init; }
    public required double P99Ms { get; init; }
    public required double P999Ms { get; init; }
    public required double MaxMs { get; init; }

    /// <summary>Mean time between two looks, which is how fine this measures.</summary>
    public required double ResolutionMs { get; init; }

    /// <summary>Median time of the COMMIT alone, which is part of all of them.</summary>
    public required double CommitMs { get; init; }

    public string ToLine() =>
        $"Latency, commit to visible at {TransactionsPerSecond} transactions/s ({Transactions:N0} of them): p50 {P50Ms:F2} ms, p90 {P90Ms:F2} ms, p99 {P99Ms:F2} ms, "
        + $"p99.9 {P999Ms:F2} ms, max {MaxMs:F2} ms (the COMMIT itself {CommitMs:F2} ms, looked every {ResolutionMs:F2} ms)";

    /// <summary>The nearest-rank percentile of sorted values.</summary>
    public static double Percentile(double[] sorted, double percent) =>
        sorted.Length == 0 ? double.NaN : sorted[Math.Max(0, (int)Math.Ceiling(percent / 100 * sorted.Length) - 1)];
}
