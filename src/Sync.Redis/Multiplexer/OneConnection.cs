using System.Net;
using System.Net.Sockets;
using StackExchange.Redis;
using StackExchange.Redis.Configuration;

namespace Sync.Redis.Multiplexer;

/// <summary>
/// Lets StackExchange.Redis connect once. By itself it connects anew whenever it loses a connection, perhaps to a server that meanwhile holds other
/// data, and goes on as if nothing had been; but what we know of the server, and what its CLIENT KILL would end, is that of one connection.
/// </summary>
/// <param name="way">The tunnel that the user asked for; null for none.</param>
sealed class OneConnection(Tunnel? way) : Tunnel
{
    int connections;

    public override ValueTask<EndPoint?> GetSocketConnectEndpointAsync(EndPoint endpoint, CancellationToken cancellationToken) =>
        Interlocked.Increment(ref connections) == 1
            ? way?.GetSocketConnectEndpointAsync(endpoint, cancellationToken) ?? new ValueTask<EndPoint?>(endpoint)
            : throw new IOException("the connection was lost");

    public override ValueTask BeforeSocketConnectAsync(EndPoint endPoint, ConnectionType connectionType, Socket? socket, CancellationToken cancellationToken) =>
        way?.BeforeSocketConnectAsync(endPoint, connectionType, socket, cancellationToken) ?? ValueTask.CompletedTask;

    public override ValueTask<Stream?> BeforeAuthenticateAsync(EndPoint endpoint, ConnectionType connectionType, Socket? socket, CancellationToken cancellationToken) =>
        way?.BeforeAuthenticateAsync(endpoint, connectionType, socket, cancellationToken) ?? new ValueTask<Stream?>(default(Stream));
}
