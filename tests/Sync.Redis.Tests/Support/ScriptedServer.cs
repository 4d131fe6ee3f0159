using System.Net;
using System.Net.Sockets;
using Sync.Contracts.Configuration;

namespace Sync.Redis.Tests.Support;

/// <summary>
/// Sends given bytes to the first client once that has sent something, then closes or stays silent: for what no real server
/// does, such as an old version or garbage.
/// </summary>
sealed class ScriptedServer : IAsyncDisposable
{
    readonly TcpListener listener = new(IPAddress.Loopback, 0);
    readonly CancellationTokenSource stop = new();
    readonly Task serving;

    public ScriptedServer(byte[] answer, bool close)
    {
        listener.Start();
        serving = ServeAsync(answer, close);
    }

    public RedisConnectionOptions Options => new() { Host = "127.0.0.1", Port = ((IPEndPoint)listener.LocalEndpoint).Port };

    public async ValueTask DisposeAsync()
    {
        await stop.CancelAsync();
        listener.Stop();
        try { await serving; }
        catch (Exception error) when (error is OperationCanceledException or SocketException or IOException) { /* the client had gone */ }
        stop.Dispose();
    }

    async Task ServeAsync(byte[] answer, bool close)
    {
        using var client = await listener.AcceptTcpClientAsync(stop.Token);
        var stream = client.GetStream();
        byte[] buffer = new byte[4096];
        if (await stream.ReadAsync(buffer, stop.Token) == 0) return;
        await stream.WriteAsync(answer, stop.Token);
        if (close) return;
        while (await stream.ReadAsync(buffer, stop.Token) > 0) { }
    }
}
