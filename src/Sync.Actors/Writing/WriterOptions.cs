using Sync.Contracts.Configuration;

namespace Sync.Actors.Writing;

/// <summary>How the writers of a node work.</summary>
public sealed record WriterOptions
{
    /// <summary>Writers, each with a connection of its own, 1 or more. Default 4.</summary>
    public int Writers { get; init; } = 4;

    /// <summary>Rows after which no further flight joins a transaction, 1 or more. Default 4096.</summary>
    public int Rows { get; init; } = 4096;

    /// <summary>Bytes after which no further flight joins a transaction, 1 or more. Default 1 MiB.</summary>
    public long Bytes { get; init; } = 1024 * 1024;

    /// <summary>How long a writer that crashed stays away, growing with each crash.</summary>
    public RetryOptions Restart { get; init; } = new();

    /// <summary>How often it is looked whether Redis refuses, above 0. Default 250 ms.</summary>
    public TimeSpan CircuitLook { get; init; } = TimeSpan.FromMilliseconds(250);
}
