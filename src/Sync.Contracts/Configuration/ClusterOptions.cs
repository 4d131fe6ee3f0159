namespace Sync.Contracts.Configuration;

/// <summary>Several nodes that share one replication slot.</summary>
public sealed record ClusterOptions
{
    public bool Enabled { get; init; }

    /// <summary>What nodes of one cluster call themselves: letters, digits and hyphens, up to 63. Default actorsync.</summary>
    public string Name { get; init; } = "actorsync";

    /// <summary>Address to listen on for the other nodes. Default 127.0.0.1.</summary>
    public string Host { get; init; } = "127.0.0.1";

    /// <summary>1 to 65535; default 7719.</summary>
    public int Port { get; init; } = 7719;

    /// <summary>By what the other nodes reach this one; null for <see cref="Host"/>.</summary>
    public string? PublicHost { get; init; }

    /// <summary>Nodes to join through, the same on every node, in the order of the configuration. Never empty when enabled.</summary>
    public IReadOnlyList<ClusterSeed> Seeds { get; init; } = [];

    /// <summary>What this node does. Default both.</summary>
    public ClusterRoles Roles { get; init; } = ClusterRoles.Reader | ClusterRoles.Writer;

    /// <summary>Parts the ordering keys are divided into, 1 to 4096; default 256. Kept from the first start on.</summary>
    public int Lanes { get; init; } = 256;

    /// <summary>The files by which nodes know each other, all three of them set; null for plain connections.</summary>
    public TlsOptions? Tls { get; init; }

    public DowningOptions Downing { get; init; } = new();

    /// <summary>How this node is named in the cluster.</summary>
    public HostPort Address => new(PublicHost ?? Host, Port);

    /// <summary>
    /// The strategy in use, never auto. Every node has to come to the same one, so it follows from what is the same on all of
    /// them: a majority exists among three or more named seeds; among two there is none, and behind a DNS name nobody knows.
    /// </summary>
    public DowningStrategy EffectiveDowning => Downing.Strategy != DowningStrategy.Auto ? Downing.Strategy
        : Seeds.Count(s => !s.IsDnsName) >= 3 ? DowningStrategy.KeepMajority : DowningStrategy.LeaseMajority;
}

/// <param name="Address">Host and port.</param>
/// <param name="IsDnsName">Whether the host stands for every address it resolves to; those count as seeds in the order of their bytes.</param>
public readonly record struct ClusterSeed(HostPort Address, bool IsDnsName)
{
    public override string ToString() => IsDnsName ? $"dns:{Address}" : Address.ToString();
}

/// <summary>Reader: may hold the slot; one does at a time. Writer: carries lanes and writes to Redis.</summary>
[Flags]
public enum ClusterRoles { None = 0, Reader = 1, Writer = 2 }

/// <summary>What happens when nodes can't reach each other.</summary>
public sealed record DowningOptions
{
    public DowningStrategy Strategy { get; init; } = DowningStrategy.Auto;

    /// <summary>How long the set of unreachable nodes must stand still before it is decided who goes on. Over 0; default 2 s.</summary>
    public TimeSpan StableAfter { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>How long the lease on PostgreSQL stays with a holder that does not renew it. Over <see cref="StableAfter"/>; default 20 s.</summary>
    public TimeSpan LeaseDuration { get; init; } = TimeSpan.FromSeconds(20);
}

/// <summary>Auto: see <see cref="ClusterOptions.EffectiveDowning"/>. KeepMajority: the larger part goes on. LeaseMajority: the part that gets the lease goes on.</summary>
public enum DowningStrategy { Auto, KeepMajority, LeaseMajority }

/// <summary>The endpoint of Petabridge.Cmd.</summary>
public sealed record PetabridgeOptions
{
    public bool Enabled { get; init; } = true;

    /// <summary>Address to listen on. Default 127.0.0.1: it asks nobody for a password.</summary>
    public string Host { get; init; } = "127.0.0.1";

    /// <summary>1 to 65535; default 9110.</summary>
    public int Port { get; init; } = 9110;
}
