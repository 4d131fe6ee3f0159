namespace Sync.Contracts.Configuration;

/// <summary>The whole configuration, after file, environment and defaults were merged and checked. Immutable.</summary>
public sealed record SyncConfig
{
    /// <summary>Where it came from, for messages: a file's path, or "environment".</summary>
    public string Source { get; init; } = "environment";

    public PostgresOptions Postgres { get; init; } = new();
    public RedisOptions Redis { get; init; } = new();
    public SnapshotOptions Snapshot { get; init; } = new();
    public RetryOptions RetryPolicy { get; init; } = new();
    public ClusterOptions Cluster { get; init; } = new();
    public PetabridgeOptions Petabridge { get; init; } = new();
    public HttpOptions Http { get; init; } = new();
    public TelemetryOptions Telemetry { get; init; } = new();
    public IReadOnlyList<TableConfig> Tables { get; init; } = [];

    /// <summary>Upper bound for the wait of a partial batch; batches go out earlier whenever a connection is free. Over 0; default 500 ms.</summary>
    public TimeSpan FlushInterval { get; init; } = TimeSpan.FromMilliseconds(500);

    /// <summary>Row changes in a batch, 1 to 100,000; default 100.</summary>
    public int FlushBufferSize { get; init; } = 100;

    /// <summary>Batches that may wait for one writer, 1 to 32; default 32.</summary>
    public int FlushQueueDepth { get; init; } = 32;

    /// <summary>Redis connections that write at once, 1 to 32; default the CPU count. Order per key holds for any value.</summary>
    public int FlushWorkers { get; init; } = Math.Clamp(Environment.ProcessorCount, 1, 32);

    /// <summary>Row changes between reader and Redis before the reader pauses, 1 or more; null means bounded by bytes only.</summary>
    public int? MaxWriteQueueSize { get; init; }

    /// <summary>What a crash may do to a change. Default exactly once.</summary>
    public Delivery Delivery { get; init; } = Delivery.ExactlyOnce;

    /// <summary>What follows when Redis lost changes that PostgreSQL no longer has. Default resync.</summary>
    public RedisLossPolicy OnRedisLoss { get; init; } = RedisLossPolicy.Resync;

    /// <summary>How long PostgreSQL keeps the WAL of what Redis has acknowledged, 0 to 1 h; default 5 s.</summary>
    public TimeSpan RewindWindow { get; init; } = TimeSpan.FromSeconds(5);

    public DeadLetterOptions DeadLetters { get; init; } = new();

    /// <summary>How long Redis may take for an answer. Over 0; default 10 s.</summary>
    public TimeSpan WriteTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How long a graceful stop may take. Default 30 s.</summary>
    public TimeSpan ShutdownTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How often a line of statistics is logged; 0 turns it off. Default 1 min.</summary>
    public TimeSpan StatsInterval { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>Logs decisions in detail (never values or secrets).</summary>
    public bool Debug { get; init; }
}

/// <summary>ExactlyOnce: the position reached is recorded in the transaction of the data. AtLeastOnce: changes may be repeated after a crash, in order.</summary>
public enum Delivery { ExactlyOnce, AtLeastOnce }

/// <summary>Resync: the tables are copied again. Stop: the process ends and leaves the decision to somebody.</summary>
public enum RedisLossPolicy { Resync, Stop }

public sealed record DeadLetterOptions
{
    /// <summary>Changes that may be parked before the process stops, 1 or more; default 100,000.</summary>
    public int Max { get; init; } = 100_000;
}

public sealed record PostgresOptions
{
    public PostgresConnectionOptions Conn { get; init; } = new();
    public ReplicationOptions Repl { get; init; } = new();

    /// <summary>How real, double precision and numeric look in JSON; integers stay integers. Default float.</summary>
    public NumericMode NumericMode { get; init; } = NumericMode.Float;

    /// <summary>What to do when PostgreSQL has left the history that Redis follows. Default resync.</summary>
    public HistoryPolicy OnHistoryChange { get; init; } = HistoryPolicy.Resync;

    /// <summary>
    /// What to do when a table, or its place in the publication, was changed in a way that the stream does not bring to Redis. Default resync.
    /// </summary>
    public SchemaPolicy OnSchemaChange { get; init; } = SchemaPolicy.Resync;

