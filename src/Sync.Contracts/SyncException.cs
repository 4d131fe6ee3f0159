namespace Sync.Contracts;

/// <summary>The process's exit codes, one per class of cause. Documented in docs/operating.md; never renumber.</summary>
public enum ExitCode
{
    Ok = 0,
    /// <summary>A check ran and found a difference or a warning that was asked to fail.</summary>
    CheckFailed = 1,
    /// <summary>The command line itself is wrong.</summary>
    Usage = 2,
    /// <summary>The configuration file or the environment is wrong, or names a database or a Sentinel's master that does not exist.</summary>
    Configuration = 3,
    /// <summary>PostgreSQL can't be reached.</summary>
    PostgresUnreachable = 10,
    /// <summary>PostgreSQL refuses user, password or certificate.</summary>
    PostgresAuthentication = 11,
    /// <summary>PostgreSQL is too old, wal_level is not logical, the settings of our sessions did not take, or a connection pooler answers.</summary>
    PostgresUnsuitable = 12,
    /// <summary>The publication is missing, a table is not in it, or it was created again after the replication slot.</summary>
    Publication = 13,
    /// <summary>The replication slot is missing, of another plugin or database, lost or in use, or none is left.</summary>
    Slot = 14,
    /// <summary>A table, column, replica identity or privilege that the configuration needs is missing.</summary>
    Schema = 15,
    /// <summary>A value or a statement has no form in UTF-8 or in the encoding of the database.</summary>
    Encoding = 16,
    /// <summary>Redis can't be reached.</summary>
    RedisUnreachable = 20,
    /// <summary>Redis refuses user or password, or the user lacks a permission.</summary>
    RedisAuthentication = 21,
    /// <summary>Redis is too old or set up in a way that loses data.</summary>
    RedisUnsuitable = 22,
    /// <summary>What Redis holds belongs to another PostgreSQL cluster, or PostgreSQL went back or forked and <c>onHistoryChange</c> is stop.</summary>
    ForeignProgress = 23,
    /// <summary>Redis lost changes that PostgreSQL no longer has, and <c>onRedisLoss</c> is stop.</summary>
    RedisLoss = 24,
    /// <summary>As many dead letters as <c>deadLetters.max</c> allows.</summary>
    DeadLettersFull = 25,
    /// <summary>A file of the TLS set-up is missing or unreadable.</summary>
    Tls = 30,
    /// <summary>The address of the HTTP endpoint is taken.</summary>
    HttpAddress = 31,
    /// <summary>A snapshot was aborted because <c>snapshot.abortOnError</c> is set.</summary>
    SnapshotAborted = 40,
    /// <summary>A comparison found that Redis is not what PostgreSQL says.</summary>
    Drift = 50,
    /// <summary>The other nodes of the cluster go on without this one, or it could not reach enough of them; a new start joins again.</summary>
    ClusterDowned = 60,
    /// <summary>No seed of the cluster has an address.</summary>
    ClusterSeeds = 61,
    /// <summary>A defect of this program.</summary>
    Internal = 70,
}

/// <summary>
/// An error a user can mend: one sentence that names what is wrong and what to do, and the exit code of its class.
/// The message is shown as it is, so it never contains a secret.
/// </summary>
public sealed class SyncException(ExitCode code, string message, Exception? inner = null) : Exception(message, inner)
{
    public ExitCode Code { get; } = code;
}
