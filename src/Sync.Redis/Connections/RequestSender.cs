using System.Net.Security;
using System.Net.Sockets;

namespace Sync.Redis.Connections;

/// <summary>
/// Sends a list of segments. On a plain socket they are gathered by the kernel, in portions of up to <see cref="PortionBytes"/>
/// so that each portion shows the watchdog that the server still reads. TLS encrypts record by record anyway, so there
/// the segments go one after the other, small ones copied together to fill a record.
/// </summary>
sealed class RequestSender(Socket socket, SslStream? tls, Watchdog watchdog)
{
    const int PortionBytes = 1024 * 1024;
    const int PortionSegments = 64;
    const int RecordBytes = 16 * 1024;

    readonly List<ArraySegment<byte>> portion = new(PortionSegments);
    readonly byte[] record = tls is null ? [] : new byte[RecordBytes];

    public ValueTask SendAsync(List<ArraySegment<byte>> request) => tls is null ? SendPlainAsync(request) : SendTlsAsync(tls, request);

    async ValueTask SendPlainAsync(List<ArraySegment<byte>> request)
    {
        int segment = 0;
        int offset = 0;
        while (true)
        {
            portion.Clear();
            int bytes = 0;
            int s = segment;
            for (int o = offset; s < request.Count && bytes < PortionBytes && portion.Count < PortionSegments; s++, o = 0)
            {
                var part = request[s][o..];
                if (part.Count > PortionBytes - bytes) part = part[..(PortionBytes - bytes)];
                if (part.Count > 0) portion.Add(part);
                bytes += part.Count;
            }
            if (bytes == 0) return;
            int sent = portion.Count == 1
                ? await socket.SendAsync(portion[0].AsMemory(), SocketFlags.None)
                : await socket.SendAsync(portion, SocketFlags.None);
            watchdog.Progress();
            while (sent > 0)
            {
                int left = request[segment].Count - offset;
                if (sent < left)
                {
                    offset += sent;
                    break;
                }
                sent -= left;
                segment++;
                offset = 0;
            }
        }
    }

    async ValueTask SendTlsAsync(SslStream stream, List<ArraySegment<byte>> request)
    {
        int filled = 0;
        foreach (var segment in request)
        {
            if (segment.Count > record.Length - filled && filled > 0)
            {
                await WriteAsync(stream, record.AsMemory(0, filled));
                filled = 0;
            }
            if (segment.Count <= record.Length)
            {
                segment.AsSpan().CopyTo(record.AsSpan(filled));
                filled += segment.Count;
                continue;
            }
            for (int offset = 0; offset < segment.Count; offset += PortionBytes)
                await WriteAsync(stream, segment.AsMemory(offset, Math.Min(PortionBytes, segment.Count - offset)));
        }
        if (filled > 0) await WriteAsync(stream, record.AsMemory(0, filled));
    }

    async ValueTask WriteAsync(SslStream stream, ReadOnlyMemory<byte> bytes)
    {
        await stream.WriteAsync(bytes);
        watchdog.Progress();
    }
}