    /// <summary>How often the catalog is compared with what Redis was filled from. Over 0; default 30 s.</summary>
    public TimeSpan SchemaCheckInterval { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How often the confirmed position is reported to PostgreSQL. Over 0; default 10 s.</summary>
    public TimeSpan StandByTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Silence of PostgreSQL after which the connection counts as lost. Over 0; default 60 s.</summary>
    public TimeSpan ReceiveTimeout { get; init; } = TimeSpan.FromSeconds(60);
}

public enum NumericMode { Float, String }

/// <summary>
/// Resync: the tables are read again, unless it is another PostgreSQL cluster. ResyncAny: in that case as well, for pg_upgrade and restored dumps. Stop: the process ends and leaves the
/// decision to somebody.
/// </summary>
public enum HistoryPolicy { Resync, ResyncAny, Stop }

/// <summary>
/// Resync: the table is read again, as far as everything follows from its rows. Warn: it is only told. Stop: the table is stopped, until a node
/// starts again and copies it anew.
/// </summary>
public enum SchemaPolicy { Resync, Warn, Stop }

/// <param name="Host">Name, address, or the folder of a Unix socket.</param>
/// <param name="Port">1 to 65535.</param>
public readonly record struct HostPort(string Host, int Port)
{
    public override string ToString() => Host.Contains(':') ? $"[{Host}]:{Port}" : $"{Host}:{Port}";
}

public sealed record PostgresConnectionOptions
{
    /// <summary>Candidates in the order to try; the primary is the one with <c>pg_is_in_recovery() = false</c>. Default localhost:5432.</summary>
    public IReadOnlyList<HostPort> Hosts { get; init; } = [new("localhost", 5432)];
    public string Database { get; init; } = "postgres";
    public string User { get; init; } = "postgres";
    public Secret Password { get; init; }
    public TlsOptions? Tls { get; init; }
}

public sealed record ReplicationOptions
{
    /// <summary>Publication name. Required.</summary>
    public string Pub { get; init; } = "";

    /// <summary>Slot name: lower-case letters, digits and underscores, up to 63. Required.</summary>
    public string Slot { get; init; } = "";

    /// <summary>Who creates and alters publication and slot. Default app.</summary>
    public ReplicationOwner Owner { get; init; } = ReplicationOwner.App;

    /// <summary>True needs PostgreSQL 17; null turns failover slots on wherever PostgreSQL has them.</summary>
    public bool? Failover { get; init; }
}

/// <summary>App: ActorSync creates publication and slot and alters the publication. User: it only checks them.</summary>
public enum ReplicationOwner { App, User }

/// <summary>TLS files in PEM form. Present but empty means: TLS with the system's trusted roots.</summary>
public sealed record TlsOptions
{
    public string? Cert { get; init; }
    public string? Key { get; init; }
    public string? RootCert { get; init; }
}

public sealed record RedisOptions
{
    public RedisConnectionOptions Conn { get; init; } = new();

    /// <summary>Adds the commit time under this name to <c>{pairs:*}</c>, <c>{json:*}</c> and <c>{columns:*}</c>; null for none.</summary>
    public string? CommitTimeColumn { get; init; }

    /// <summary>Seeds of a Redis Cluster; empty for a single server.</summary>
    public IReadOnlyList<HostPort> Nodes { get; init; } = [];

    /// <summary>Hash tag of the keys ActorSync keeps for itself, which are all in one hash slot of a Cluster: the replication slot's name.</summary>
    public string Tag { get; init; } = "";

    /// <summary>Whether it is a Redis Cluster.</summary>
    public bool IsCluster => Nodes.Count > 0;
    public SentinelOptions? Sentinel { get; init; }
}

public sealed record RedisConnectionOptions
{
    public string Host { get; init; } = "localhost";
    public int Port { get; init; } = 6379;

    /// <summary>0 to 15 on a server as shipped. Default 0.</summary>
    public int Database { get; init; }
    public string? User { get; init; }
    public Secret Password { get; init; }
    public TlsOptions? Tls { get; init; }

    /// <summary>Which client speaks to it (<c>redis.client</c>). Default our own.</summary>
    public RedisClient Client { get; init; }

