using System.Net;
using System.Net.Sockets;

namespace Sync.Node.Tests.Hosting.Life;

/// <summary>
/// The line between a node and a server. Cutting it is what the crash of the node's machine is to the server; freezing it keeps what the node
/// sends on its way, to arrive when nobody expects it any more.
/// </summary>
sealed class Wire : IAsyncDisposable
{
    readonly TcpListener listener = new(IPAddress.Loopback, 0);
    readonly int target;
    readonly Lock gate = new();
    readonly List<Socket> open = [];
    readonly Task accepting;
    TaskCompletionSource flowing = Done();
    volatile bool isCut, swallows;
    byte[]? unanswered;
    (byte[] Pattern, Action<byte[], int> Spoil)? tampering;

    public Wire(int target)
    {
        this.target = target;
        listener.Start();
        accepting = AcceptAsync();
    }

    public int Port => ((IPEndPoint)listener.LocalEndpoint).Port;

    /// <summary>Ends every connection and lets no other one through.</summary>
    public void Cut()
    {
        isCut = true;
        lock (gate)
        {
            foreach (var socket in open) socket.Dispose();
            open.Clear();
        }
    }

    public void Mend()
    {
        unanswered = null;
        swallows = false;
        isCut = false;
    }

    /// <summary>What the server answers to the next bytes that hold <paramref name="pattern"/>, and afterwards, gets lost, until <see cref="Mend"/>.</summary>
    public void SwallowAnswersTo(byte[] pattern) => unanswered = pattern;

    /// <summary>From here on what the node sends stays on its way, until <see cref="Thaw"/>.</summary>
    public void Freeze() => flowing = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);

    public void Thaw() => flowing.TrySetResult();

    /// <summary>Spoils, once, what the server sends next that holds these bytes; <paramref name="spoil"/> gets the chunk and where they begin in it.</summary>
    public void Tamper(byte[] pattern, Action<byte[], int> spoil) => tampering = (pattern, spoil);

    void Spoil(byte[] buffer, int count)
    {
        if (tampering is not { } next || buffer.AsSpan(0, count).IndexOf(next.Pattern) is var at && at < 0) return;
        tampering = null;
        next.Spoil(buffer, at);
    }

    static TaskCompletionSource Done()
    {
        var done = new TaskCompletionSource();
        done.SetResult();
        return done;
    }

    async Task AcceptAsync()
    {
        while (true)
        {
            Socket node;
            try { node = await listener.AcceptSocketAsync(); }
            // A listener stopped between two accepts says so with an InvalidOperationException; one disposed during an accept with the other two.
            catch (Exception e) when (e is SocketException or InvalidOperationException) { return; }
            _ = CarryAsync(node);
        }
    }

    async Task CarryAsync(Socket node)
    {
        var server = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        node.NoDelay = true;
        try
        {
            lock (gate)
            {
                if (isCut) throw new SocketException();
                open.AddRange([node, server]);
            }
            await server.ConnectAsync(IPAddress.Loopback, target);
            await Task.WhenAny(CopyAsync(node, server, mayFreeze: true), CopyAsync(server, node, mayFreeze: false));
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException) { /* Cut, or the server is down. */ }
        lock (gate) open.RemoveAll(s => s == node || s == server);
        node.Dispose();
        server.Dispose();
    }

    async Task CopyAsync(Socket from, Socket to, bool mayFreeze)
    {
        byte[] buffer = new byte[64 * 1024];
        try
        {
            for (int count; (count = await from.ReceiveAsync(buffer.AsMemory())) > 0;)
            {
                if (mayFreeze)
                {
                    await flowing.Task;
                    if (unanswered is { } pattern && buffer.AsSpan(0, count).IndexOf(pattern) >= 0) swallows = true;
                }
                else if (swallows) continue;
                else Spoil(buffer, count);
                for (int sent = 0; sent < count;) sent += await to.SendAsync(buffer.AsMemory(sent, count - sent));
            }
            // What is frozen here was sent before the node hung up, and arrives all the same.
            if (mayFreeze) await flowing.Task;
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException) { /* Cut. */ }
    }

    public async ValueTask DisposeAsync()
    {
        Thaw();
        Cut();
        listener.Stop();
        await accepting;
    }
}
