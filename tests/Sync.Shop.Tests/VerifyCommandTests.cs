using System.Diagnostics;
using Microsoft.Extensions.Logging.Abstractions;
using Sync.Contracts.Configuration;
using Sync.Node.Demo;
using Sync.Node.Hosting;
using Sync.Node.Verification;

namespace Sync.Shop.Tests;

/// <summary><c>actorsync verify</c> on the shop, whose mapping has a bit of everything: what it may compare and what it must not.</summary>
[Trait("Speed", "Slow")]
public class VerifyCommandTests(ShopServers shop) : IClassFixture<ShopServers>
{
    static readonly VerifyOptions options = new(Table: null, RowsPerSecond: 1_000_000, Repair: false, Examples: 100);

    [Fact]
    public async Task Busy_shop_should_be_clean_and_its_drift_should_be_found()
    {
        var config = Load();
        using var stop = new CancellationTokenSource();
        await using var host = new SingleHost(config, new HostOptions(), NullLogger.Instance);
        var running = host.RunAsync(stop.Token);
        await UntilAsync(() => host.Status.State == NodeState.Streaming, running);
        using var idle = new CancellationTokenSource();
        var busy = WorkAsync(idle.Token);
        var verifier = new Verifier(config, null, TimeProvider.System);
        for (var watch = Stopwatch.StartNew(); watch.Elapsed < TimeSpan.FromSeconds(10);)
        {
            var clean = await verifier.RunAsync(options, CancellationToken.None);
            clean.Tables.SelectMany(t => t.Examples).Where(e => e.Kind != "unsettled").ShouldBeEmpty();
            clean.Tables.Sum(t => t.Keys).ShouldBeGreaterThan(500);
        }
        await idle.CancelAsync();
        await busy;
        foreach (string command in (string[])["SET product:7 x", "SET product:81 x", "ZADD orders:open 4711 4711", "SADD customer-orders:1 4711", "HSET order-items:4711 1 x", "DEL public.customers:9", "INCR sold:7"])
            await shop.Redis.CommandAsync(CancellationToken.None, command.Split(' '));
        var found = await verifier.RunAsync(options, CancellationToken.None);
        found.Tables.SelectMany(t => t.Examples).Select(e => $"{e.Kind} {e.Key}").Order(StringComparer.Ordinal)
            .ShouldBe(["different product:7", "extra customer-orders:1", "extra order-items:4711", "extra orders:open", "extra product:81", "missing public.customers:9"]);
        found.Tables.SelectMany(t => t.NotVerifiable).Select(n => n.Split(' ')[..2]).Select(n => string.Join(' ', n)).Distinct().Order(StringComparer.Ordinal).ShouldBe([
            "HINCRBYFLOAT revenue", "INCRBY sold:{product_id}", "INCRBY stock-total:{product_id}", "PUBLISH orders:status", "XADD order-events", "ZINCRBY bestsellers",
        ]);
        await stop.CancelAsync();
        await running;
    }

    SyncConfig Load() => ConfigLoader.Load("config.yaml", new Dictionary<string, string>
    {
        ["ACTORSYNC_POSTGRES_CONN_HOST"] = "127.0.0.1",
        ["ACTORSYNC_POSTGRES_CONN_PORT"] = $"{shop.Servers.PostgresPort}",
        ["ACTORSYNC_REDIS_CONN_HOST"] = "127.0.0.1",
        ["ACTORSYNC_REDIS_CONN_PORT"] = $"{shop.Servers.RedisPort}",
    }, "/", path => path == "/config.yaml" ? ShopFiles.Read("config.yaml") : null);

    /// <summary>The demo's customers and clerks, on a connection of their own.</summary>
    async Task WorkAsync(CancellationToken stop)
    {
        await using var connection = new Npgsql.NpgsqlConnection(shop.Servers.ConnectionString);
        await connection.OpenAsync(CancellationToken.None);
        var workload = new ShopWorkload(connection, seed: 7);
        while (!stop.IsCancellationRequested)
        {
            var change = await workload.NextAsync(CancellationToken.None);
            await using var command = new Npgsql.NpgsqlCommand(change.Sql, connection);
            await command.ExecuteNonQueryAsync(CancellationToken.None);
            await Task.Delay(5, CancellationToken.None);
        }
    }

    static async Task UntilAsync(Func<bool> condition, Task running)
    {
        for (var deadline = DateTime.UtcNow.AddSeconds(60); !condition(); await Task.Delay(10))
        {
            if (running.IsCompleted) await running;
            if (DateTime.UtcNow > deadline) throw new TimeoutException("the node should stream");
        }
    }
}
