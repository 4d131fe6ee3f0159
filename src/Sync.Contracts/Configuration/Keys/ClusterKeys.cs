using static Sync.Contracts.Configuration.Keys.ConfigKind;

namespace Sync.Contracts.Configuration.Keys;

/// <summary>The keys of <c>cluster</c> and <c>petabridge</c>.</summary>
static class ClusterKeys
{
    public static IEnumerable<ConfigKey> All =>
    [
        new("cluster", Section, null, "Several nodes on one slot."),
        new("cluster.enabled", Flag, "false", "true: this node is one of a cluster; false: it works alone, and the rest of the section is only checked for its form."),
        new("cluster.name", Text, "actorsync", "The cluster's name, the same on every node: letters, digits and hyphens, up to 63."),
        new("cluster.host", Text, "127.0.0.1", "Address to listen on for the other nodes; the default can't be reached from other machines."),
        ConfigKeys.Whole("cluster.port", "7719", 1, 65535, "The port for the other nodes."),
        new("cluster.publicHost", Text, null,
            "Name or address by which the other nodes reach this one; none: host. Required when host is 0.0.0.0 or ::."),
        new("cluster.seeds", CommaList, null,
            "Nodes to join through, as host:port, the same list on every node; the port may be left out (that of cluster.port). dns:NAME stands for every address that NAME resolves to. Required when enabled."),
        new("cluster.roles", CommaList, "reader,writer",
            "reader: may hold the replication slot, which one node does at a time; writer: carries lanes and writes to Redis."),
        ConfigKeys.Whole("cluster.lanes", "256", 1, 4096, "Parts the ordering keys are divided into, shared out over the writers. Fixed at the first start."),
        new("cluster.tls", FilesOrNone, "none on a loopback host, else required",
            "PEM files by which nodes know each other, or the word none for plain connections. On a host that other machines reach, one of them has to be said.") { DefaultIsComputed = true },
        new("cluster.tls.cert", FilePath, null, "This node's certificate, shown to those it calls and to those that call it."),
        new("cluster.tls.key", FilePath, null, "Its private key."),
        new("cluster.tls.rootCert", FilePath, null, "Certificates to trust: whoever holds one they signed is a node of this cluster."),
        new("cluster.downing", Section, null, "Who goes on when nodes can't reach each other."),
        new("cluster.downing.strategy", Choice, "auto",
            "keep-majority: the part with more nodes; lease-majority: the part that gets a lease on PostgreSQL, where the larger one may ask first; auto: keep-majority with three or more seeds by name, else lease-majority.")
            { Choices = ["auto", "keep-majority", "lease-majority"] },
        ConfigKeys.Time("cluster.downing.stableAfter", "2s", "How long the set of unreachable nodes must stand still before that is decided."),
        ConfigKeys.Time("cluster.downing.leaseDuration", "20s",
            "How long the lease stays with a holder that does not renew it; longer than stableAfter."),

        new("petabridge", Section, null, "Where Petabridge.Cmd (pbm) inspects a node of a cluster."),
        new("petabridge.enabled", Flag, "true", "Whether to listen; without cluster.enabled nothing does."),
        new("petabridge.host", Text, "127.0.0.1", "Address to listen on. It asks for no password, so keep it on loopback."),
        ConfigKeys.Whole("petabridge.port", "9110", 1, 65535, "The port."),
    ];
}
