using Sync.Contracts.Configuration;
using Sync.Engine.DeadLetters;
using Sync.Redis;
using Sync.Redis.DeadLetters;
using Sync.Redis.Progress;

namespace Sync.Node.Hosting;

/// <summary>What all writers of a node share; everything in it is immutable or thread-safe.</summary>
sealed record WriterContext(SyncConfig Config, RedisKeys Keys, SyncMetrics Metrics, NodeStats Stats, HostLog Log, TimeProvider Time)
{
    public ProgressStore Progress { get; } = new(Keys);
    public SnapshotMarks Snapshots { get; } = new(Keys);
    public DeadLetterStore DeadLetters { get; } = new(Keys, Time);
    public FlightFilter Filter { get; } = new([.. Config.Tables.Select(t => t.FullName)]);
}
