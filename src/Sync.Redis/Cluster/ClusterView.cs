using Sync.Contracts;
using Sync.Contracts.Configuration;
using Sync.Redis.Connections;
using Sync.Redis.Errors;
using Sync.Redis.Protocol;
using Sync.Redis.Sink;

namespace Sync.Redis.Cluster;

/// <summary>
/// A Redis Cluster as one owner sees it: the slot map, and the history of each master when its progress was read. A master that came later, by
/// failover, may lack what the one before had acknowledged, so whoever meets it begins anew with reading what Redis holds. Thread-safe.
/// </summary>
public sealed class ClusterView
{
    readonly RedisOptions options;
    readonly TimeSpan timeout;
    readonly TimeProvider time;
    readonly Dictionary<HostPort, string> histories = [];
    volatile SlotMap map;

    ClusterView(RedisOptions options, TimeSpan timeout, TimeProvider time, SlotMap map, RedisKeys keys, OwnerFence owner)
    {
        this.options = options;
        this.timeout = timeout;
        this.time = time;
        this.map = map;
        Keys = keys;
        Owner = owner;
        Name = $"{RedisKeys.Prefix}{options.Tag}:{owner.Token}";
    }

    public SlotMap Map => map;

    public RedisKeys Keys { get; }

    /// <summary>Our right to write.</summary>
    public OwnerFence Owner { get; }

    /// <summary>What our connections are called in CLIENT LIST, so that the next owner can end them.</summary>
    public string Name { get; }

    /// <summary>
    /// Takes the masters over from whoever wrote before, once <paramref name="owner"/>'s token stands in Redis: every connection of another owner of
    /// this slot is ended on every master. One that is opened later finds the token before it writes.
    /// </summary>
    /// <param name="options">With nodes.</param>
    /// <param name="timeout">See <see cref="RespConnection.ConnectAsync"/>.</param>
    /// <param name="time">Clock of the time-outs.</param>
    /// <param name="keys">Our keys.</param>
    /// <param name="owner">Our right to write, already recorded.</param>
    /// <param name="prepare">Called with a connection to each master before anything is written there, and the number of a hash slot that it serves.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="RedisTransientException">A master can't be reached now.</exception>
    /// <exception cref="SyncException">The user may not run CLIENT LIST and CLIENT KILL, by which another owner is kept out.</exception>
    public static async ValueTask<ClusterView> TakeOverAsync(
        RedisOptions options, TimeSpan timeout, TimeProvider time, RedisKeys keys, OwnerFence owner, Func<RespConnection, int, ValueTask> prepare, CancellationToken cancellationToken)
    {
        var view = new ClusterView(options, timeout, time, await ClusterNodes.MapAsync(options, [], timeout, time, cancellationToken), keys, owner);
        foreach (var master in view.Map.Masters)
        {
            await using var connection = await view.OpenAsync(master, cancellationToken);
            view.histories[master] = connection.Server.History;
            await view.EndOthersAsync(connection, cancellationToken);
            await prepare(connection, Enumerable.Range(0, HashSlots.Count).First(slot => view.Map.OwnerOf(slot) == master));
        }
        return view;
    }

    /// <summary>Asks anew who serves what.</summary>
    /// <exception cref="RedisTransientException">Nobody answers.</exception>
    public async ValueTask RefreshAsync(CancellationToken cancellationToken) =>
        map = await ClusterNodes.MapAsync(options, map.Masters, timeout, time, cancellationToken);

    /// <summary>A connection to a master for writing.</summary>
    /// <param name="node">The master.</param>
    /// <param name="control">Asked whether we are the owner still, once the connection bears our name.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="RedisFencedException">Another owner took over, or the master is not the one whose progress was read.</exception>
    /// <exception cref="RedisTransientException">It can't be reached.</exception>
    public async ValueTask<RespConnection> ConnectAsync(HostPort node, SinkSession control, CancellationToken cancellationToken)
    {
        var connection = await OpenAsync(node, cancellationToken);
        try
        {
            if (histories.GetValueOrDefault(node) != connection.Server.History)
                throw new RedisFencedException($"Redis at {connection.Endpoint} was restarted, or took slots over from another master; what it holds has to be read anew.");
            await control.CheckOwnerAsync(Owner, cancellationToken);
            return connection;
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }
    }

    async ValueTask<RespConnection> OpenAsync(HostPort node, CancellationToken cancellationToken)
    {
        var connection = await RespConnection.ConnectAsync(options.Conn with { Host = node.Host, Port = node.Port }, timeout, time, cancellationToken);
        try
        {
            if (connection.Server.Role != "master")
                throw new RedisTransientException($"Redis at {connection.Endpoint} is a replica.", outcomeUnknown: false) { IsReplica = true };
            (await connection.ExecuteAsync(cancellationToken, "CLIENT", "SETNAME", Name)).OrThrow(connection.Endpoint, connection.User);
            return connection;
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }
    }

    async ValueTask EndOthersAsync(RespConnection connection, CancellationToken cancellationToken)
    {
        string prefix = $"name={RedisKeys.Prefix}{options.Tag}:";
        string list = (await connection.ExecuteAsync(cancellationToken, "CLIENT", "LIST")).OrThrow(connection.Endpoint, connection.User).AsString() ?? "";
        var kills = new RespCommands();
        foreach (string[] fields in list.Split('\n').Select(line => line.Trim().Split(' ')))
        {
            string? name = Array.Find(fields, f => f.StartsWith(prefix, StringComparison.Ordinal));
            if (name is null || name == $"name={Name}" || !fields[0].StartsWith("id=", StringComparison.Ordinal)) continue;
            kills.Add("CLIENT", "KILL", "ID", fields[0][3..]);
        }
        if (kills.Count == 0) return;
        foreach (var reply in await connection.ExecutePipelineAsync(kills, cancellationToken)) reply.OrThrow(connection.Endpoint, connection.User);
    }
}
