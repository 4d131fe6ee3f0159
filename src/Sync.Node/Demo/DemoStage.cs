using System.Diagnostics;
using Npgsql;
using Shop;
using Sync.Contracts;

namespace Sync.Node.Demo;

/// <summary>Everything the demo runs: the private servers, the node, the shop's pages, and the demo's own connections to both sides.</summary>
sealed class DemoStage : IAsyncDisposable
{
    static readonly TimeSpan glance = TimeSpan.FromMilliseconds(100);

    readonly PrivateServers servers;
    readonly IReadOnlyList<string> nodeCommand;
    readonly Lock gate = new();
    readonly List<ChildProcess> programs = [];

    DemoStage(PrivateServers servers, IReadOnlyList<string> nodeCommand) => (this.servers, this.nodeCommand) = (servers, nodeCommand);

    public NpgsqlConnection Postgres { get; private set; } = null!;
    public RespClient Redis { get; private set; } = null!;
    public int RedisPort => servers.RedisPort;
    public string ConnectionString => servers.ConnectionString;
    public string NodeUrl => $"http://127.0.0.1:{servers.HttpPort}";

    /// <summary>The nodes, if it is a cluster that is shown.</summary>
    public DemoCluster? Cluster { get; private set; }

    /// <summary>Address of the shop's pages; null when its program is not built.</summary>
    public string? ShopUrl { get; private set; }

    public string PostgresAddress => $"psql -h 127.0.0.1 -p {servers.PostgresPort} -U postgres shop";
    public string RedisAddress => $"redis-cli -p {servers.RedisPort}";

    /// <summary>From the start of the nodes until they stream, snapshot included.</summary>
    public TimeSpan SnapshotTook { get; private set; }

    public static async Task<DemoStage> StartAsync(DemoOptions options, Action<string> say, CancellationToken ct)
    {
        say("Starting a private PostgreSQL and a private Redis ...");
        var stage = new DemoStage(await PrivateServers.StartAsync(ct), options.NodeCommand ?? ThisProgram());
        try
        {
            await stage.servers.LoadShopAsync(ct);
            stage.Postgres = new NpgsqlConnection(stage.servers.ConnectionString);
            await stage.Postgres.OpenAsync(ct);
            stage.Redis = await RespClient.ConnectAsync("127.0.0.1", stage.servers.RedisPort, ct);
            say(options.Nodes is { } nodes ? $"Starting {nodes} nodes of a cluster: one copies what is there, all of them write ..." : "Starting ActorSync: it copies what is there, then follows ...");
            long begin = Stopwatch.GetTimestamp();
            if (options.Nodes is { } count) stage.Cluster = await DemoCluster.StartAsync(stage, count, ct);
            else await stage.StartNodeAsync("actorsync", stage.servers.HttpPort, new Dictionary<string, string>(), ct);
            stage.SnapshotTook = Stopwatch.GetElapsedTime(begin);
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
        var running = work(stop.Token);
        var ended = EndedAsync(stop.Token);
        var first = await Task.WhenAny(running, ended);
        if (first == running && running.IsCompletedSuccessfully)
        {
            await stop.CancelAsync();
            return await running;
        }
        // Ctrl-C at a terminal reaches the children as well, at times before it reaches us.
        try { await Task.Delay(300, ct); }
        catch (OperationCanceledException) { /* Told below as well. */ }
        await stop.CancelAsync();
        try { await running; }
        catch (Exception) when (first != running || Dead() is not null) { /* The program that ended is the cause, and is told below. */ }
        ct.ThrowIfCancellationRequested();
        throw Dead()!.Failure();
    }

    /// <summary>Ends when a program does that should not.</summary>
    async Task EndedAsync(CancellationToken ct)
    {
        try
        {
            while (Dead() is null) await Task.Delay(glance, ct);
        }
        catch (OperationCanceledException) { /* Nobody asks any more. */ }
    }

    ChildProcess? Dead()
    {
        lock (gate) return servers.Processes.Concat(programs).FirstOrDefault(child => child.HasExited);
    }

    public async ValueTask DisposeAsync()
    {
        if (Postgres is not null) await Postgres.DisposeAsync();
        Redis?.Dispose();
        // All at once: nodes that leave one after the other would first move their lanes to each other.
        await Task.WhenAll(programs.Select(program => program.DisposeAsync().AsTask()));
        NpgsqlConnection.ClearAllPools();
        await servers.DisposeAsync();
    }

    /// <summary>Starts a node and waits until it is ready.</summary>
    /// <param name="name">For people.</param>
    /// <param name="httpPort">Where it answers.</param>
    /// <param name="more">Settings beside those that every node has, as variables.</param>
    /// <param name="ct">Gives up.</param>
    public async Task<ChildProcess> StartNodeAsync(string name, int httpPort, IReadOnlyDictionary<string, string> more, CancellationToken ct)
    {
        string config = Path.Combine(servers.Folder, "config.yaml");
        lock (gate)
            if (!File.Exists(config)) File.WriteAllText(config, ShopFiles.Read("config.yaml"));
        var environment = new Dictionary<string, string>(more)
        {
            ["ACTORSYNC_POSTGRES_CONN_HOST"] = "127.0.0.1",
            ["ACTORSYNC_POSTGRES_CONN_PORT"] = $"{servers.PostgresPort}",
            ["ACTORSYNC_POSTGRES_CONN_DATABASE"] = "shop",
            ["ACTORSYNC_POSTGRES_CONN_USER"] = "postgres",
            ["ACTORSYNC_REDIS_CONN_HOST"] = "127.0.0.1",
            ["ACTORSYNC_REDIS_CONN_PORT"] = $"{servers.RedisPort}",
            ["ACTORSYNC_HTTP_PORT"] = $"{httpPort}",
        };
        var node = ChildProcess.Start(name, [.. nodeCommand, "run", "--config", config], Path.Combine(servers.Folder, name + ".log"), environment, patience: TimeSpan.FromSeconds(10));
        lock (gate) programs.Add(node);
        await AnswersAsync($"http://127.0.0.1:{httpPort}/healthz/ready", $"{name} is ready", node, ct);
        return node;
    }

    /// <summary>Kills a program, which is then no reason to end.</summary>
    public async Task KillAsync(ChildProcess program)
    {
        lock (gate) programs.Remove(program);
        await program.KillAsync();
        await program.DisposeAsync();
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
        lock (gate) programs.Add(shop);
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
        }, Waiting.StartLimit, ct);
    }

    static string[] ThisProgram()
    {
        string process = Environment.ProcessPath ?? "dotnet";
        return Path.GetFileNameWithoutExtension(process) == "dotnet" ? [process, typeof(DemoStage).Assembly.Location] : [process];
    }
}
