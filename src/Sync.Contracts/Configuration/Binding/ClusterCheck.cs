using System.Net;

namespace Sync.Contracts.Configuration.Binding;

/// <summary>What the settings of a cluster must be for the sake of each other and of the rest of the configuration.</summary>
static class ClusterCheck
{
    /// <param name="config">The configuration as bound.</param>
    /// <param name="top">Its top level, for positions.</param>
    /// <param name="context">Where mistakes go.</param>
    public static void Check(SyncConfig config, SectionReader top, BindContext context)
    {
        var cluster = config.Cluster;
        if (!cluster.Enabled) return;
        var section = top.Section("cluster");
        Addresses(cluster, section, context);
        Downing(cluster, section.Section("downing"), context);
        if (cluster.Tls is null && !IsLoopback(cluster.Host) && section.Node("tls") is null)
            context.Issues.Error(
                section.PositionOf("host"),
                $"'cluster.tls' is required because other machines reach 'cluster.host' ({cluster.Host}): name cert, key and rootCert, or say none for plain connections");
        if (config.Redis.IsCluster)
            context.Issues.Error(
                top.Section("redis").PositionOf("nodes"),
                "'redis.nodes' and 'cluster.enabled' exclude each other for now: the nodes of a cluster write to one Redis server, or to a master behind Sentinels");
        if (config.Delivery != Delivery.ExactlyOnce)
            context.Issues.Error(
                top.PositionOf("delivery"),
                "'delivery' must be exactly-once with 'cluster.enabled': only then does Redis refuse a node whose lanes another one took over");
        if (config.Petabridge.Enabled && !IsLoopback(config.Petabridge.Host))
            context.Issues.Warning(
                top.Section("petabridge").PositionOf("host"),
                $"'petabridge.host' ({config.Petabridge.Host}) is reached by other machines, and Petabridge.Cmd asks for no password.");
    }

    static void Addresses(ClusterOptions cluster, SectionReader section, BindContext context)
    {
        if (!section.Has("seeds")) context.Issues.Error(section.PositionOf("seeds"), section.Missing("seeds"));
        if (IsWildcard(cluster.Address.Host))
            context.Issues.Error(
                section.PositionOf(cluster.PublicHost is null ? "host" : "publicHost"),
                cluster.PublicHost is null
                    ? $"'cluster.publicHost' is required because 'cluster.host' is {cluster.Host}: name what the other nodes reach this one by (variable ACTORSYNC_CLUSTER_PUBLICHOST)"
                    : $"'cluster.publicHost' must be a name or address that the other nodes reach, not {cluster.PublicHost}");
        else if (cluster.Seeds.Any(s => s.IsDnsName) && !IPAddress.TryParse(cluster.Address.Host, out _))
            context.Issues.Error(
                section.PositionOf(cluster.PublicHost is null ? "host" : "publicHost"),
                $"'cluster.publicHost' must be this node's IP address, not {cluster.Address.Host}, because a dns: seed is found by address");
        else if (IsLoopback(cluster.Address.Host) && cluster.Seeds.Any(s => s.IsDnsName || !IsLoopback(s.Address.Host)))
            context.Issues.Warning(
                section.PositionOf(cluster.PublicHost is null ? "host" : "publicHost"),
                $"'cluster.seeds' names other machines, which can't reach this node at {cluster.Address.Host}.");
    }

    static void Downing(ClusterOptions cluster, SectionReader section, BindContext context)
    {
        if (cluster.Downing.LeaseDuration <= cluster.Downing.StableAfter)
            context.Issues.Error(
                section.PositionOf(section.Has("leaseDuration") ? "leaseDuration" : "stableAfter"),
                $"'cluster.downing.leaseDuration' ({DurationText.Format(cluster.Downing.LeaseDuration)}) must be longer than 'stableAfter' "
                + $"({DurationText.Format(cluster.Downing.StableAfter)}): the lease must outlast the decision it stands for");
        if (cluster.Downing.Strategy == DowningStrategy.KeepMajority && cluster.Seeds is { Count: 2 } && !cluster.Seeds.Any(s => s.IsDnsName))
            context.Issues.Warning(
                section.PositionOf("strategy"),
                "keep-majority among two nodes ends the second one whenever the first is lost; lease-majority, or auto, keeps either.");
    }

    static bool IsLoopback(string host) =>
        IPAddress.TryParse(host, out var address) ? IPAddress.IsLoopback(address) : host.Equals("localhost", StringComparison.OrdinalIgnoreCase);

    static bool IsWildcard(string host) => IPAddress.TryParse(host, out var address) && (address.Equals(IPAddress.Any) || address.Equals(IPAddress.IPv6Any));
}
