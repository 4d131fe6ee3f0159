using Sync.Contracts.Configuration;
using Sync.Engine.Batching;
using Sync.Engine.Ordering;
using Sync.Engine.Progress;
using Sync.Node.Resync;
using Sync.Redis.Cluster;

namespace Sync.Node.Hosting;

/// <summary>What reading and writing share for one replication connection: writers, positions, flow control and counters.</summary>
sealed class PumpContext
{
    public PumpContext(
        WriterContext writer, IBatchOutput output, TableSet tables, LaneRouter router, AppliedPositions applied, SlotReplay? replay, ProgressTracker tracker, FlowGate gate)
    {
        Replay = replay;
        Writer = writer;
        Output = output;
        Tables = tables;
        Router = router;
        Applied = applied;
        Tracker = tracker;
        Gate = gate;
        Mends = output is WriterOutput own ? new WriterMends(this, own) : new LaneMends(this);
    }

    public WriterContext Writer { get; }
    public SyncConfig Config => Writer.Config;
    public SyncMetrics Metrics => Writer.Metrics;
    public NodeStats Stats => Writer.Stats;
    public HostLog Log => Writer.Log;
    public TimeProvider Time => Writer.Time;
    public IBatchOutput Output { get; }

    /// <summary>The writers, if they are in this process; null in a cluster of nodes.</summary>
    public WriterOutput? Writers => Output as WriterOutput;

    /// <summary>How rows that were read again get to Redis.</summary>
    public ResyncMends Mends { get; }
    public TableSet Tables { get; }
    public LaneRouter Router { get; }

    /// <summary>Belongs to the reader.</summary>
    public AppliedPositions Applied { get; }

    /// <summary>What the hash slots of a Cluster hold already; null for a single server. Belongs to the reader.</summary>
    public SlotReplay? Replay { get; }
    public ProgressTracker Tracker { get; }

    /// <summary>Whether transactions that Redis knows of come again.</summary>
    public required LandmarkWatch Landmarks { get; init; }
    public FlowGate Gate { get; }
    public BatchPool Pool => Output.Pool;
}
