using Sync.Contracts.Cluster.Wire;
using Sync.Contracts.Configuration;
using Sync.Engine.Lanes;

namespace Sync.Actors.Reading;

/// <summary>How the reader hands rows to lanes.</summary>
public sealed record ReaderOptions
{
    /// <summary>How many lanes there are in the cluster, 1 to 4096, the same on every node. Default 256.</summary>
    public int Lanes { get; init; } = 256;

    /// <summary>When a lane is asked whether it has what was sent, and how much may be under way before a lane has said so.</summary>
    public LaneSenderOptions Sender { get; init; } = LaneSenderOptions.Default;

    /// <summary>Bytes that may be unacknowledged in all lanes together, 1 or more. Default 12 MiB; nodes hold three to four times that in all.</summary>
    public long Budget { get; init; } = 12 * 1024 * 1024;

    /// <summary>Bytes that the source may be ahead of the reader, 1 or more. Default 256 KiB.</summary>
    public long Ahead { get; init; } = 256 * 1024;

    /// <summary>Bytes of a message at most, unless a single row is larger. Default 1 MiB, below the frame size of remoting.</summary>
    public int MessageBytes { get; init; } = LaneFrames.DefaultLimit;

    /// <summary>How often it is looked for lanes that are silent, above 0. Default 100 ms.</summary>
    public TimeSpan Look { get; init; } = TimeSpan.FromMilliseconds(100);

    /// <summary>How long a reader that is asked to stop may take until all it has read is confirmed, above 0. Default 30 s.</summary>
    public TimeSpan Shutdown { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How long a reader that ended without being asked waits before it starts again.</summary>
    public RetryOptions Restart { get; init; } = new();
}
