using Sync.Contracts.Configuration;
using Sync.Engine.DeadLetters;
using Sync.Redis;
using Sync.Redis.DeadLetters;
using Sync.Redis.Progress;
using Sync.Redis.Sink;

namespace Sync.Node.Hosting;

/// <summary>What all writers of a node share; everything in it is immutable or thread-safe.</summary>
sealed record WriterContext(SyncConfig Config, RedisKeys Keys, SyncMetrics Metrics, NodeStats Stats, HostLog Log, TimeProvider Time)
{
    /// <summary>Our right to write, taken when the positions were read.</summary>
    public OwnerFence Fence { get; } = new(Keys.Owner, Guid.NewGuid().ToString("N"));

    /// <summary>The Redis process the positions were read from. Another one may hold less than the one before acknowledged.</summary>
    public required string RunId { get; init; }

    public ProgressStore Progress { get; } = new(Keys);
    public SnapshotMarks Snapshots { get; } = new(Keys);
    public DeadLetterStore DeadLetters { get; } = new(Keys, Time);
    public FlightFilter Filter { get; } = new([.. Config.Tables.Select(t => t.FullName)]);
}
