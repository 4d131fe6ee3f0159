using Sync.Contracts.Configuration;
using Sync.Redis.Connections;
using Sync.Redis.Errors;
using Sync.Redis.Protocol;
using Sync.Redis.Sink;

namespace Sync.Redis.Cluster;

/// <summary>One connection to each master, opened when it is needed. What replaces a lost one ends the old one on the server first. Not thread-safe.</summary>
public sealed class ClusterConnections(ClusterView view) : IAsyncDisposable
{
    readonly Dictionary<HostPort, RespConnection> open = [];
    readonly Dictionary<HostPort, RedisClientIdentity> lost = [];

    public ClusterView View => view;

    /// <summary>The connection to a master.</summary>
    /// <exception cref="RedisFencedException">Another owner took over, or it is another master than the one whose progress was read.</exception>
    /// <exception cref="RedisTransientException">It can't be reached.</exception>
    public async ValueTask<RespConnection> ToAsync(HostPort node, SinkSession control, CancellationToken cancellationToken)
    {
        if (open.TryGetValue(node, out var connection) && !connection.IsBroken) return connection;
        await ForgetAsync(node);
        connection = await view.ConnectAsync(node, control, cancellationToken);
        try
        {
            if (lost.TryGetValue(node, out var old)) await SinkSession.KillAsync(connection, old, cancellationToken);
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }
        lost.Remove(node);
        return open[node] = connection;
    }

    /// <summary>The connection to the master that serves a slot.</summary>
    /// <exception cref="RedisTransientException">Nobody serves it now.</exception>
    public ValueTask<RespConnection> ToSlotAsync(int slot, SinkSession control, CancellationToken cancellationToken) =>
        view.Map.OwnerOf(slot) is { } owner ? ToAsync(owner, control, cancellationToken) : throw Unserved(slot);

    /// <summary>Runs one command where its slot is served, and follows redirections.</summary>
    /// <exception cref="RedisTransientException">It can't be served now.</exception>
    public async ValueTask<RespValue> ExecuteAsync(int slot, RespCommands command, SinkSession control, CancellationToken cancellationToken)
    {
        HostPort? ask = null;
        for (int redirections = 0; redirections < 16; redirections++)
        {
            var connection = ask is { } target ? await ToAsync(target, control, cancellationToken) : await ToSlotAsync(slot, control, cancellationToken);
            var reply = ask is null ? await connection.ExecuteAsync(command, cancellationToken)
                : (await connection.ExecutePipelineAsync(new RespCommands().Add("ASKING").Append(command), cancellationToken))[1];
            if (Redirect.Parse(reply.ErrorText, HostOf(connection)) is not { } redirect) return reply;
            ask = redirect.IsAsk ? redirect.Target : null;
            if (!redirect.IsAsk) await view.RefreshAsync(cancellationToken);
        }
        throw new RedisTransientException($"The Redis Cluster keeps redirecting requests for hash slot {slot}.", outcomeUnknown: false);
    }

    public async ValueTask ForgetAsync(HostPort node)
    {
        if (!open.Remove(node, out var connection)) return;
        lost[node] = new RedisClientIdentity(connection.Server.RunId, connection.ClientId);
        await connection.DisposeAsync();
    }

    internal static RedisTransientException Unserved(int slot) => new($"No master of the Redis Cluster serves hash slot {slot} now.", outcomeUnknown: false);

    internal static string HostOf(RespConnection connection) => connection.Endpoint[..Math.Max(0, connection.Endpoint.LastIndexOf(':'))].Trim('[', ']');

    public async ValueTask DisposeAsync()
    {
        foreach (var connection in open.Values) await connection.DisposeAsync();
        open.Clear();
    }
}
