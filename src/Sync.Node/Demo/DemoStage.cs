using System.Diagnostics;
using Npgsql;
using Shop;
using Sync.Contracts;

namespace Sync.Node.Demo;

/// <summary>Everything the demo runs: the private servers, the node, the shop's pages, and the demo's own connections to both sides.</summary>
sealed class DemoStage : IAsyncDisposable
{
    readonly PrivateServers servers;
    readonly List<ChildProcess> programs = [];

    DemoStage(PrivateServers servers) => this.servers = servers;

    public NpgsqlConnection Postgres { get; private set; } = null!;
    public RespClient Redis { get; private set; } = null!;
    public int RedisPort => servers.RedisPort;
    public string ConnectionString => servers.ConnectionString;
    public string NodeUrl => $"http://127.0.0.1:{servers.HttpPort}";

    /// <summary>Address of the shop's pages; null when its program is not built.</summary>
    public string? ShopUrl { get; private set; }

    public string PostgresAddress => $"psql -h 127.0.0.1 -p {servers.PostgresPort} -U postgres shop";
    public string RedisAddress => $"redis-cli -p {servers.RedisPort}";

    /// <summary>From the start of the node until it streams, snapshot included.</summary>
    public TimeSpan SnapshotTook { get; private set; }

    public static async Task<DemoStage> StartAsync(DemoOptions options, Action<string> say, CancellationToken ct)
    {
        say("Starting a private PostgreSQL and a private Redis ...");
        var stage = new DemoStage(await PrivateServers.StartAsync(ct));
        try
        {
            await stage.servers.LoadShopAsync(ct);
            stage.Postgres = new NpgsqlConnection(stage.servers.ConnectionString);
            await stage.Postgres.OpenAsync(ct);
            stage.Redis = await RespClient.ConnectAsync("127.0.0.1", stage.servers.RedisPort, ct);
            say("Starting ActorSync: it copies what is there, then follows ...");
            await stage.StartNodeAsync(options.NodeCommand ?? ThisProgram(), ct);
            await stage.StartShopAsync(ct);
            return stage;
        }
        catch
        {
            await stage.DisposeAsync();
            throw;
        }
    }

    /// <summary>Runs <paramref name="work"/> as long as every program of the stage lives.</summary>
    /// <exception cref="SyncException">One of them ended; names it and shows its last lines.</exception>
    public async Task<T> GuardAsync<T>(Func<CancellationToken, Task<T>> work, CancellationToken ct)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(ct);
        var children = servers.Processes.Concat(programs).ToList();
        var running = work(stop.Token);
        var first = await Task.WhenAny(running, Task.WhenAny(children.Select(child => child.Exited)));
        if (first == running && running.IsCompletedSuccessfully) return await running;
        // Ctrl-C at a terminal reaches the children as well, at times before it reaches us.
        try { await Task.Delay(300, ct); }
        catch (OperationCanceledException) { }
        await stop.CancelAsync();
        try { await running; }
        catch (Exception) when (first != running || children.Any(child => child.HasExited)) { }
        ct.ThrowIfCancellationRequested();
        throw children.First(child => child.HasExited).Failure();
    }

    public async ValueTask DisposeAsync()
    {
        if (Postgres is not null) await Postgres.DisposeAsync();
        Redis?.Dispose();
        foreach (var program in Enumerable.Reverse(programs)) await program.DisposeAsync();
        NpgsqlConnection.ClearAllPools();
        await servers.DisposeAsync();
    }

    async Task StartNodeAsync(IReadOnlyList<string> command, CancellationToken ct)
    {
        string config = Path.Combine(servers.Folder, "config.yaml");
        await File.WriteAllTextAsync(config, ShopFiles.Read("config.yaml"), ct);
        var environment = new Dictionary<string, string>
        {
            ["ACTORSYNC_POSTGRES_CONN_HOST"] = "127.0.0.1",
            ["ACTORSYNC_POSTGRES_CONN_PORT"] = $"{servers.PostgresPort}",
            ["ACTORSYNC_POSTGRES_CONN_DATABASE"] = "shop",
            ["ACTORSYNC_POSTGRES_CONN_USER"] = "postgres",
            ["ACTORSYNC_REDIS_CONN_HOST"] = "127.0.0.1",
            ["ACTORSYNC_REDIS_CONN_PORT"] = $"{servers.RedisPort}",
            ["ACTORSYNC_HTTP_PORT"] = $"{servers.HttpPort}",
        };
        long begin = Stopwatch.GetTimestamp();
        var node = ChildProcess.Start("actorsync", [.. command, "run", "--config", config], Path.Combine(servers.Folder, "actorsync.log"), environment, patience: TimeSpan.FromSeconds(10));
        programs.Add(node);
        await AnswersAsync($"{NodeUrl}/healthz/ready", "ActorSync is ready", node, ct);
        SnapshotTook = Stopwatch.GetElapsedTime(begin);
    }

    async Task StartShopAsync(CancellationToken ct)
    {
        if (ShopFiles.FindApi() is not { } dll) return;
        string url = $"http://127.0.0.1:{servers.ShopPort}";
        var environment = new Dictionary<string, string>
        {
            ["SHOP_POSTGRES"] = $"Host=127.0.0.1;Port={servers.PostgresPort};Database=shop;Username=postgres;SSL Mode=Disable",
            ["SHOP_REDIS"] = $"127.0.0.1:{servers.RedisPort}",
            ["ASPNETCORE_URLS"] = url,
        };
        var shop = ChildProcess.Start("shop", ["dotnet", dll], Path.Combine(servers.Folder, "shop.log"), environment);
        programs.Add(shop);
        await AnswersAsync($"{url}/products", "the shop answers", shop, ct);
        ShopUrl = url;
    }

    static async Task AnswersAsync(string url, string what, ChildProcess child, CancellationToken ct)
    {
        using var http = new HttpClient { Timeout = TimeSpan.FromSeconds(5) };
        await Waiting.UntilAsync($"{what} at {url}", child, async () =>
        {
            try
            {
                using var response = await http.GetAsync(url, ct);
                return response.IsSuccessStatusCode;
            }
            catch (HttpRequestException) { return false; }
            catch (TaskCanceledException) when (!ct.IsCancellationRequested) { return false; }
        }, TimeSpan.FromSeconds(30), ct);
    }

    static string[] ThisProgram()
    {
        string process = Environment.ProcessPath ?? "dotnet";
        return Path.GetFileNameWithoutExtension(process) == "dotnet" ? [process, typeof(DemoStage).Assembly.Location] : [process];
    }
}
