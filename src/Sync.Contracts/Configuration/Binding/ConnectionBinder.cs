using System.Globalization;
using Sync.Contracts.Configuration.Nodes;

namespace Sync.Contracts.Configuration.Binding;

/// <summary>Reads what says where PostgreSQL and Redis are.</summary>
static class ConnectionBinder
{
    const int PostgresPort = 5432;
    const int RedisPort = 6379;
    const int SentinelPort = 26379;

    /// <summary>NAMEDATALEN - 1 of PostgreSQL as shipped (PostgreSQL docs, "Replication Slots": letters, digits, underscore).</summary>
    const int LongestSlotName = 63;

    public static PostgresOptions Postgres(SectionReader section, BindContext context)
    {
        var defaults = new PostgresOptions();
        var conn = section.Section("conn");
        var repl = section.Section("repl");
        return new PostgresOptions
        {
            Conn = new PostgresConnectionOptions
            {
                Hosts = PostgresHosts(conn, context),
                Database = conn.Text("database") ?? defaults.Conn.Database,
                User = conn.Text("user") ?? defaults.Conn.User,
                Password = conn.Secret("password"),
                Tls = Tls(conn, "postgres.conn.tls", context),
            },
            Repl = new ReplicationOptions
            {
                Pub = repl.Required("pub"),
                Slot = Slot(repl, context),
                Owner = repl.Choice("owner", defaults.Repl.Owner),
                Failover = repl.FlagOrNull("failover"),
            },
            NumericMode = section.Choice("numericMode", defaults.NumericMode),
            StandByTimeout = section.Duration("standByTimeout", defaults.StandByTimeout),
            ReceiveTimeout = section.Duration("receiveTimeout", defaults.ReceiveTimeout),
        };
    }

    public static RedisOptions Redis(SectionReader section, BindContext context)
    {
        var defaults = new RedisConnectionOptions();
        var conn = section.Section("conn");
        var redis = new RedisOptions
        {
            Conn = new RedisConnectionOptions
            {
                Host = conn.Text("host") ?? defaults.Host,
                Port = conn.Integer("port", defaults.Port),
                Database = conn.Integer("database", defaults.Database),
                User = conn.Text("user"),
                Password = conn.Secret("password"),
                Tls = Tls(conn, "redis.conn.tls", context),
                Client = section.Choice("client", defaults.Client),
                Options = section.Secret("options"),
            },
            CommitTimeColumn = section.Text("commitTimeColumn"),
            Nodes = HostPorts(section, "nodes", "redis.nodes", RedisPort, context),
            Sentinel = section.Has("sentinel") ? Sentinel(section.Section("sentinel"), context) : null,
        };
        if (redis.Nodes.Count > 0 && redis.Sentinel is not null)
            context.Issues.Error(section.PositionOf("sentinel"), "'redis.nodes' and 'redis.sentinel' exclude each other: a Cluster has no Sentinels");
        if (redis.Nodes.Count > 0 && redis.Conn.Database != 0)
            context.Issues.Error(conn.PositionOf("database"), "'redis.conn.database' must be 0 with 'redis.nodes': a Redis Cluster has no other");
        if (redis.Nodes.Count > 0 && redis.Conn.Client != RedisClient.Resp)
            context.Issues.Error(
                section.PositionOf("client"),
                "'redis.client' must be resp with 'redis.nodes': the positions per hash slot of a Redis Cluster need ActorSync's own client");
        if (redis.Conn.Options.IsSet && redis.Conn.Client != RedisClient.StackExchange)
            context.Issues.Error(section.PositionOf("options"), "'redis.options' are those of StackExchange.Redis: they need 'redis.client: stackexchange'");
        return redis;
    }

    static SentinelOptions Sentinel(SectionReader section, BindContext context)
    {
        if (!section.Has("hosts")) context.Issues.Error(section.PositionOf("hosts"), section.Missing("hosts"));
        return new SentinelOptions
        {
            Hosts = HostPorts(section, "hosts", "redis.sentinel.hosts", SentinelPort, context),
            MasterName = section.Required("masterName"),
            User = section.Text("user"),
            Password = section.Secret("password"),
        };
    }

