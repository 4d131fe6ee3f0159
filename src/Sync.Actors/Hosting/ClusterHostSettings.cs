using Sync.Contracts.Cluster;
using Sync.Contracts.Configuration;

namespace Sync.Actors.Hosting;

/// <summary>What the cluster needs beside <see cref="ClusterOptions"/>.</summary>
public sealed record ClusterHostSettings
{
    /// <summary>The addresses behind <see cref="ClusterOptions.Seeds"/>, from <see cref="SeedResolver"/>; one or more.</summary>
    public required IReadOnlyList<HostPort> Seeds { get; init; }

    /// <summary>
    /// Whether a cluster is known to be at work: then this node joins it and begins none, even if it is the first seed. When it finds none it ends with
    /// <see cref="Sync.Contracts.ExitCode.ClusterDowned"/>, so that it is looked again; <see cref="ClusterJoining"/> looks earlier.
    /// </summary>
    public bool OnlyJoins { get; init; }

    /// <summary>Of the slot that the nodes share: clusters of one name on one PostgreSQL have leases of their own by it.</summary>
    public required string Slot { get; init; }

    /// <summary>
    /// How long a node may take from being asked to stop to having left the cluster, lanes drained and the reader handed over. Over 0; default 30 s. What
    /// is not done by then is given up, and the other nodes find out by themselves.
    /// </summary>
    public TimeSpan ShutdownTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Where the lease is kept; needed with <see cref="DowningStrategy.LeaseMajority"/>.</summary>
    public ILeaseStore? Leases { get; init; }
}
