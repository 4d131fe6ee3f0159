using System.Net;
using System.Net.Sockets;

namespace Sync.Faults.Servers;

/// <summary>What a wire does with the bytes it carries.</summary>
enum WireMode
{
    Open,
    /// <summary>Every piece waits a moment.</summary>
    Slow,
    /// <summary>Every piece arrives as single bytes first and in halves then.</summary>
    Split,
    /// <summary>Connections are accepted and nothing is carried, in either direction.</summary>
    Hole,
    /// <summary>What the node sends arrives, what the server answers does not.</summary>
    MuteReplies,
    /// <summary>Half of the next piece from the node arrives, then the wire is cut.</summary>
    CutInside,
    /// <summary>Nobody is let through.</summary>
    Refuse,
}

/// <summary>
/// The line between one node and one server. What a mode holds back is not lost: it flows when the wire is opened again, unless the connection was
/// cut meanwhile. So a hole that ends is a network that stood still, and a hole that ends in a cut is one that failed.
/// </summary>
sealed class Wire : IAsyncDisposable
{
    const int pieceBytes = 64 * 1024, singleBytes = 24;
    static readonly TimeSpan delay = TimeSpan.FromMilliseconds(40);

    readonly TcpListener? listener;
    readonly IPEndPoint target;
    readonly Lock gate = new();
    readonly HashSet<Socket> open = [];
    readonly Task accepting;
    volatile TaskCompletionSource changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    volatile WireMode mode;

    /// <summary>A wire that listens on a port of its own.</summary>
    public Wire(int target)
    {
        this.target = new IPEndPoint(IPAddress.Loopback, target);
        listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        accepting = AcceptAsync(listener);
    }

    /// <summary>A wire whose connections somebody else accepts (<see cref="CarryAsync"/>).</summary>
    public Wire(IPEndPoint target) => (this.target, accepting) = (target, Task.CompletedTask);

    public int Port => ((IPEndPoint)listener!.LocalEndpoint).Port;

    public WireMode Mode
    {
        get => mode;
        set
        {
            mode = value;
            var before = changed;
            changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            before.SetResult();
        }
    }

    /// <summary>Ends every connection; new ones are let through unless the mode says otherwise.</summary>
    public void Cut()
    {
        lock (gate)
        {
            foreach (var socket in open) socket.Dispose();
            open.Clear();
        }
    }

    async Task AcceptAsync(TcpListener listener)
    {
        while (true)
        {
            Socket node;
            try { node = await listener.AcceptSocketAsync(); }
            catch (Exception e) when (e is SocketException or InvalidOperationException) { return; }
            _ = CarryAsync(node, default);
        }
    }

    /// <summary>Carries a connection until it ends.</summary>
    /// <param name="node">Who called.</param>
    /// <param name="first">What was read from it already.</param>
    public async Task CarryAsync(Socket node, ReadOnlyMemory<byte> first)
    {
        var server = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            node.NoDelay = true;
            lock (gate)
            {
                if (mode == WireMode.Refuse) throw new SocketException();
                open.Add(node);
                open.Add(server);
            }
            await server.ConnectAsync(target);
            if (first.Length > 0)
            {
                await WhileHeldAsync(fromNode: true);
                await SendAsync(server, first);
            }
            await Task.WhenAny(CopyAsync(node, server, fromNode: true), CopyAsync(server, node, fromNode: false));
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException) { /* Cut, or the server is down. */ }
        lock (gate)
        {
            open.Remove(node);
            open.Remove(server);
        }
        node.Dispose();
        server.Dispose();
    }

    async Task CopyAsync(Socket from, Socket to, bool fromNode)
    {
        byte[] buffer = new byte[pieceBytes];
        try
        {
            for (int count; (count = await from.ReceiveAsync(buffer.AsMemory())) > 0;)
            {
                await WhileHeldAsync(fromNode);
                if (fromNode && mode == WireMode.CutInside && count > 1)
                {
                    Mode = WireMode.Open;
                    await SendAsync(to, buffer, 0, count / 2);
                    // Closed in order, so that the half arrives; a reset could overtake it.
                    to.Shutdown(SocketShutdown.Send);
                    Cut();
                    return;
                }
                if (mode == WireMode.Slow) await Task.Delay(delay);
                int sent = 0;
                if (mode == WireMode.Split)
                {
                    for (; sent < Math.Min(singleBytes, count); sent++) await SendAsync(to, buffer, sent, sent + 1);
                    for (; count - sent > 1024; sent += (count - sent) / 2) await SendAsync(to, buffer, sent, sent + (count - sent) / 2);
                }
                await SendAsync(to, buffer, sent, count);
            }
            await WhileHeldAsync(fromNode);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException) { /* Cut. */ }
    }

    async Task WhileHeldAsync(bool fromNode)
    {
        while (true)
        {
            var next = changed;
            if (!(mode == WireMode.Hole || (mode == WireMode.MuteReplies && !fromNode))) return;
            await next.Task;
        }
    }

    static Task SendAsync(Socket to, byte[] buffer, int begin, int end) => SendAsync(to, buffer.AsMemory(begin, end - begin));

    static async Task SendAsync(Socket to, ReadOnlyMemory<byte> bytes)
    {
        while (bytes.Length > 0) bytes = bytes[await to.SendAsync(bytes)..];
    }

    public async ValueTask DisposeAsync()
    {
        Mode = WireMode.Refuse;
        Cut();
        listener?.Stop();
        await accepting;
    }
}
