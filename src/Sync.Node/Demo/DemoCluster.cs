using System.Text.Json;
using Sync.Contracts;
using Sync.Node.Hosting;
using Sync.Node.Http;

namespace Sync.Node.Demo;

/// <summary>A node of the demo's cluster.</summary>
/// <param name="Number">From 1 on.</param>
/// <param name="Address">By what the cluster knows it.</param>
/// <param name="Url">Where it answers.</param>
/// <param name="Process">Its process.</param>
sealed record DemoNode(int Number, string Address, string Url, ChildProcess Process)
{
    public string Name => $"node {Number}";
}

/// <summary>The nodes of the demo, each a process of its own with ports of its own on the loopback address. Thread-safe.</summary>
sealed class DemoCluster : IDisposable
{
    static readonly TimeSpan streamLimit = TimeSpan.FromSeconds(60);

    readonly DemoStage stage;
    readonly IReadOnlyList<int> seeds;
    readonly HttpClient http = new(new SocketsHttpHandler { UseProxy = false }) { Timeout = TimeSpan.FromSeconds(5) };
    readonly Lock gate = new();
    readonly List<DemoNode> nodes = [];
    readonly Dictionary<string, string> names = [];

    DemoCluster(DemoStage stage, IReadOnlyList<int> seeds) => (this.stage, this.seeds) = (stage, seeds);

    /// <summary>Those that live.</summary>
    public IReadOnlyList<DemoNode> Nodes
    {
        get { lock (gate) return [.. nodes.OrderBy(node => node.Number)]; }
    }

    /// <summary>Starts the first nodes, who are the seeds of all, and waits until one of them streams.</summary>
    /// <exception cref="SyncException">One ends, or they don't come up in time.</exception>
    public static async Task<DemoCluster> StartAsync(DemoStage stage, int count, CancellationToken ct)
    {
        var cluster = new DemoCluster(stage, PrivateServers.FreePorts(count));
        await Task.WhenAll(Enumerable.Range(0, count).Select(i => cluster.StartNodeAsync(i + 1, cluster.seeds[i], ct)));
        var first = cluster.Nodes[0];
        await Waiting.UntilAsync("a node streams", first.Process, async () =>
        {
            foreach (var node in cluster.Nodes)
                if (await cluster.GetAsync<NodeStatus>(node, "/api/status", ct) is { State: NodeState.Streaming }) return true;
            return false;
        }, streamLimit, ct);
        return cluster;
    }

    /// <summary>Has another node join.</summary>
    public Task<DemoNode> AddAsync(CancellationToken ct) => StartNodeAsync(Nodes.Max(node => node.Number) + 1, PrivateServers.FreePorts(1)[0], ct);

    /// <summary>Kills a node as a crash does.</summary>
    public async Task KillAsync(DemoNode node)
    {
        lock (gate) nodes.Remove(node);
        await stage.KillAsync(node.Process);
    }

    /// <summary>What people call the node of an address, also before it is ready and after it died.</summary>
    public string NameOf(string address)
    {
        lock (gate) return names.GetValueOrDefault(address, address);
    }

    /// <summary>How the first node that answers sees the cluster; null when none does.</summary>
    public async Task<ClusterView?> LookAsync(CancellationToken ct)
    {
        foreach (var node in Nodes)
            if (await GetAsync<ClusterView>(node, "/api/cluster", ct) is { } view) return view;
        return null;
    }

    async Task<DemoNode> StartNodeAsync(int number, int port, CancellationToken ct)
    {
        int httpPort = PrivateServers.FreePorts(1)[0];
        string address = $"127.0.0.1:{port}";
        lock (gate) names[address] = $"node {number}";
        var settings = new Dictionary<string, string>
        {
            ["ACTORSYNC_CLUSTER_ENABLED"] = "true",
            ["ACTORSYNC_CLUSTER_PORT"] = $"{port}",
            ["ACTORSYNC_CLUSTER_SEEDS"] = string.Join(',', seeds.Select(seed => $"127.0.0.1:{seed}")),
            ["ACTORSYNC_PETABRIDGE_ENABLED"] = "false",
        };
        var process = await stage.StartNodeAsync($"node{number}", httpPort, settings, ct);
        var node = new DemoNode(number, address, $"http://127.0.0.1:{httpPort}", process);
        lock (gate) nodes.Add(node);
        return node;
    }

    async Task<T?> GetAsync<T>(DemoNode node, string path, CancellationToken ct) where T : class
    {
        try
        {
            return await http.GetFromJsonAsync<T>(node.Url + path, HttpJson.Lenient, ct);
        }
        catch (Exception e) when (!ct.IsCancellationRequested && e is HttpRequestException or JsonException or OperationCanceledException or IOException)
        {
            return null;
        }
    }

    public void Dispose() => http.Dispose();
}
