using System.Net;
using System.Net.Sockets;
using System.Threading.Channels;

namespace Sync.Load.Hosting;

/// <summary>
/// A line to a server on which everything takes longer by the same time, in either direction, as on a long cable: what is under way does not wait for what went before.
/// </summary>
sealed class DelayWire : IAsyncDisposable
{
    const int pieceBytes = 64 * 1024, piecesUnderWay = 1024;

    readonly TcpListener listener = new(IPAddress.Loopback, 0);
    readonly int target;
    readonly TimeSpan delay;
    readonly Task accepting;

    public DelayWire(int target, TimeSpan delay)
    {
        (this.target, this.delay) = (target, delay);
        listener.Start();
        accepting = AcceptAsync();
    }

    public int Port => ((IPEndPoint)listener.LocalEndpoint).Port;

    async Task AcceptAsync()
    {
        while (true)
        {
            Socket client;
            try { client = await listener.AcceptSocketAsync(); }
            catch (Exception e) when (e is SocketException or InvalidOperationException) { return; }
            _ = CarryAsync(client);
        }
    }

    async Task CarryAsync(Socket client)
    {
        using var server = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        using (client)
        {
            client.NoDelay = true;
            try
            {
                await server.ConnectAsync(IPAddress.Loopback, target);
                await Task.WhenAny(DelayAsync(client, server), DelayAsync(server, client));
            }
            catch (SocketException) { /* The server is gone. */ }
        }
    }

    async Task DelayAsync(Socket from, Socket to)
    {
        var underWay = Channel.CreateBounded<(long Due, byte[] Piece)>(piecesUnderWay);
        var sending = Task.Run(async () =>
        {
            await foreach (var (due, piece) in underWay.Reader.ReadAllAsync())
            {
                var left = TimeProvider.System.GetElapsedTime(TimeProvider.System.GetTimestamp(), due);
                if (left > TimeSpan.Zero) await Task.Delay(left);
                await SendAsync(to, piece);
            }
        });
        byte[] buffer = new byte[pieceBytes];
        try
        {
            for (int count; (count = await from.ReceiveAsync(buffer)) > 0;)
                await underWay.Writer.WriteAsync((TimeProvider.System.GetTimestamp() + (long)(delay.TotalSeconds * TimeProvider.System.TimestampFrequency), buffer[..count]));
            underWay.Writer.Complete();
            await sending;
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException) { /* Either side hung up. */ }
    }

    static async Task SendAsync(Socket to, ReadOnlyMemory<byte> bytes)
    {
        while (bytes.Length > 0) bytes = bytes[await to.SendAsync(bytes)..];
    }

    public async ValueTask DisposeAsync()
    {
        listener.Stop();
        await accepting;
    }
}
