using System.Net.Sockets;
using System.Text;
using Sync.Contracts.Configuration;
using Sync.Redis.Errors;

namespace Sync.Redis.Connections;

/// <summary>
/// What a server says to a client before that has said anything: Redis with no room for another client, or in protected mode, says so and closes the
/// connection. A client library
/// that keeps this to itself is helped with it.
/// </summary>
static class Greeting
{
    const int longestBytes = 1024;

    /// <summary>A server that means to say something says it at once.</summary>
    static readonly TimeSpan patience = TimeSpan.FromMilliseconds(300);

    /// <summary>The error that the server greets with; null when it says nothing, or something else.</summary>
    /// <param name="options">Where. With TLS nothing is asked, since such a server can't say it there.</param>
    /// <param name="time">Clock of the patience.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public static async ValueTask<string?> ReadAsync(RedisConnectionOptions options, TimeProvider time, CancellationToken cancellationToken)
    {
        if (options.Tls is not null) return null;
        using var limit = new CancellationTokenSource(patience, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        try
        {
            using var socket = await SocketTransport.OpenSocketAsync(options, either.Token);
            byte[] buffer = new byte[longestBytes];
            int read = await socket.ReceiveAsync(buffer.AsMemory(), SocketFlags.None, either.Token);
            string said = Encoding.UTF8.GetString(buffer, 0, read);
            int end = said.IndexOf("\r\n", StringComparison.Ordinal);
            return end > 1 && said[0] == '-' && RedisErrors.IsHangUp(said[1..end]) ? said[1..end] : null;
        }
        catch (Exception error) when (error is SocketException or IOException or OperationCanceledException && !cancellationToken.IsCancellationRequested)
        {
            return null;
        }
    }
}
