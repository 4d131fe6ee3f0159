using Sync.Contracts;
using Sync.Contracts.Configuration;
using Sync.Contracts.Rows;
using Sync.Postgres.Catalog;

namespace Sync.Postgres.Snapshots;

/// <summary>One table to copy.</summary>
/// <param name="Relation">The table with exactly the columns to read, in the stream's order; see <see cref="TableFacts.ToRelation"/>.</param>
/// <param name="Query">The user's condition, without the word WHERE; null for all rows.</param>
/// <param name="RowFilter">The publication's condition for the table; null for all rows.</param>
/// <param name="EstimatedRows">For progress; null when unknown.</param>
public sealed record SnapshotTarget(Relation Relation, string? Query = null, string? RowFilter = null, long? EstimatedRows = null);

/// <summary>How to read.</summary>
public sealed record SnapshotReadOptions
{
    /// <summary>Connections that read at once, 1 to 32; default 1. Fewer when PostgreSQL has none left.</summary>
    public int Workers { get; init; } = 1;

    /// <summary>Rows between two calls of <see cref="ISnapshotConsumer.FlushAsync"/>, 1 or more; default 1000.</summary>
    public int BatchSize { get; init; } = 1000;

    /// <summary>statement_timeout of each read, of which a large table takes many; null for none.</summary>
    public TimeSpan? QueryTimeout { get; init; }

    /// <summary>True: the first table that fails ends everything. False: it is reported and the others go on.</summary>
    public bool AbortOnError { get; init; }

    /// <summary>Blocks of 8 KiB read by one statement at most, 1 or more; default 8192, which is 64 MiB.</summary>
    public int RangePages { get; init; } = 8192;

    public static SnapshotReadOptions Of(SnapshotOptions options) => new()
    {
        Workers = options.ParallelWorkers,
        BatchSize = options.BatchSize,
        QueryTimeout = options.QueryTimeout is { Ticks: > 0 } timeout ? timeout : null,
        AbortOnError = options.AbortOnError,
    };
}

/// <summary>
/// Takes the rows. Calls of one worker come one after the other, those of different workers at the same time; rows of
/// one table may come from all of them, in any order. An exception from here ends the whole snapshot and reaches the
/// caller of <see cref="SnapshotReader.RunAsync"/> as it is.
/// </summary>
public interface ISnapshotConsumer
{
    /// <summary>One row, whose memory is valid during the call only. True asks for a flush before the next one.</summary>
    /// <param name="worker">0 to workers - 1.</param>
    /// <param name="target">The table.</param>
    /// <param name="row">As wide as the target's relation.</param>
    bool OnRow(int worker, SnapshotTarget target, RowTuple row);

    /// <summary>Called after every batch and after a worker's last row of a range; waiting here slows the reading down.</summary>
    ValueTask FlushAsync(int worker, SnapshotTarget target, CancellationToken ct);

    /// <summary>
    /// A table is through: all of its rows were handed over and flushed, or it failed. The consumer marks it done only
    /// once what it was given is in Redis.
    /// </summary>
    ValueTask TableEndedAsync(SnapshotOutcome outcome, CancellationToken ct);
}

/// <param name="Target">The table.</param>
/// <param name="Rows">Rows handed over.</param>
/// <param name="Bytes">Bytes received for them.</param>
/// <param name="Error">Why it failed; null when every row was read.</param>
public sealed record SnapshotOutcome(SnapshotTarget Target, long Rows, long Bytes, SyncException? Error)
{
    public bool Succeeded => Error is null;
}

public enum SnapshotState { Waiting, Reading, Done, Failed }

/// <summary>How far one table is. Pages are those of the heap; 0 in total means that only rows can be counted.</summary>
/// <param name="Table">Schema and table joined by a dot.</param>
/// <param name="State">Where it stands.</param>
/// <param name="Rows">Rows read so far.</param>
/// <param name="EstimatedRows">The planner's estimate of the whole table; null when unknown.</param>
/// <param name="Bytes">Bytes received so far.</param>
/// <param name="PagesDone">Blocks read so far; they grow a whole range at a time.</param>
/// <param name="PagesTotal">Blocks of the table when the snapshot began.</param>
public sealed record SnapshotProgress(string Table, SnapshotState State, long Rows, long? EstimatedRows, long Bytes, long PagesDone, long PagesTotal);
