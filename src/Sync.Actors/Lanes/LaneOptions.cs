using Sync.Contracts.Configuration;
using Sync.Engine.Lanes;

namespace Sync.Actors.Lanes;

/// <summary>How lanes work.</summary>
public sealed record LaneOptions
{
    /// <summary>How many lanes there are in the cluster, 1 to 4096, the same on every node. Default 256.</summary>
    public int Lanes { get; init; } = 256;

    /// <summary>When a flight is full. Default 2000 rows or 512 KiB.</summary>
    public LaneFlightLimits Flight { get; init; } = new(2000, 512 * 1024);

    /// <summary>Bytes that the reader may have unacknowledged in a lane, 0 or more. Default 1 MiB.</summary>
    public long Credit { get; init; } = 1024 * 1024;

    /// <summary>A lane tells of the same gap or duplicate once within this time, 0 or more. Default 100 ms.</summary>
    public TimeSpan AnswerPause { get; init; } = TimeSpan.FromMilliseconds(100);

    /// <summary>How long a lane that moves elsewhere waits for its flights, above 0 and below Akka's <c>handoff-timeout</c>. Default 10 s.</summary>
    public TimeSpan Drain { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Rows of one key that wait at once from which the key gets an actor of its own, 1 or more. Default 16 (ADR 14).</summary>
    public int KeyActorFrom { get; init; } = 16;

    /// <summary>How long a key's actor may have nothing to do before it is stopped, above 0. Default 5 s.</summary>
    public TimeSpan KeyIdle { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>How a takeover that failed is tried again.</summary>
    public RetryOptions Takeover { get; init; } = new();
}
