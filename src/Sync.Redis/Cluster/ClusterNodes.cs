using Sync.Contracts;
using Sync.Contracts.Configuration;
using Sync.Redis.Connections;
using Sync.Redis.Errors;
using Sync.Redis.Protocol;

namespace Sync.Redis.Cluster;

/// <summary>Finds the nodes of a Cluster: any of those that are known tells all others (Redis docs, "Redis cluster specification", "Clients first connection and handling of redirections").</summary>
static class ClusterNodes
{
    /// <summary>Who serves which slot, by the first node that answers.</summary>
    /// <param name="options">With nodes. User, password and TLS are those of <c>conn</c>.</param>
    /// <param name="known">Nodes to ask before those.</param>
    /// <param name="timeout">For each node.</param>
    /// <param name="time">Clock of the time-outs.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="RedisTransientException">None answers now.</exception>
    /// <exception cref="SyncException">A node is of no Cluster, or refuses us.</exception>
    public static async ValueTask<SlotMap> MapAsync(
        RedisOptions options, IReadOnlyList<HostPort> known, TimeSpan timeout, TimeProvider time, CancellationToken cancellationToken)
    {
        var reasons = new List<string>();
        foreach (var node in known.Concat(options.Nodes).Distinct())
        {
            try
            {
                await using var connection = await RespConnection.ConnectAsync(options.Conn with { Host = node.Host, Port = node.Port }, timeout, time, cancellationToken);
                if (!connection.Server.IsCluster)
                    throw new SyncException(ExitCode.RedisUnsuitable, $"Redis at {node} is no node of a Redis Cluster; name a single server under redis.conn, not redis.nodes.");
                var reply = (await connection.ExecuteAsync(cancellationToken, "CLUSTER", "SLOTS")).OrThrow(connection.Endpoint, connection.User);
                var map = SlotMap.Parse(reply, node.Host);
                if (map.Masters.Count > 0) return map;
                reasons.Add($"Redis at {node} knows of no slot that is served");
            }
            catch (RedisTransientException e)
            {
                reasons.Add(e.Message.TrimEnd('.'));
            }
            catch (RespProtocolException e)
            {
                reasons.Add($"Redis at {node}: {e.Message.TrimEnd('.')}");
            }
        }
        throw new RedisTransientException($"No node of the Redis Cluster tells who serves what: {string.Join("; ", reasons)}.", outcomeUnknown: false);
    }

    /// <summary>A connection to the master that serves our own keys.</summary>
    /// <exception cref="RedisTransientException">It can't be reached, or nobody serves them now.</exception>
    public static async ValueTask<RespConnection> ConnectAsync(RedisOptions options, TimeSpan timeout, TimeProvider time, CancellationToken cancellationToken)
    {
        var map = await MapAsync(options, [], timeout, time, cancellationToken);
        if (map.OwnerOf(HashSlots.Of(options.Tag)) is not { } owner)
            throw new RedisTransientException($"No master of the Redis Cluster serves hash slot {HashSlots.Of(options.Tag)}, where ActorSync's own keys are.", outcomeUnknown: false);
        var connection = await RespConnection.ConnectAsync(options.Conn with { Host = owner.Host, Port = owner.Port }, timeout, time, cancellationToken);
        if (connection.Server.Role == "master") return connection;
        await connection.DisposeAsync();
        throw new RedisTransientException($"Redis at {owner} is a replica.", outcomeUnknown: false) { IsReplica = true };
    }
}
