using Sync.Load.Contestants;

namespace Sync.Load.Measuring;

/// <summary>One drain of a backlog. All CPU times are of the time from the walsender's start to Redis' last answer.</summary>
sealed record DrainResult
{
    public required string Workload { get; init; }
    public required string Contestant { get; init; }
    public required long Rows { get; init; }
    public required double Seconds { get; init; }
    public required double WalsenderCpuSeconds { get; init; }
    public required double RedisCpuSeconds { get; init; }
    public required double ClientCpuSeconds { get; init; }

    /// <summary>CPU the contestant had used before: starting, compiling, connecting.</summary>
    public required double ClientStartupCpuSeconds { get; init; }

    /// <summary>The contestant's VmHWM.</summary>
    public required long PeakMemoryBytes { get; init; }

    /// <summary>Figures that only our node gives.</summary>
    public NodeFigures? Node { get; init; }

    /// <summary>What was wrong in Redis afterwards; null for nothing.</summary>
    public string? Difference { get; init; }

    public double RowsPerSecond => Rows / Seconds;
    public double BytesAllocatedPerRow => Node is null ? double.NaN : (double)Node.BytesAllocated / Rows;

    /// <summary>CPU seconds for a million rows.</summary>
    public double PerMillion(double cpuSeconds) => cpuSeconds / Rows * 1e6;
}
