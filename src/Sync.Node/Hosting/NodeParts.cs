using Sync.Contracts.Configuration;
using Sync.Engine.Resync;
using Sync.Redis;

namespace Sync.Node.Hosting;

/// <summary>What a node keeps from one connection to the next.</summary>
sealed record NodeParts(SyncConfig Config, SyncMetrics Metrics, NodeStats Stats, HostLog Log, TimeProvider Time)
{
    /// <summary>What the stream has carried last, over all connections.</summary>
    public RecentTransactions Recent { get; } = new();

    /// <summary>What the writers of one engine share, with a right to write of its own.</summary>
    public WriterContext ContextFor(string history) => new(Config, new RedisKeys(Config.Postgres.Repl.Slot), Metrics, Stats, Log, Time) { History = history };
}
