using Sync.Node.Resync;

namespace Sync.Node.Hosting;

/// <summary>What the node is doing.</summary>
public enum NodeState
{
    /// <summary>Connecting and checking.</summary>
    Starting,
    /// <summary>Another process holds the slot; this one waits to take over.</summary>
    Standby,
    /// <summary>Copying tables.</summary>
    Snapshotting,
    /// <summary>Following the WAL.</summary>
    Streaming,
    /// <summary>PostgreSQL is lost; trying to come back.</summary>
    Reconnecting,
    /// <summary>Draining after a request to stop.</summary>
    Stopping,
    /// <summary>Ended, by request or by a fatal error.</summary>
    Stopped,
}

/// <summary>A picture of the node at one moment, as <c>/api/status</c> shows it. Holds no secret and no row value.</summary>
public sealed record NodeStatus
{
    public required string Version { get; init; }
    public required NodeState State { get; init; }

    /// <summary>Why it is not streaming, or who holds the slot; empty when all is well.</summary>
    public string Detail { get; init; } = "";

    /// <summary>The last error seen, without secrets; empty for none.</summary>
    public string LastError { get; init; } = "";
    public required DateTimeOffset StartedAt { get; init; }
    public required string Slot { get; init; }
    public required string Publication { get; init; }

    /// <summary>host:port of the primary; empty before one was found.</summary>
    public string Postgres { get; init; } = "";

    /// <summary>host:port of the Redis that is written to; with Sentinels empty before a master was found.</summary>
    public string Redis { get; init; } = "";

    /// <summary>What is promised about every row change.</summary>
    public string Guarantee { get; init; } = "";
    public LsnStatus Lsn { get; init; } = new("0/0", "0/0", "0/0");

    /// <summary>WAL between PostgreSQL's end of log and the confirmed position, in bytes.</summary>
    public long LagBytes { get; init; }

    /// <summary>Age of the oldest commit under way, in milliseconds; 0 when nothing is under way.</summary>
    public double LagMs { get; init; }
    public RateStatus Rates { get; init; } = new(0, 0, 0);
    public QueueStatus Queues { get; init; } = new(0, 0, 0);

    /// <summary>Attempts to write that had to be repeated, since the start.</summary>
    public long Retries { get; init; }

    /// <summary>Entries in the dead letters.</summary>
    public long DeadLetters { get; init; }

    /// <summary>Writers whose circuit is open: Redis refused them more often than retryPolicy.maxRetries in a row.</summary>
    public int OpenCircuits { get; init; }
    public IReadOnlyList<TableStatus> Tables { get; init; } = [];
    public SnapshotStatus? Snapshot { get; init; }

    /// <summary>Re-syncs that are under way, and the last one of each table.</summary>
    public IReadOnlyList<ResyncStatus> Resyncs { get; init; } = [];

    /// <summary>The log of PostgreSQL that Redis follows; null before it is known.</summary>
    public HistoryStatus? History { get; init; }

    /// <summary>Whether <c>/healthz/ready</c> says yes: streaming, Redis reachable, no table without its copy.</summary>
    public bool Ready { get; init; }
}

/// <param name="System">System identifier of the PostgreSQL cluster.</param>
/// <param name="Timeline">The timeline that its log is on.</param>
/// <param name="Change">What was found and done when PostgreSQL last left the history that Redis followed, since this node's start; empty when it did not.</param>
/// <param name="ChangedAt">When that was; null when it was not.</param>
public sealed record HistoryStatus(string System, uint Timeline, string Change, DateTimeOffset? ChangedAt);

/// <param name="Received">How far PostgreSQL has sent.</param>
/// <param name="Applied">How far Redis holds everything.</param>
/// <param name="Confirmed">How far PostgreSQL was told it may forget.</param>
public sealed record LsnStatus(string Received, string Applied, string Confirmed);

/// <param name="RowsPerSecond">Rows applied, over the last 10 seconds.</param>
/// <param name="CommandsPerSecond">Commands applied, over the last 10 seconds.</param>
/// <param name="BytesPerSecond">RESP bytes applied, over the last 10 seconds.</param>
public sealed record RateStatus(double RowsPerSecond, double CommandsPerSecond, double BytesPerSecond);

