namespace Sync.Load.Latency;

/// <summary>From sending COMMIT to PostgreSQL to a client of Redis having heard of all rows of the transaction, in milliseconds.</summary>
sealed record LatencyResult
{
    public required LatencyScenario Scenario { get; init; }
    public required int Transactions { get; init; }

    /// <summary>Row changes a second that were really made.</summary>
    public required double RowsPerSecond { get; init; }
    public required double P50Ms { get; init; }
    public required double P90Ms { get; init; }
    public required double P99Ms { get; init; }
    public required double P999Ms { get; init; }
    public required double MaxMs { get; init; }

    /// <summary>Median time of the COMMIT alone, which is part of all of them.</summary>
    public required double CommitMs { get; init; }

    /// <summary>The nearest-rank percentile of sorted values.</summary>
    public static double Percentile(double[] sorted, double percent) =>
        sorted.Length == 0 ? double.NaN : sorted[Math.Max(0, (int)Math.Ceiling(percent / 100 * sorted.Length) - 1)];
}
