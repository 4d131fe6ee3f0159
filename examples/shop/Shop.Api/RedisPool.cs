using System.Collections.Concurrent;

namespace Shop;

/// <summary>Connections for requests that come at the same time; idle ones are kept, up to 16.</summary>
sealed class RedisPool(string host, int port) : IDisposable
{
    const int MaxIdle = 16;
    readonly ConcurrentBag<RespClient> idle = [];

    public async Task<object?> CommandAsync(CancellationToken ct, params string[] arguments)
    {
        // A connection that was idle may have been closed by Redis meanwhile; what is asked here only reads, so it may be asked again.
        while (idle.TryTake(out var kept))
        {
            try { return await AskAsync(kept, ct, arguments); }
            catch (IOException) { /* the next one, or a new one */ }
        }
        return await AskAsync(await RespClient.ConnectAsync(host, port, ct), ct, arguments);
    }

    public void Dispose()
    {
        while (idle.TryTake(out var client)) client.Dispose();
    }

    async Task<object?> AskAsync(RespClient client, CancellationToken ct, string[] arguments)
    {
        bool healthy = false;
        try
        {
            object? reply = await client.CommandAsync(ct, arguments);
            healthy = true;
            return reply;
        }
        catch (RespErrorException)
        {
            healthy = true;
            throw;
        }
        finally
        {
            if (healthy && idle.Count < MaxIdle) idle.Add(client);
            else client.Dispose();
        }
    }
}
