using static Sync.Contracts.Configuration.Keys.ConfigKind;

namespace Sync.Contracts.Configuration.Keys;

/// <summary>
/// Every key a configuration may hold, in the order of the documentation. The loader checks names, kinds and ranges by it,
/// <see cref="ConfigSchema"/> and docs/configuration.md are generated from it, so the three can't drift apart.
/// </summary>
public static class ConfigKeys
{
    const double Day = 24 * 3600_000d;
    static readonly TimeSpan Milliseconds = TimeSpan.FromMilliseconds(1);

    static readonly ConfigKey[] Keys =
    [
        Time("flushInterval", "500ms", "Upper bound for the wait of a partial batch. A batch goes out earlier whenever a connection is free.")
            with { Unit = Milliseconds, Maximum = 3600_000 },
        Whole("flushBufferSize", "100", 1, 100_000, "Row changes in a batch."),
        Whole("flushQueueDepth", "32", 1, 32, "Batches that may wait for one writer."),
        Whole("flushWorkers", "CPU count, at most 32", 1, 32,
            "Redis connections that write at once. The order per key holds for any value.") with { DefaultIsComputed = true },
        Whole("maxWriteQueueSize", null, 0, int.MaxValue, "Row changes between reader and Redis before the reader pauses; 0 or none: bounded by bytes only."),
        new("delivery", Choice, "exactly-once",
            "exactly-once: Redis records the position reached in the transaction of the data, and refuses whoever was replaced; at-least-once: neither, so after a crash the last seconds are written again.")
            { Choices = ["exactly-once", "at-least-once"] },
        new("onRedisLoss", Choice, "resync",
            "What to do when Redis lost changes that PostgreSQL no longer has: resync re-reads the tables; stop ends the process, for somebody to look first.")
            { Choices = ["resync", "stop"] },
        Time("rewindWindow", "5s",
            "How long PostgreSQL keeps the WAL of what Redis has acknowledged: a Redis that falls back by less (a failover, a restart with appendfsync everysec) is caught up from there.")
            with { MinimumExcluded = false, Maximum = 3600_000 },
        Time("writeTimeout", "10s", "How long Redis may take for an answer."),
        Time("shutdownTimeout", "30s", "How long a graceful stop may take.") with { Unit = Milliseconds, MinimumExcluded = false },
        Time("statsInterval", "1m", "How often a line of statistics is logged; 0 turns it off.") with { MinimumExcluded = false },
        new("debug", Flag, "false", "Logs decisions in detail, never values or secrets."),

        new("retryPolicy", Section, null, "Delayed retry of what Redis refused for a passing reason."),
        Whole("retryPolicy.maxRetries", "10", 1, int.MaxValue,
            "Attempts for one batch before the circuit is reported open, at the latest; it is so after a second without success. The batch itself is never dropped."),
        Whole("retryPolicy.maxConnectionRetries", "0", 0, int.MaxValue, "Failed connection attempts in a row before the process gives up; 0 is never."),
        Time("retryPolicy.initialBackoff", "100ms", "The first delay."),
        new("retryPolicy.multiplier", Number, "2",
            "Growth of the delay from attempt to attempt; 1 grows linearly with the attempt.") { Minimum = 1, Maximum = 100 },
        new("retryPolicy.jitter", Number, "0.2", "Share of the delay that is drawn at random.") { Minimum = 0, Maximum = 1 },
        Time("retryPolicy.maxBackoff", "10s", "The longest delay."),

        new("deadLetters", Section, null, "Changes that Redis refuses for good."),
        Whole("deadLetters.max", "100000", 1, int.MaxValue,
            "Changes that may be parked. When there are as many the process stops, since more would only hide that something is wrong; nothing is dropped."),

        new("postgres", Section, null, "The source."),
        new("postgres.conn", Section, null, "The connection to PostgreSQL."),
        new("postgres.conn.host", CommaList, "localhost",
            "One host or several with commas, each with its port behind a colon if need be; the primary among them is used. A folder is that of a Unix socket."),
        new("postgres.conn.port", CommaList, "5432", "One port for all hosts, or as many as hosts; not where host names another."),
        new("postgres.conn.database", Text, "postgres", "The database."),
        new("postgres.conn.user", Text, "postgres", "A role with the REPLICATION attribute."),
        new("postgres.conn.password", Password, null, "Its password."),
        .. TlsKeys("postgres.conn.tls"),
        new("postgres.repl", Section, null, "Publication and replication slot."),
        new("postgres.repl.pub", Text, null, "Name of the publication.") { Required = true },
        new("postgres.repl.slot", Text, null, "Name of the replication slot: lower-case letters, digits and underscores, up to 63.") { Required = true },
        new("postgres.repl.owner", Choice, "app",
            "app: ActorSync creates and alters publication and slot; user: it only checks them.") { Choices = ["app", "user"] },
        new("postgres.repl.failover", Flag, null,
            "true asks for a failover slot, which needs PostgreSQL 17; without it PostgreSQL 17 and later get one, earlier versions don't."),
        new("postgres.numericMode", Choice, "float",
            "How real, double precision and numeric look in JSON: a number or a string, with the exact digits in both.") { Choices = ["float", "string"] },
        new("postgres.onHistoryChange", Choice, "resync",
            "What to do when PostgreSQL went back or forked (an older copy restored, recovery to a point in time, a standby promoted that lagged), so that Redis is ahead of it: resync re-reads the tables; "
            + "resync-any does so for another PostgreSQL cluster as well (pg_upgrade, a restored dump), where resync stops; stop ends the process, for somebody to look first.")
            { Choices = ["resync", "resync-any", "stop"] },
        new("postgres.onSchemaChange", Choice, "resync",
            "What to do when a table, or its place in the publication, was changed in a way that the stream does not bring to Redis (columns renamed, dropped, given other values; the table dropped and made again; "
            + "partitions attached, detached, truncated; another row filter): resync reads the table again, as far as everything follows from its rows; warn only tells; stop stops the table until a node starts again.")
            { Choices = ["resync", "warn", "stop"] },
        Time("postgres.schemaCheckInterval", "30s", "How often the catalog is compared with what Redis was filled from."),
        Time("postgres.standByTimeout", "10s", "How often the confirmed position is reported to PostgreSQL."),
        Time("postgres.receiveTimeout", "60s", "Silence of PostgreSQL after which the connection counts as lost."),

        new("redis", Section, null, "The target."),
        new("redis.conn", Section, null, "The connection to Redis."),
        new("redis.conn.host", Text, "localhost", "The host, with its port behind a colon if need be, or the path of a Unix socket."),
        Whole("redis.conn.port", "6379", 1, 65535, "The port; not where host names another."),
        Whole("redis.conn.database", "0", 0, 65535, "The database's number."),
        new("redis.conn.user", Text, null, "An ACL user."),
        new("redis.conn.password", Password, null, "The password."),
        .. TlsKeys("redis.conn.tls"),
        new("redis.client", Choice, "resp",
            "resp: ActorSync's own client; stackexchange: StackExchange.Redis, which writes with scripts and costs more. Not with nodes.") { Choices = ["resp", "stackexchange"] },
        new("redis.options", Password, null, "More settings of StackExchange.Redis in its own words, such as tunnel=http:proxy:8080; only with client: stackexchange."),
        new("redis.commitTimeColumn", Text, null, "Adds the commit time under this name to {pairs:*}, {json:*} and {columns:*}."),
        new("redis.nodes", CommaList, null, "Seeds of a Redis Cluster as host:port; the port may be left out (6379)."),
        new("redis.sentinel", Section, null, "Finds the master through Redis Sentinel."),
        new("redis.sentinel.hosts", CommaList, null, "Sentinels as host:port; the port may be left out (26379).") { Required = true },
        new("redis.sentinel.masterName", Text, null, "The master's name in the Sentinels' configuration.") { Required = true },
        new("redis.sentinel.user", Text, null, "An ACL user of the Sentinels."),
        new("redis.sentinel.password", Password, null, "The Sentinels' password."),

        new("snapshot", Section, null, "The copy of the rows that exist before streaming begins."),
        new("snapshot.mode", Choice, "onetime", "onetime: copy what was not copied yet, then stream; onetime_only: copy and exit; never: stream only.")
            { Choices = ["onetime", "onetime_only", "never"] },
        Whole("snapshot.batchSize", "1000", 1, 100_000, "Rows in a batch."),
        Whole("snapshot.parallelWorkers", "1", 1, 32, "Tables and ranges read at once."),
        new("snapshot.abortOnError", Flag, "false",
            "true: the first failed table or row ends the process; false: it is logged, counted and left for the next start."),
        Time("snapshot.queryTimeout", null, "statement_timeout of snapshot reads; 0 or none: no limit.") with { MinimumExcluded = false, Maximum = 7 * Day },
        Whole("snapshot.maxWriteQueueSize", null, 0, int.MaxValue, "Rows between PostgreSQL and Redis while copying; 0 or none: the top-level value."),
        new("snapshot.config", EntryList, null, "Which rows of which tables; a table not named is copied in full."),
        new("snapshot.config[].name", Text, null, "A table that stands under tables.") { Required = true },
        new("snapshot.config[].type", Choice, "full",
            "full: every row; query: those the query names. With a query and no type it is query.") { Choices = ["full", "query"] },
        new("snapshot.config[].query", Text, null, "A condition without the word WHERE; names without a schema are looked for in public."),

        new("tables", Tables, null, "The tables to follow, at least one.") { Required = true },
        .. TableKeys.All,

        .. ClusterKeys.All,
        new("http", Section, null, "Health, metrics and status."),
        new("http.enabled", Flag, "true", "Whether to listen at all."),
        new("http.host", Text, "127.0.0.1", "Address to listen on; the default can't be reached from other machines."),
        Whole("http.port", "7717", 0, 65535, "The port; 0 takes a free one and prints it."),
        new("telemetry", Section, null, "OpenTelemetry."),
        new("telemetry.otlpEndpoint", Address, null, "Where metrics are exported to by OTLP, such as http://localhost:4317."),
    ];