/// <param name="Batches">Batches between reader and Redis.</param>
/// <param name="Rows">Row changes in them.</param>
/// <param name="Bytes">Memory of them.</param>
public sealed record QueueStatus(int Batches, long Rows, long Bytes);

/// <param name="Table">schema.table.</param>
/// <param name="Rows">Rows applied since the start.</param>
/// <param name="Skipped">Rows that asked for nothing or were already applied.</param>
/// <param name="DeadLetters">Rows parked since the start.</param>
/// <param name="Error">Why the table is stopped; empty when it is not.</param>
/// <param name="LastCommit">Commit time of the last row applied.</param>
/// <param name="Notice">What may be wrong in Redis since a change of the table that the stream does not bring; empty for nothing.</param>
public sealed record TableStatus(string Table, long Rows, long Skipped, long DeadLetters, string Error, DateTimeOffset? LastCommit, string Notice = "");

/// <param name="Table">schema.table under way.</param>
/// <param name="Rows">Rows copied.</param>
/// <param name="PercentDone">0 to 100, by pages read.</param>
/// <param name="RowsPerSecond">Since the table was begun.</param>
/// <param name="SecondsLeft">Estimate; null while unknown.</param>
/// <param name="TablesDone">Tables copied.</param>
/// <param name="TablesTotal">Tables to copy.</param>
public sealed record SnapshotStatus(
    string Table, long Rows, double PercentDone, double RowsPerSecond, double? SecondsLeft, int TablesDone, int TablesTotal);

/// <summary>What a retry of dead letters did.</summary>
/// <param name="Applied">Dead letters that are in Redis now.</param>
/// <param name="Failed">Ordering keys whose dead letter Redis refused again.</param>
/// <param name="NotTried">Ordering keys whose dead letter was left alone; null where the two can't be told apart, and <paramref name="Failed"/> counts
/// both.</param>
/// <param name="Reason">Why the first of them was left alone; empty when none was.</param>
public readonly record struct RetryOutcome(int Applied, int Failed, int? NotTried = 0, string Reason = "")
{
    /// <summary>The same with what became of one more key.</summary>
    public RetryOutcome With(Redis.DeadLetters.ReplayResult key) => this with
    {
        Applied = Applied + key.Applied,
        Failed = Failed + (key.Failure is { WasTried: true } ? 1 : 0),
        NotTried = NotTried + (key.Failure is { WasTried: false } ? 1 : 0),
        Reason = Reason.Length == 0 && key.Failure is { WasTried: false } left ? left.Error : Reason,
    };
}

/// <summary>What the HTTP endpoint asks of a node.</summary>
public interface INodeAdmin
{
    NodeStatus Status { get; }

    /// <summary>Replays parked changes in order: of one ordering key, or of all when null.</summary>
    Task<RetryOutcome> RetryDeadLettersAsync(byte[]? key, bool force, CancellationToken cancellationToken);

    /// <summary>Gives up parked changes: of one entry id, of one ordering key, or all when both are null. Returns how many.</summary>
    Task<int> DropDeadLettersAsync(string? id, byte[]? key, CancellationToken cancellationToken);

    /// <summary>Begins to re-sync a table, or all of them when null, from the first row. Returns all re-syncs.</summary>
    Task<IReadOnlyList<ResyncStatus>> StartResyncAsync(string? table, int rowsPerSecond, CancellationToken cancellationToken);

    /// <summary>Holds, goes on with, or gives up the re-sync of a table, or all of them when null. Returns all re-syncs.</summary>
    Task<IReadOnlyList<ResyncStatus>> OrderResyncAsync(string? table, ResyncOrder order, CancellationToken cancellationToken);

    /// <summary>Compares rows and places with Redis, and mends what differs.</summary>
    Task<RepairReply> RepairAsync(RepairRequest request, CancellationToken cancellationToken);
}
