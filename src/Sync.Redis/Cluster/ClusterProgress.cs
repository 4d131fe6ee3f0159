using System.Globalization;
using Sync.Contracts;
using Sync.Engine.Progress;
using Sync.Redis.Connections;
using Sync.Redis.Errors;
using Sync.Redis.Protocol;
using Sync.Redis.Sink;

namespace Sync.Redis.Cluster;

/// <summary>What the progress hashes of all hash slots say.</summary>
/// <param name="Slots">Positions by slot and writer of that time.</param>
/// <param name="Retried">Changes whose commands in a slot were retried from the dead letters, or given up.</param>
/// <param name="Confirmed">What the master that knows least was told that PostgreSQL may forget; means something once all were told for the first time.</param>
public sealed record ClusterPositions(
    IReadOnlyDictionary<int, List<(int Workers, int Worker, Position Reached)>> Slots, IReadOnlySet<(int Slot, Position Position)> Retried, Lsn Confirmed);

/// <summary>Reads the progress of all hash slots at start, and stamps every master with what PostgreSQL is told.</summary>
public static class ClusterProgress
{
    const int AtOnce = 1000;
    const string RetriedPrefix = "dlq:";

    /// <summary>Field that says how many commands of a dead letter were applied in a slot, for as long as its change may come again.</summary>
    internal static string RetriedField(Position position, string id) => $"{RetriedPrefix}{position}:{id}";

    /// <summary>Reads all of them. Fields that can't matter any more are removed, so that there are never many.</summary>
    /// <param name="connections">To all masters.</param>
    /// <param name="control">Knows the owner's token.</param>
    /// <param name="begin">Where the slot of PostgreSQL begins: no older change comes again.</param>
    /// <param name="workers">How many there are from now on.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="SyncException">A hash holds something else than progress.</exception>
    /// <exception cref="RedisTransientException">A master can't be asked now.</exception>
    public static async ValueTask<ClusterPositions> LoadAsync(ClusterConnections connections, SinkSession control, Lsn begin, int workers, CancellationToken cancellationToken)
    {
        var slots = new Dictionary<int, List<(int, int, Position)>>();
        var retried = new HashSet<(int, Position)>();
        var stamps = new List<Lsn>();
        foreach (var master in connections.View.Map.Masters)
        {
            var connection = await connections.ToAsync(master, control, cancellationToken);
            var stamp = Lsn.None;
            foreach (int[] some in Enumerable.Range(0, HashSlots.Count).Where(s => connections.View.Map.OwnerOf(s) == master).Chunk(AtOnce))
            {
                var asks = new RespCommands();
                foreach (int slot in some) asks.Add("HGETALL", connections.View.Keys.ProgressOf(slot));
                var replies = await connection.ExecutePipelineAsync(asks, cancellationToken);
                var stale = new RespCommands();
                for (int i = 0; i < some.Length; i++)
                {
                    var items = replies[i].OrThrow(connection.Endpoint, connection.User).Items;
                    for (int f = 0; f + 1 < items.Count; f += 2)
                    {
                        string name = items[f].AsString()!, value = items[f + 1].AsString()!;
                        if (name == LanePositions.ConfirmedField && Lsn.TryParse(value, out var confirmed)) stamp = confirmed > stamp ? confirmed : stamp;
                        if (TryRetried(name, out var position))
                        {
                            if (position.Commit >= begin) retried.Add((some[i], position));
                            else stale.Add("HDEL", connections.View.Keys.ProgressOf(some[i]), name);
                        }
                        if (!TryWorker(name, out int count, out int worker)) continue;
                        if (!Position.TryParse(value, out var reached)) throw Unreadable(connections.View.Keys.ProgressOf(some[i]), connection);
                        if (reached.Commit >= begin)
                        {
                            if (!slots.TryGetValue(some[i], out var list)) slots[some[i]] = list = [];
                            list.Add((count, worker, reached));
                        }
                        else if (count != workers) stale.Add("HDEL", connections.View.Keys.ProgressOf(some[i]), name);
                    }
                }
                if (stale.Count > 0) await connection.ExecutePipelineAsync(stale, cancellationToken);
            }
            stamps.Add(stamp);
        }
        return new ClusterPositions(slots, retried, stamps.Min());
    }

    /// <summary>Removes the progress of all hash slots: it belongs to a history that PostgreSQL has left.</summary>
    /// <param name="connections">To all masters.</param>
    /// <param name="control">Knows the owner's token.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="RedisTransientException">A master can't be asked now.</exception>
    public static async ValueTask ClearAsync(ClusterConnections connections, SinkSession control, CancellationToken cancellationToken)
    {
        foreach (var master in connections.View.Map.Masters)
        {
            var connection = await connections.ToAsync(master, control, cancellationToken);
            foreach (int[] some in Enumerable.Range(0, HashSlots.Count).Where(s => connections.View.Map.OwnerOf(s) == master).Chunk(AtOnce))
            {
                var removals = new RespCommands();
                foreach (int slot in some) removals.Add("DEL", connections.View.Keys.ProgressOf(slot));
                foreach (var reply in await connection.ExecutePipelineAsync(removals, cancellationToken)) reply.OrThrow(connection.Endpoint, connection.User);
            }
        }
    }

    /// <summary>Tells every master what PostgreSQL is going to be told, in the first slot that it serves.</summary>
    /// <exception cref="RedisTransientException">A master can't be told now.</exception>
    public static async ValueTask StampAsync(ClusterConnections connections, SinkSession control, Lsn confirmed, CancellationToken cancellationToken)
    {
        var map = connections.View.Map;
        foreach (var master in map.Masters)
        {
            int slot = map.FirstOf(master);
            var stamp = new RespCommands().Add("HSET", connections.View.Keys.ProgressOf(slot), LanePositions.ConfirmedField, confirmed.ToString());
            var connection = await connections.ToAsync(master, control, cancellationToken);
            (await connections.ExecuteAsync(slot, stamp, control, cancellationToken)).OrThrow(connection.Endpoint, connection.User);
        }
    }

    static bool TryRetried(string name, out Position position)
    {
        position = Position.None;
        string[] parts = name.Split(':');
        return parts.Length == 3 && name.StartsWith(RetriedPrefix, StringComparison.Ordinal) && Position.TryParse(parts[1], out position);
    }

    static bool TryWorker(string name, out int workers, out int worker)
    {
        string[] parts = name.Split(':');
        workers = worker = 0;
        return parts.Length == 3 && parts[0] == "w"
            && int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out workers) && workers > 0
            && int.TryParse(parts[2], NumberStyles.None, CultureInfo.InvariantCulture, out worker) && worker < workers;
    }

    static SyncException Unreadable(string key, RespConnection connection) => new(ExitCode.ForeignProgress,
        $"The progress under '{key}' in Redis at {connection.Endpoint} can't be read: a field holds no position; use another slot name, or DEL that key to start anew.");
}
