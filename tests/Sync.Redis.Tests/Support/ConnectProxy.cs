using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Sync.Redis.Tests.Support;

/// <summary>An HTTP proxy on loopback that knows CONNECT only (RFC 9110, section 9.3.6).</summary>
sealed class ConnectProxy : IDisposable
{
    readonly TcpListener listener = new(IPAddress.Loopback, 0);
    readonly CancellationTokenSource end = new();

    public ConnectProxy()
    {
        listener.Start();
        _ = AcceptAsync();
    }

    public int Port => ((IPEndPoint)listener.LocalEndpoint).Port;

    /// <summary>Whom it was asked to connect with.</summary>
    public List<string> Targets { get; } = [];

    async Task AcceptAsync()
    {
        try
        {
            while (true) _ = JoinAsync(await listener.AcceptTcpClientAsync(end.Token));
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // Disposed.
        }
    }

    async Task JoinAsync(TcpClient from)
    {
        using var client = from;
        using var to = new TcpClient();
        try
        {
            var near = client.GetStream();
            var head = new StringBuilder();
            byte[] one = new byte[1];
            while (!head.ToString().EndsWith("\r\n\r\n", StringComparison.Ordinal) && await near.ReadAsync(one, end.Token) > 0) head.Append((char)one[0]);
            string target = head.ToString().Split(' ')[1];
            lock (Targets) Targets.Add(target);
            await to.ConnectAsync(IPEndPoint.Parse(target), end.Token);
            await near.WriteAsync("HTTP/1.1 200 OK\r\n\r\n"u8.ToArray(), end.Token);
            await Task.WhenAny(near.CopyToAsync(to.GetStream(), end.Token), to.GetStream().CopyToAsync(near, end.Token));
        }
        catch (Exception e) when (e is OperationCanceledException or IOException or SocketException)
        {
            // Either side is gone.
        }
    }

    public void Dispose()
    {
        end.Cancel();
        listener.Dispose();
    }
}
