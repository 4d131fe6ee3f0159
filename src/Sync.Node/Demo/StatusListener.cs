using System.Text.Json;
using Shop;

namespace Sync.Node.Demo;

/// <summary>Subscribes to the channel on which orders announce a new status, and counts what it hears.</summary>
sealed class StatusListener : IAsyncDisposable
{
    readonly RespClient redis;
    readonly CancellationTokenSource stop = new();
    readonly Dictionary<(long Order, string Status), int> heard = [];
    readonly Task listening;

    StatusListener(RespClient redis)
    {
        this.redis = redis;
        listening = ListenAsync();
    }

    public static async Task<StatusListener> StartAsync(int port, CancellationToken ct)
    {
        var redis = await RespClient.ConnectAsync("127.0.0.1", port, ct);
        await redis.CommandAsync(ct, "SUBSCRIBE", "orders:status");
        return new StatusListener(redis);
    }

    /// <summary>How often each new status was announced so far.</summary>
    public Dictionary<(long Order, string Status), int> Heard
    {
        get { lock (heard) return new(heard); }
    }

    public async ValueTask DisposeAsync()
    {
        await stop.CancelAsync();
        await listening;
        redis.Dispose();
        stop.Dispose();
    }

    async Task ListenAsync()
    {
        try
        {
            while (true)
            {
                if (await redis.ReadAsync(stop.Token) is not object?[] { Length: 3 } message || message[2] is not string text) continue;
                using var document = JsonDocument.Parse(text);
                var key = (document.RootElement.GetProperty("id").GetInt64(), document.RootElement.GetProperty("status").GetString()!);
                lock (heard) heard[key] = heard.GetValueOrDefault(key) + 1;
            }
        }
        // A lost connection, or a text that is not what the config says, shows as announcements that were never heard.
        catch (Exception e) when (e is OperationCanceledException or IOException or JsonException or KeyNotFoundException or InvalidOperationException) { }
    }
}
