using Sync.Contracts;
using Sync.Contracts.Configuration;
using Sync.Engine.Batching;
using Sync.Engine.DeadLetters;
using Sync.Redis;
using Sync.Redis.Cluster;
using Sync.Redis.Connections;
using Sync.Redis.DeadLetters;
using Sync.Redis.Errors;
using Sync.Redis.Progress;
using Sync.Redis.Sink;

namespace Sync.Node.Hosting;

/// <summary>What all writers of a node share; everything in it is immutable or thread-safe.</summary>
sealed record WriterContext(SyncConfig Config, RedisKeys Keys, SyncMetrics Metrics, NodeStats Stats, HostLog Log, TimeProvider Time)
{
    /// <summary>Our right to write, taken when the positions were read.</summary>
    public OwnerFence Fence { get; } = new(Keys.Owner, Guid.NewGuid().ToString("N"));

    /// <summary>Whether a flight records how far it reached; without, one with an unknown outcome is repeated.</summary>
    public bool RecordsPositions { get; } = Config.Delivery == Delivery.ExactlyOnce;

    /// <summary>What refuses our flights once we were replaced; null when only <see cref="Fence"/> is looked at from time to time.</summary>
    public OwnerFence? FlightFence => RecordsPositions ? Fence : null;

    /// <summary>The history of the Redis the positions were read from. Another one may hold less than was acknowledged.</summary>
    public required string History { get; init; }

    /// <summary>The Redis Cluster that is written to; null for a single server.</summary>
    public ClusterView? Cluster { get; init; }

    /// <summary>What Redis has refused for its size, where it does not tell its limits.</summary>
    public LearnedLimits Limits { get; } = new();

    public ProgressStore Progress { get; init; } = new(Keys);
    public SnapshotMarks Snapshots { get; } = new(Keys);
    public DeadLetterStore DeadLetters { get; } = new(Keys, Time);
    public FlightFilter Filter { get; } = new([.. Config.Tables.Select(t => t.FullName)]);

    /// <summary>In a Cluster, the last TRUNCATE that was answered by removing keys.</summary>
    public ValueTask<Position> TruncatesAsync(RespConnection connection, CancellationToken cancellationToken) =>
        Progress.ReadFieldAsync(connection, truncatedField, cancellationToken);

    /// <summary>Records it, before anything behind it is written.</summary>
    public async ValueTask TruncatedAsync(RespConnection connection, Position position, CancellationToken cancellationToken) =>
        (await connection.ExecuteAsync(cancellationToken, "HSET", Keys.Progress, truncatedField, position.ToString())).OrThrow(connection.Endpoint, connection.User);

    static readonly byte[] truncatedField = "truncated"u8.ToArray();

    /// <summary>Counts a batch that is in Redis.</summary>
    public void Count(Batch batch)
    {
        Stats.Applied(batch);
        Metrics.RowsApplied.Add(batch.Count);
        Metrics.CommandsApplied.Add(batch.Commands);
        Metrics.BytesWritten.Add(batch.Body.Length);
        Metrics.BatchRows.Record(batch.Count);
        // The first entry waited longest; one observation per batch keeps the cost off the rows.
        long committed = batch.Entries[0].CommitTicks;
        if (committed > 0) Metrics.CommitToApplied.Record(Math.Max(0, (Time.GetUtcNow().UtcTicks - committed) / (double)TimeSpan.TicksPerSecond));
    }

    /// <summary>A table, or its place in the publication, was changed behind the stream's back: for metrics and status.</summary>
    public void CountSchemaChange(string change)
    {
        Metrics.Warnings.Add(1, new KeyValuePair<string, object?>("kind", "schema_change"));
        Stats.SetError(change);
    }

    /// <summary>More and more dead letters hide that something is wrong with all of them; the log keeps what was not read yet.</summary>
    /// <exception cref="SyncException">There are as many as are allowed.</exception>
    public void EnsureDeadLettersFit()
    {
        if (Stats.DeadLetters is var count && count < Config.DeadLetters.Max) return;
        throw new SyncException(ExitCode.DeadLettersFull,
            $"{count} changes are parked in the dead letters, as many as deadLetters.max allows; mend the cause (actorsync dlq list) and retry or drop them, "
            + "or raise the bound, then start again: nothing is lost, PostgreSQL keeps what follows.");
    }
}
