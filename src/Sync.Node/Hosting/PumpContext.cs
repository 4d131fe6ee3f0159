using Sync.Contracts.Configuration;
using Sync.Engine.Batching;
using Sync.Engine.Ordering;
using Sync.Engine.Progress;
using Sync.Redis.Cluster;

namespace Sync.Node.Hosting;

/// <summary>What reading and writing share for one replication connection: writers, positions, flow control and counters.</summary>
sealed class PumpContext
{
    public PumpContext(
        WriterContext writer, IReadOnlyList<RedisWriter> writers, TableSet tables, LaneRouter router, AppliedPositions applied, SlotReplay? replay, ProgressTracker tracker, FlowGate gate)
    {
        Replay = replay;
        Writer = writer;
        Writers = writers;
        Tables = tables;
        Router = router;
        Applied = applied;
        Tracker = tracker;
        Gate = gate;
        Pool = new BatchPool(writers.Count * (2 * Config.FlushQueueDepth + 2));
    }

    public WriterContext Writer { get; }
    public SyncConfig Config => Writer.Config;
    public SyncMetrics Metrics => Writer.Metrics;
    public NodeStats Stats => Writer.Stats;
    public HostLog Log => Writer.Log;
    public TimeProvider Time => Writer.Time;
    public IReadOnlyList<RedisWriter> Writers { get; }
    public TableSet Tables { get; }
    public LaneRouter Router { get; }

    /// <summary>Belongs to the reader.</summary>
    public AppliedPositions Applied { get; }

    /// <summary>What the hash slots of a Cluster hold already; null for a single server. Belongs to the reader.</summary>
    public SlotReplay? Replay { get; }
    public ProgressTracker Tracker { get; }
    public FlowGate Gate { get; }
    public BatchPool Pool { get; }

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
}
