using Sync.Contracts;
using Sync.Redis;
using Sync.Redis.Cluster;
using Sync.Redis.Sink;

namespace Sync.Node.Hosting;

/// <summary>What the start of an engine does in a Redis Cluster beside what it does on the master of our own keys.</summary>
static class ClusterStart
{
    /// <summary>Of a Redis Cluster: takes all masters over and reads how far each hash slot is.</summary>
    /// <param name="writer">What the writers share.</param>
    /// <param name="source">PostgreSQL.</param>
    /// <param name="session">To the master that has our own keys.</param>
    /// <param name="isCleared">False when the hash slots hold positions of a history that was abandoned.</param>
    /// <param name="switchedAt">What was confirmed beyond it is not in the log any more; <see cref="Lsn.None"/> when all of it is.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public static async Task<(ClusterView? View, ClusterPositions? Held)> TakeOverAsync(
        WriterContext writer, Source source, SinkSession session, bool isCleared, Lsn switchedAt, CancellationToken cancellationToken)
    {
        var config = writer.Config;
        if (!config.Redis.IsCluster) return (null, null);
        var view = await ClusterView.TakeOverAsync(config.Redis, config.WriteTimeout, writer.Time, writer.Keys, writer.Fence,
            (connection, slot) => AppendOnlyGuard.CheckAsync(writer, connection, RedisKeys.AppendOnlyOf(slot), cancellationToken), cancellationToken);
        await using var nodes = new ClusterConnections(view);
        if (!isCleared)
        {
            await ClusterProgress.ClearAsync(nodes, session, cancellationToken);
            await writer.Progress.ClearedAsync(session.Connection, cancellationToken);
        }
        var held = await ClusterProgress.LoadAsync(nodes, session, source.Slot.Facts.ConfirmedFlushLsn, config.FlushWorkers, cancellationToken);
        return (view, switchedAt != Lsn.None && held.Confirmed > switchedAt ? held with { Confirmed = switchedAt } : held);
    }
}
