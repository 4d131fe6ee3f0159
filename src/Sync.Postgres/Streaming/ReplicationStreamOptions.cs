using Sync.Contracts;
using Sync.Postgres.Connections;

namespace Sync.Postgres.Streaming;

/// <summary>Which changes to stream and how the connection is watched.</summary>
public sealed record ReplicationStreamOptions
{
    /// <summary>Name of a logical slot of the plugin pgoutput in the connection's database.</summary>
    public required string Slot { get; init; }

    /// <summary>Names of publications in the connection's database, one or more.</summary>
    public required IReadOnlyList<string> Publications { get; init; }

    /// <summary>Where to begin; PostgreSQL takes its own confirmed position when that is later. Default: the slot's.</summary>
    public Lsn From { get; init; }

    /// <summary>What the server's log was when its history was judged; a server that is another one by now is not streamed. Null looks at nothing.</summary>
    public ServerLog? Judged { get; init; }

    /// <summary>Silence after which the connection counts as lost; half of it makes the server answer. Over 0; default 60 s.</summary>
    public TimeSpan ReceiveTimeout { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>How often the confirmed position is reported, also while nobody reads. Over 0; default 10 s.</summary>
    public TimeSpan StatusInterval { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>The clock; default the system's.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;
}
