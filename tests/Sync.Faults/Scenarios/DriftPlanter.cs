using System.Globalization;
using System.Net.Sockets;
using Sync.Faults.Load;
using Sync.Faults.Servers;
using Sync.Testing;

namespace Sync.Faults.Scenarios;

/// <summary>
/// Spoils keys in Redis behind everybody's back, and has the node re-sync their tables, again and again while changes flow and faults happen. At the end of a
/// round one re-sync has to come to its end, and then the content is compared as always: an older row that went over a newer change, a key that was not mended or
/// one that nobody removed would show.
/// </summary>
sealed class DriftPlanter(Site site, int seed) : IAsyncDisposable
{
    static readonly TimeSpan pause = TimeSpan.FromSeconds(4), deadline = TimeSpan.FromMinutes(3);
    static readonly string[] tables = ["public.item", "public.doc", "public.member"];

    readonly Random random = new(seed);
    readonly CancellationTokenSource end = new();
    Task planting = Task.CompletedTask;

    /// <summary>Keys spoilt.</summary>
    public long Spoilt { get; private set; }

    /// <summary>Re-syncs that a node began.</summary>
    public long Begun { get; private set; }

    public void Start() => planting = Task.Run(async () =>
    {
        while (!end.IsCancellationRequested)
        {
            await SpoilAsync();
            foreach (string table in tables) await BeginAsync(table);
            try { await Task.Delay(pause, end.Token); }
            catch (OperationCanceledException) { return; }
        }
    });

    /// <summary>Ends the planting, and waits until everything is mended. A problem of the run when it never is.</summary>
    public async Task MendAsync(CancellationToken cancellationToken)
    {
        await end.CancelAsync();
        await planting;
        foreach (string table in tables)
        {
            for (var begun = DateTime.UtcNow; !await BeginAsync(table) && DateTime.UtcNow - begun < deadline;) await Task.Delay(200, cancellationToken);
            for (var begun = DateTime.UtcNow; await StateAsync(table) is var state && state != "done"; await Task.Delay(100, cancellationToken))
            {
                if (state is not "failed" && DateTime.UtcNow - begun < deadline) continue;
                lock (site.Problems) site.Problems.Add($"the re-sync of {table} is {(state.Length > 0 ? state : "nowhere")}");
                return;
            }
        }
    }

    async Task SpoilAsync()
    {
        try
        {
            using var redis = await site.Redis.ClientAsync();
            for (int i = 0; i < 4; i++)
            {
                int item = random.Next(1, Schema.Items), doc = random.Next(1, Schema.Docs);
                await redis.CommandAsync("DEL", Key("item", item));
                await redis.CommandAsync("HSET", Key("item", item + 1), "stray", "x");
                await redis.CommandAsync("SET", Key("doc", doc), "spoilt");
                await redis.CommandAsync("DEL", Key("group", random.Next(Schema.Groups)));
                await redis.CommandAsync("SET", Key("doc", 100_000 + random.Next(1000)), "nobody's");
                Spoilt += 5;
            }
        }
        catch (Exception e) when (e is SocketException or IOException or TestRedisException)
        {
            // Redis is away, or refuses: part of the faults.
        }
    }

    static string Key(string name, int number) => string.Create(CultureInfo.InvariantCulture, $"{name}:{number}");

    async Task<bool> BeginAsync(string table)
    {
        bool begun = await (await site.ActiveAsync()).PostAsync("/api/resync", $$"""{"table":"{{table}}","rate":100000}""");
        if (begun) Begun++;
        return begun;
    }

    async Task<string> StateAsync(string table)
    {
        if (await (await site.ActiveAsync()).StatusAsync() is not { } status) return "";
        foreach (var resync in status.GetProperty("resyncs").EnumerateArray())
            if (resync.GetProperty("table").GetString() == table) return resync.GetProperty("state").GetString()!;
        return "";
    }

    public async ValueTask DisposeAsync()
    {
        await end.CancelAsync();
        await planting;
        end.Dispose();
    }
}
