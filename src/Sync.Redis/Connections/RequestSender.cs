using System.Net.Security;
using System.Net.Sockets;
using System.Runtime.CompilerServices;

namespace Sync.Redis.Connections;

/// <summary>
/// Sends a list of segments in order. Small ones are copied together, so that a flight of a few rows is one system call (or one TLS record);
/// large ones go as they are, in portions of up to <see cref="PortionBytes"/> so that each shows the watchdog that the server still reads.
/// </summary>
sealed class RequestSender(Socket socket, SslStream? tls, Watchdog watchdog)
{
    const int PortionBytes = 1024 * 1024;

    /// <summary>What is copied together; with TLS as much as fits a record.</summary>
    readonly byte[] small = new byte[tls is null ? 32 * 1024 : 16 * 1024];

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    public async ValueTask SendAsync(List<ArraySegment<byte>> request)
    {
        int filled = 0;
        for (int i = 0; i < request.Count; i++)
        {
            var segment = request[i];
            if (segment.Count > small.Length - filled && filled > 0)
            {
                await WriteAsync(small.AsMemory(0, filled));
                filled = 0;
            }
            if (segment.Count <= small.Length)
            {
                segment.AsSpan().CopyTo(small.AsSpan(filled));
                filled += segment.Count;
                continue;
            }
            for (int offset = 0; offset < segment.Count; offset += PortionBytes)
                await WriteAsync(segment.AsMemory(offset, Math.Min(PortionBytes, segment.Count - offset)));
        }
        if (filled > 0) await WriteAsync(small.AsMemory(0, filled));
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    async ValueTask WriteAsync(ReadOnlyMemory<byte> bytes)
    {
        if (tls is not null) await tls.WriteAsync(bytes);
        else
            while (bytes.Length > 0)
            {
                int sent = await socket.SendAsync(bytes, SocketFlags.None);
                watchdog.Progress();
                bytes = bytes[sent..];
            }
        watchdog.Progress();
    }
}