    static string Slot(SectionReader repl, BindContext context)
    {
        string slot = repl.Required("slot");
        if (slot.Length > LongestSlotName || slot.Any(c => !char.IsAsciiLetterLower(c) && !char.IsAsciiDigit(c) && c != '_'))
            context.Issues.Error(
                repl.PositionOf("slot"),
                $"'postgres.repl.slot' must be lower-case letters, digits and underscores, up to {LongestSlotName}, not '{Shown.Short(slot)}'");
        return slot;
    }

    static IReadOnlyList<HostPort> PostgresHosts(SectionReader conn, BindContext context)
    {
        var hosts = conn.Texts("host");
        var ports = new List<int>();
        foreach (var text in conn.Texts("port"))
            if (Port(text.Text!) is { } port) ports.Add(port);
            else
            {
                context.Issues.Error(text.Position, $"'postgres.conn.port' must be whole numbers from 1 to 65535, not '{Shown.Short(text.Text!)}'");
                return [];
            }
        foreach (var host in hosts.Where(h => h.Text!.Length == 0))
            context.Issues.Error(host.Position, "'postgres.conn.host' names an empty host");
        int count = Math.Max(1, hosts.Count);
        if (ports.Count > 1 && ports.Count != count)
        {
            context.Issues.Error(conn.PositionOf("port"), $"'postgres.conn.port' must be one port or as many as hosts ({count}), not {ports.Count}");
            return [];
        }
        return [.. Enumerable.Range(0, count).Select(i => new HostPort(
            hosts.Count == 0 ? "localhost" : hosts[i].Text!,
            ports.Count switch { 0 => PostgresPort, 1 => ports[0], _ => ports[i] }))];
    }

    static List<HostPort> HostPorts(SectionReader section, string name, string path, int defaultPort, BindContext context)
    {
        var found = new List<HostPort>();
        foreach (var text in section.Texts(name))
            if (HostAndPort(text.Text!, defaultPort) is { } pair) found.Add(pair);
            else context.Issues.Error(text.Position, $"'{path}' must hold host:port, not '{Shown.Short(text.Text!)}'; an IPv6 address stands in brackets");
        return found;
    }

    internal static HostPort? HostAndPort(string text, int defaultPort)
    {
        string host = text;
        string? port = null;
        if (text.StartsWith('['))
        {
            int end = text.IndexOf(']');
            if (end < 0) return null;
            host = text[1..end];
            string rest = text[(end + 1)..];
            if (rest.Length > 0 && rest[0] != ':') return null;
            port = rest.Length > 0 ? rest[1..] : null;
        }
        else if (text.IndexOf(':') is >= 0 and var colon)
        {
            (host, port) = (text[..colon], text[(colon + 1)..]);
        }
        if (host.Length == 0 || host.Any(c => char.IsWhiteSpace(c) || c is '/' or '@')) return null;
        if (port is null) return new HostPort(host, defaultPort);
        return Port(port) is { } number ? new HostPort(host, number) : null;
    }

    static int? Port(string text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int port) && port is >= 1 and <= 65535 ? port : null;

    static TlsOptions? Tls(SectionReader conn, string path, BindContext context)
    {
        var node = conn.Node("tls");
        if (node is ScalarNode scalar)
        {
            if (SectionReader.FlagOf(scalar.Text!) is { } on) return on ? new TlsOptions() : null;
            context.Issues.Error(scalar.Position, $"'{path}' must be {Keys.ConfigKeys.At(path).Expectation}, not '{Shown.Short(scalar.Text!)}'");
        }
        if (node is null or ScalarNode) return null;
        var section = conn.Section("tls");
        var tls = new TlsOptions { Cert = section.File("cert"), Key = section.File("key"), RootCert = section.File("rootCert") };
        if (tls.Cert is null != tls.Key is null)
            context.Issues.Error(node.Position, $"'{path}' must name 'cert' and 'key' together, or neither");
        return tls;
    }
}