    static readonly Dictionary<string, ConfigKey> ByPath = Keys.ToDictionary(k => k.Path);
    static readonly ILookup<string, ConfigKey> ByParent = Keys.ToLookup(k => k.Parent);

    /// <summary>All keys, in the order of the documentation.</summary>
    public static IReadOnlyList<ConfigKey> All => Keys;

    /// <summary>The key at a path.</summary>
    /// <exception cref="KeyNotFoundException">No such key: a mistake of the caller.</exception>
    public static ConfigKey At(string path) => ByPath[path];

    /// <summary>The key at a path, or null.</summary>
    public static ConfigKey? Find(string path) => ByPath.GetValueOrDefault(path);

    /// <summary>The keys directly under a path; the empty path is the top.</summary>
    public static IEnumerable<ConfigKey> Under(string path) => ByParent[path];

    internal static string Join(string parent, string name) => parent.Length == 0 ? name : $"{parent}.{name}";

    internal static ConfigKey Whole(string path, string? value, double minimum, double maximum, string description) =>
        new(path, Integer, value, description) { Minimum = minimum, Maximum = maximum == int.MaxValue ? null : maximum };

    internal static ConfigKey Time(string path, string? value, string description) =>
        new(path, Duration, value, description) { Minimum = 0, MinimumExcluded = true, Maximum = Day };

    static ConfigKey[] TlsKeys(string path) =>
    [
        new(path, Tls, "false", "TLS: true or an empty map trusts the system's roots; a map may name PEM files."),
        new($"{path}.cert", FilePath, null, "The client's certificate; needs key."),
        new($"{path}.key", FilePath, null, "The client's private key; needs cert."),
        new($"{path}.rootCert", FilePath, null, "Certificates to trust instead of the system's."),
    ];
}
