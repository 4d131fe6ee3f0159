using System.Net;
using Sync.Contracts.Configuration.Keys;
using Sync.Contracts.Configuration.Nodes;

namespace Sync.Contracts.Configuration.Binding;

/// <summary>Reads <c>cluster</c> and <c>petabridge</c>. What one key must be for the sake of another counts only where the cluster is enabled.</summary>
static class ClusterBinder
{
    const int LongestName = 63;
    const string DnsPrefix = "dns:";

    public static ClusterOptions Cluster(SectionReader section, BindContext context)
    {
        var defaults = new ClusterOptions();
        var downing = section.Section("downing");
        int port = section.Integer("port", defaults.Port);
        return new ClusterOptions
        {
            Enabled = section.Flag("enabled", defaults.Enabled),
            Name = Name(section, defaults.Name, context),
            Host = AddressBinder.HostOnly(section, "cluster.host", mayBeAny: false, context) ?? defaults.Host,
            Port = port,
            PublicHost = AddressBinder.HostOnly(section, "cluster.publicHost", mayBeAny: false, context),
            Seeds = Seeds(section, port, context),
            Roles = Roles(section, defaults.Roles, context),
            Lanes = section.Integer("lanes", defaults.Lanes),
            Tls = Tls(section, context),
            Downing = new DowningOptions
            {
                Strategy = downing.Choice("strategy", defaults.Downing.Strategy),
                StableAfter = downing.Duration("stableAfter", defaults.Downing.StableAfter),
                LeaseDuration = downing.Duration("leaseDuration", defaults.Downing.LeaseDuration),
            },
        };
    }

    public static PetabridgeOptions Petabridge(SectionReader section, BindContext context)
    {
        var defaults = new PetabridgeOptions();
        return new PetabridgeOptions
        {
            Enabled = section.Flag("enabled", defaults.Enabled),
            Host = AddressBinder.HostOnly(section, "petabridge.host", mayBeAny: false, context) ?? defaults.Host,
            Port = section.Integer("port", defaults.Port),
        };
    }

    static string Name(SectionReader section, string otherwise, BindContext context)
    {
        string name = section.Text("name") ?? otherwise;
        if (name.Length > LongestName || name[0] == '-' || name.Any(c => !char.IsAsciiLetterOrDigit(c) && c != '-'))
            context.Issues.Error(
                section.PositionOf("name"),
                $"'cluster.name' must be letters, digits and hyphens, not beginning with a hyphen, up to {LongestName}, not '{Shown.Short(name)}'");
        return name;
    }

    static List<ClusterSeed> Seeds(SectionReader section, int defaultPort, BindContext context)
    {
        var seeds = new List<ClusterSeed>();
        foreach (var text in section.Texts("seeds"))
        {
            bool isDnsName = text.Text!.StartsWith(DnsPrefix, StringComparison.Ordinal);
            string address = isDnsName ? text.Text[DnsPrefix.Length..].TrimStart() : text.Text;
            if (!AddressText.TryParse(address, UnixSocket.None, out var parsed, out string problem))
                context.Issues.Error(text.Position, $"'cluster.seeds' {problem}");
            else if (isDnsName && IPAddress.TryParse(parsed.Host, out _))
                context.Issues.Error(text.Position, $"'cluster.seeds' must hold a name behind 'dns:', not '{Shown.Short(address)}'");
            else if (new ClusterSeed(parsed.At(defaultPort), isDnsName) is var seed && seeds.Contains(seed))
                context.Issues.Error(text.Position, $"'cluster.seeds' names {Shown.Short(text.Text)} twice");
            else
                seeds.Add(seed);
        }
        return seeds;
    }

    static ClusterRoles Roles(SectionReader section, ClusterRoles otherwise, BindContext context)
    {
        var roles = ClusterRoles.None;
        foreach (var text in section.Texts("roles"))
            switch (text.Text!.Trim().ToLowerInvariant())
            {
                case "reader": roles |= ClusterRoles.Reader; break;
                case "writer": roles |= ClusterRoles.Writer; break;
                default:
                    string hint = Nearest.Hint(text.Text, ["reader", "writer"]);
                    context.Issues.Error(text.Position, $"'cluster.roles' must hold reader, writer or both, not '{Shown.Short(text.Text)}'{hint}");
                    break;
            }
        if (roles == ClusterRoles.None && section.Node("roles") is ListNode { Items.Count: 0 } empty)
            context.Issues.Error(empty.Position, "'cluster.roles' must hold reader, writer or both, not an empty list");
        return roles == ClusterRoles.None ? otherwise : roles;
    }

    /// <summary>Unlike elsewhere all three files are needed: each node is server and client, and the system's roots would let anybody in.</summary>
    static TlsOptions? Tls(SectionReader section, BindContext context)
    {
        var node = section.Node("tls");
        if (node is null || SaysNone(node)) return null;
        if (node is not MapNode)
        {
            string found = node is ScalarNode scalar ? $"'{Shown.Short(scalar.Text!)}'" : node.KindName;
            context.Issues.Error(node.Position, $"'cluster.tls' must be {ConfigKeys.At("cluster.tls").Expectation}, not {found}");
            return null;
        }
        var files = section.Section("tls");
        var tls = new TlsOptions { Cert = files.File("cert"), Key = files.File("key"), RootCert = files.File("rootCert") };
        if (tls.Cert is null || tls.Key is null || tls.RootCert is null)
            context.Issues.Error(node.Position, "'cluster.tls' must name 'cert', 'key' and 'rootCert': nodes know each other by certificates");
        return tls;
    }

    /// <summary>Whether plain connections were asked for by name.</summary>
    internal static bool SaysNone(ConfigNode? node) => node is ScalarNode { Text: { } text } && text.Trim().Equals("none", StringComparison.OrdinalIgnoreCase);
}
