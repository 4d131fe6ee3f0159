using System.Buffers;
using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Sync.Load.Hosting;

/// <summary>
/// A line to a server on which everything takes longer by the same time, in either direction, as on a long cable: what is under way does not wait for what went before.
/// Each direction of a connection has threads of its own, because timers and a shared pool would add a millisecond or two, and more with more connections.
/// </summary>
sealed class DelayWire : IDisposable
{
    const int pieceBytes = 64 * 1024, piecesUnderWay = 1024;

    readonly TcpListener listener = new(IPAddress.Loopback, 0);
    readonly int target;
    readonly TimeSpan delay;

    public DelayWire(int target, TimeSpan delay)
    {
        (this.target, this.delay) = (target, delay);
        listener.Start();
        Start(Accept);
    }

    public int Port => ((IPEndPoint)listener.LocalEndpoint).Port;

    static void Start(Action work) => new Thread(() =>
    {
        try { work(); }
        catch (Exception e) when (e is SocketException or ObjectDisposedException or InvalidOperationException) { /* Either side hung up, or the line is taken down. */ }
    })
    { IsBackground = true }.Start();

    void Accept()
    {
        while (true)
        {
            var client = listener.AcceptSocket();
            var server = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            client.NoDelay = true;
            server.Connect(IPAddress.Loopback, target);
            Carry(client, server);
            Carry(server, client);
        }
    }

    void Carry(Socket from, Socket to)
    {
        var underWay = new BlockingCollection<(long Due, byte[] Piece, int Count)>(piecesUnderWay);
        Start(() => Take(from, underWay));
        Start(() => Give(underWay, from, to));
    }

    void Take(Socket from, BlockingCollection<(long Due, byte[] Piece, int Count)> underWay)
    {
        long ticks = (long)(delay.TotalSeconds * Stopwatch.Frequency);
        try
        {
            while (true)
            {
                byte[] piece = ArrayPool<byte>.Shared.Rent(pieceBytes);
                int count = from.Receive(piece);
                if (count == 0) return;
                underWay.Add((Stopwatch.GetTimestamp() + ticks, piece, count));
            }
        }
        finally
        {
            underWay.CompleteAdding();
        }
    }

    static void Give(BlockingCollection<(long Due, byte[] Piece, int Count)> underWay, Socket from, Socket to)
    {
        try
        {
            foreach (var (due, piece, count) in underWay.GetConsumingEnumerable())
            {
                for (var left = Left(due); left > TimeSpan.Zero; left = Left(due)) Sleep(left);
                for (int sent = 0; sent < count;) sent += to.Send(piece.AsSpan(sent, count - sent));
                ArrayPool<byte>.Shared.Return(piece);
            }
        }
        finally
        {
            from.Dispose();
            to.Dispose();
        }
    }

    static TimeSpan Left(long due) => Stopwatch.GetElapsedTime(Stopwatch.GetTimestamp(), due);

    /// <summary>Thread.Sleep knows whole milliseconds only.</summary>
    static void Sleep(TimeSpan time)
    {
        long[] request = [time.Ticks / TimeSpan.TicksPerSecond, time.Ticks % TimeSpan.TicksPerSecond * TimeSpan.NanosecondsPerTick];
        _ = nanosleep(request, IntPtr.Zero);
    }

    [DllImport("libc")]
    static extern int nanosleep(long[] request, IntPtr remaining);

    public void Dispose() => listener.Stop();
}
