using System.Net;
using StackExchange.Redis.Configuration;

namespace Sync.Redis.Multiplexer;

/// <summary>
/// Lets StackExchange.Redis connect once. By itself it connects anew whenever it loses a connection, perhaps to a server that meanwhile holds other
/// data, and goes on as if nothing had been; but what we know of the server, and what its CLIENT KILL would end, is that of one connection.
/// </summary>
sealed class OneConnection : Tunnel
{
    int connections;

    public override ValueTask<EndPoint?> GetSocketConnectEndpointAsync(EndPoint endpoint, CancellationToken cancellationToken) =>
        Interlocked.Increment(ref connections) == 1
            ? new ValueTask<EndPoint?>(endpoint)
            : throw new IOException("the connection was lost");
}