    /// <summary>
    /// More settings of StackExchange.Redis, in its own words (<c>redis.options</c>; its documentation, "Configuration"), such as <c>tunnel=http:proxy:8080</c>. Only for that client. What stands in keys
    /// of ours goes before, and what exactly-once rests on is not changed by it.
    /// </summary>
    public Secret Options { get; init; }
}

/// <summary>Resp: our own. StackExchange: StackExchange.Redis, in builds that have it.</summary>
public enum RedisClient { Resp, StackExchange }

public sealed record SentinelOptions
{
    public IReadOnlyList<HostPort> Hosts { get; init; } = [];
    public string MasterName { get; init; } = "";
    public string? User { get; init; }
    public Secret Password { get; init; }
}

public sealed record SnapshotOptions
{
    public SnapshotMode Mode { get; init; } = SnapshotMode.Onetime;

    /// <summary>Rows in a batch, 1 to 100,000; default 1000.</summary>
    public int BatchSize { get; init; } = 1000;

    /// <summary>Tables and ranges read at once, 1 to 32; default 1.</summary>
    public int ParallelWorkers { get; init; } = 1;

    /// <summary>True: the first failed table or row ends the process. False: it is logged, counted and left for the next start.</summary>
    public bool AbortOnError { get; init; }

    /// <summary>statement_timeout of snapshot reads; 0 or null for none.</summary>
    public TimeSpan? QueryTimeout { get; init; }

    /// <summary>Rows between PostgreSQL and Redis while snapshotting; null takes the top-level value.</summary>
    public int? MaxWriteQueueSize { get; init; }

    /// <summary>Which tables and rows; a table not named is copied in full.</summary>
    public IReadOnlyList<SnapshotTable> Config { get; init; } = [];
}

/// <summary>Onetime: copy tables not copied yet, then stream. OnetimeOnly: copy and exit. Never: stream only.</summary>
public enum SnapshotMode { Onetime, OnetimeOnly, Never }

/// <param name="Schema">Schema of the table.</param>
/// <param name="Name">Table name.</param>
/// <param name="Query">A condition without the word WHERE; null copies every row.</param>
/// <param name="Position">Where it stands in the file.</param>
public sealed record SnapshotTable(string Schema, string Name, string? Query, SourcePosition Position);

/// <summary>Delayed retry of what Redis refused for a passing reason.</summary>
public sealed record RetryOptions
{
    /// <summary>Attempts for one batch before the circuit is reported open, 1 or more; the batch itself is never dropped. Default 10.</summary>
    public int MaxRetries { get; init; } = 10;

    /// <summary>Failed connection attempts in a row before the process gives up; 0 means never. Default 0.</summary>
    public int MaxConnectionRetries { get; init; }

    /// <summary>Over 0; default 100 ms.</summary>
    public TimeSpan InitialBackoff { get; init; } = TimeSpan.FromMilliseconds(100);

    /// <summary>1 or more; 1 grows linearly with the attempt. Default 2.</summary>
    public double Multiplier { get; init; } = 2;

    /// <summary>Share of the delay drawn at random, 0 to 1. Default 0.2.</summary>
    public double Jitter { get; init; } = 0.2;

    /// <summary>Over 0; default 10 s.</summary>
    public TimeSpan MaxBackoff { get; init; } = TimeSpan.FromSeconds(10);
}

/// <summary>Health, metrics and admin endpoint.</summary>
public sealed record HttpOptions
{
    public bool Enabled { get; init; } = true;

    /// <summary>Address to listen on. Default 127.0.0.1: nobody else can reach it.</summary>
    public string Host { get; init; } = "127.0.0.1";

    /// <summary>0 takes a free port and prints it. Default 7717.</summary>
    public int Port { get; init; } = 7717;
}

public sealed record TelemetryOptions
{
    /// <summary>OTLP endpoint, such as http://localhost:4317; null for none.</summary>
    public Uri? OtlpEndpoint { get; init; }
}

/// <summary>A value that never shows itself: it prints as *** and has to be asked for by name.</summary>
public readonly struct Secret(string? value)
{
    readonly string? value = value;
    public bool IsSet => !string.IsNullOrEmpty(value);
    public string Reveal() => value ?? "";
    public override string ToString() => IsSet ? "***" : "";
}
