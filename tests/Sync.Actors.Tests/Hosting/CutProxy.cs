using System.Net;
using System.Net.Sockets;

namespace Sync.Actors.Tests.Hosting;

/// <summary>Stands in front of a node at its public address, and swallows everything once it is cut, as a network does: nobody is told.</summary>
sealed class CutProxy : IDisposable
{
    readonly Socket listener;
    readonly IPEndPoint target;
    readonly CancellationTokenSource cut = new();
    readonly List<Socket> sockets = [];

    public CutProxy(string address, string target, int port)
    {
        this.target = new IPEndPoint(IPAddress.Parse(target), port);
        listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
        listener.Bind(new IPEndPoint(IPAddress.Parse(address), port));
        listener.Listen();
        _ = AcceptAsync();
    }

    public void Cut() => cut.Cancel();

    async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                var from = Kept(await listener.AcceptAsync());
                if (!cut.IsCancellationRequested) _ = JoinAsync(from);
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // Disposed.
        }
    }

    async Task JoinAsync(Socket from)
    {
        var to = Kept(new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp));
        try
        {
            await to.ConnectAsync(target, cut.Token);
            await Task.WhenAll(PumpAsync(from, to), PumpAsync(to, from));
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException or ObjectDisposedException)
        {
            // A node that ended takes its connections along; a cut leaves them open and silent.
            if (cut.IsCancellationRequested) return;
            from.Dispose();
            to.Dispose();
        }
    }

    async Task PumpAsync(Socket from, Socket to)
    {
        var buffer = new byte[64 * 1024];
        int read;
        while ((read = await from.ReceiveAsync(buffer, cut.Token)) > 0) await to.SendAsync(buffer.AsMemory(0, read), cut.Token);
        to.Shutdown(SocketShutdown.Send);
    }

    Socket Kept(Socket socket)
    {
        lock (sockets) sockets.Add(socket);
        return socket;
    }

    public void Dispose()
    {
        cut.Cancel();
        listener.Dispose();
        lock (sockets) sockets.ForEach(s => s.Dispose());
    }
}
