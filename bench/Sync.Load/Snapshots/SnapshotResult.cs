namespace Sync.Load.Snapshots;

/// <summary>One copy of a table into an empty Redis.</summary>
sealed record SnapshotResult
{
    public required string Contestant { get; init; }
    public required long Rows { get; init; }
    public required double Seconds { get; init; }

    /// <summary>All sessions of PostgreSQL from the start of the contestant to its end.</summary>
    public required double PostgresCpuSeconds { get; init; }

    /// <summary>From the start of the contestant to its end.</summary>
    public required double RedisCpuSeconds { get; init; }

    /// <summary>The contestant's own, in the time of the copy.</summary>
    public required double ClientCpuSeconds { get; init; }

    /// <summary>What was wrong in Redis afterwards; null for nothing.</summary>
    public string? Difference { get; init; }

    public double RowsPerSecond => Rows / Seconds;

    /// <summary>CPU seconds for a million rows.</summary>
    public double PerMillion(double cpuSeconds) => cpuSeconds / Rows * 1e6;
}
