using Sync.Contracts.Configuration;
using Sync.Engine.Progress;
using Sync.Engine.Resync;
using Sync.Redis;
using Sync.Redis.Progress;

namespace Sync.Node.Hosting;

/// <summary>What a node keeps from one connection to the next.</summary>
sealed record NodeParts(SyncConfig Config, SyncMetrics Metrics, NodeStats Stats, HostLog Log, TimeProvider Time)
{
    /// <summary>What the stream has carried last, over all connections.</summary>
    public RecentTransactions Recent { get; } = new();

    /// <summary>What the stream has found out about PostgreSQL's log, for the next start to act on; null for nothing.</summary>
    public HistoryFinding? Diverged { get; set; }

    /// <summary>Changes of tables for which a connection was given up, so that the next one could settle them; what it does not settle is told.</summary>
    public HashSet<string> SchemaChanges { get; } = [];

    /// <summary>Whether the next start drops the slot and makes it anew, because what it holds can't be decoded.</summary>
    public bool HasToRemakeSlot { get; set; }

    /// <summary>What the writers of one engine share, with a right to write of its own.</summary>
    /// <param name="history">Of the Redis that positions are read from.</param>
    /// <param name="lanes">How many there are.</param>
    public WriterContext ContextFor(string history, int lanes)
    {
        var keys = new RedisKeys(Config.Postgres.Repl.Slot);
        return new WriterContext(Config, keys, Metrics, Stats, Log, Time) { History = history, Progress = new ProgressStore(keys, lanes) };
    }
}
