using Sync.Contracts.Configuration.Nodes;

namespace Sync.Contracts.Configuration.Binding;

/// <summary>Reads what says where PostgreSQL and Redis are.</summary>
static class ConnectionBinder
{
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
                Hosts = AddressBinder.Postgres(conn, context),
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
            OnHistoryChange = section.Choice("onHistoryChange", defaults.OnHistoryChange),
            OnSchemaChange = section.Choice("onSchemaChange", defaults.OnSchemaChange),
            SchemaCheckInterval = section.Duration("schemaCheckInterval", defaults.SchemaCheckInterval),
            StandByTimeout = section.Duration("standByTimeout", defaults.StandByTimeout),
            ReceiveTimeout = section.Duration("receiveTimeout", defaults.ReceiveTimeout),
        };
    }

    public static RedisOptions Redis(SectionReader section, BindContext context)
    {
        var defaults = new RedisConnectionOptions();
        var conn = section.Section("conn");
        var address = AddressBinder.One(conn, "redis.conn", UnixSocket.File, new HostPort(defaults.Host, defaults.Port), context);
        var redis = new RedisOptions
        {
            Conn = new RedisConnectionOptions
            {
                Host = address.Host,
                Port = address.Port,
                Database = conn.Integer("database", defaults.Database),
                User = conn.Text("user"),
                Password = conn.Secret("password"),
                Tls = Tls(conn, "redis.conn.tls", context),
                Client = section.Choice("client", defaults.Client),
                Options = section.Secret("options"),
            },
            CommitTimeColumn = section.Text("commitTimeColumn"),
            Nodes = AddressBinder.List(section, "nodes", "redis.nodes", RedisPort, context),
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
            Hosts = AddressBinder.List(section, "hosts", "redis.sentinel.hosts", SentinelPort, context),
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
