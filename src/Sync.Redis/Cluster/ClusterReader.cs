using Sync.Contracts.Configuration;
using Sync.Redis.Connections;
using Sync.Redis.Errors;
using Sync.Redis.Protocol;

namespace Sync.Redis.Cluster;

/// <summary>Reads from all masters of a Redis Cluster, beside whoever writes there. Not thread-safe.</summary>
/// <param name="options">With nodes.</param>
/// <param name="timeout">See <see cref="RespConnection.ConnectAsync"/>.</param>
/// <param name="time">Clock of the time-outs.</param>
public sealed class ClusterReader(RedisOptions options, TimeSpan timeout, TimeProvider time) : IAsyncDisposable
{
    const int MaxRedirections = 16;
    static readonly TimeSpan pause = TimeSpan.FromMilliseconds(20);

    readonly Dictionary<HostPort, RespConnection> open = [];
    SlotMap? map;

    /// <summary>Connections to all masters.</summary>
    /// <exception cref="RedisTransientException">One can't be reached.</exception>
    public async ValueTask<IReadOnlyList<RespConnection>> MastersAsync(CancellationToken cancellationToken)
    {
        map = await ClusterNodes.MapAsync(options, [], timeout, time, cancellationToken);
        var masters = new List<RespConnection>();
        foreach (var master in map.Masters) masters.Add(await ToAsync(master, cancellationToken));
        return masters;
    }

    /// <summary>Runs commands of one key each where that key is; one reply for each, in order.</summary>
    /// <param name="commands">Hash slot and command.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="RedisTransientException">A master can't be asked now.</exception>
    public async ValueTask<RespValue[]> ExecuteAsync(IReadOnlyList<(int Slot, RespCommands Command)> commands, CancellationToken cancellationToken)
    {
        map ??= await ClusterNodes.MapAsync(options, [], timeout, time, cancellationToken);
        var replies = new RespValue[commands.Count];
        foreach (var ofNode in Enumerable.Range(0, commands.Count).GroupBy(i => OwnerOf(commands[i].Slot)))
        {
            var connection = await ToAsync(ofNode.Key, cancellationToken);
            var pipeline = new RespCommands();
            foreach (int i in ofNode) pipeline.Append(commands[i].Command);
            var answers = await connection.ExecutePipelineAsync(pipeline, cancellationToken);
            int at = 0;
            foreach (int i in ofNode) replies[i] = await FollowAsync(answers[at++], commands[i].Slot, commands[i].Command, connection, cancellationToken);
        }
        return replies;
    }

    /// <summary>A reply, or the one of whom it points to.</summary>
    async ValueTask<RespValue> FollowAsync(RespValue reply, int slot, RespCommands command, RespConnection asked, CancellationToken cancellationToken)
    {
        for (int i = 0; i < MaxRedirections; i++)
        {
            if (Redirect.Parse(reply.ErrorText, ClusterConnections.HostOf(asked)) is not { } redirect) return reply;
            if (redirect is { IsAsk: true, Target: { } target })
            {
                asked = await ToAsync(target, cancellationToken);
                reply = (await asked.ExecutePipelineAsync(new RespCommands().Add("ASKING").Append(command), cancellationToken))[1];
                continue;
            }
            await Task.Delay(pause, time, cancellationToken);
            map = await ClusterNodes.MapAsync(options, [], timeout, time, cancellationToken);
            asked = await ToAsync(OwnerOf(slot), cancellationToken);
            reply = await asked.ExecuteAsync(command, cancellationToken);
        }
        throw new RedisTransientException($"The Redis Cluster keeps redirecting requests for hash slot {slot}.", outcomeUnknown: false);
    }

    HostPort OwnerOf(int slot) => map!.OwnerOf(slot) ?? throw ClusterConnections.Unserved(slot);

    async ValueTask<RespConnection> ToAsync(HostPort node, CancellationToken cancellationToken)
    {
        if (open.TryGetValue(node, out var connection) && !connection.IsBroken) return connection;
        if (connection is not null) await connection.DisposeAsync();
        return open[node] = await RespConnection.ConnectAsync(options.Conn with { Host = node.Host, Port = node.Port }, timeout, time, cancellationToken);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var connection in open.Values) await connection.DisposeAsync();
        open.Clear();
    }
}
