using System.Net;
using System.Net.Sockets;
using Sync.Contracts.Configuration;

namespace Sync.Redis.Tests.Support;

/// <summary>
/// Sends given bytes to the first client once that has sent something, then closes or stays silent: for what no real server
/// does, such as an old version or garbage. With a reply per mark it goes on as a proxy may: for every <see cref="Mark"/> byte that
/// comes it sends that reply, and reads no further until the client has taken it.
/// </summary>
sealed class ScriptedServer : IAsyncDisposable
{
    public const byte Mark = 1;

    /// <summary>What a good server answers to the first commands of a connection.</summary>
    public static readonly byte[] Welcome = "+OK\r\n+OK\r\n:7\r\n$21\r\nredis_version:7.0.0\r\n\r\n*0\r\n*0\r\n"u8.ToArray();

    readonly TcpListener listener = new(IPAddress.Loopback, 0);
    readonly CancellationTokenSource stop = new();
    readonly Task serving;

    public ScriptedServer(byte[] answer, bool close, byte[]? replyPerMark = null)
    {
        listener.Start();
        serving = ServeAsync(answer, close, replyPerMark);
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

    async Task ServeAsync(byte[] answer, bool close, byte[]? replyPerMark)
    {
        using var client = await listener.AcceptTcpClientAsync(stop.Token);
        var stream = client.GetStream();
        byte[] buffer = new byte[4096];
        if (await stream.ReadAsync(buffer, stop.Token) == 0) return;
        await stream.WriteAsync(answer, stop.Token);
        if (close) return;
        while (await stream.ReadAsync(buffer, stop.Token) is > 0 and var read)
        {
            for (int marks = buffer.AsSpan(0, read).Count(Mark); replyPerMark is not null && marks > 0; marks--)
                await stream.WriteAsync(replyPerMark, stop.Token);
        }
    }
}
