using System.Diagnostics;
using System.Net.Http.Json;
using System.Runtime.InteropServices;
using System.Text.Json;
using Sync.Node.Http;
using Sync.Node.Tests.Commands;
using Sync.Testing;
using NodeProgram = Sync.Node.Tests.Commands.Program;

namespace Sync.Node.Tests.Cluster;

/// <summary>Nodes of a cluster, each a process of its own on the loopback address, that work for the database of a <see cref="Workplace"/>.</summary>
sealed class NodeCluster : IDisposable
{
    static readonly TimeSpan patience = TimeSpan.FromSeconds(90);

    readonly HttpClient http = new() { Timeout = TimeSpan.FromSeconds(10) };
    readonly Workplace place;

    NodeCluster(Workplace place, IReadOnlyList<Node> nodes) => (this.place, Nodes) = (place, nodes);

    /// <param name="Address">By what the cluster knows it.</param>
    /// <param name="Url">Where it answers.</param>
    /// <param name="Process">Its process.</param>
    public sealed record Node(string Address, string Url, NodeProgram Process)
    {
        /// <summary>Freezes it (SIGSTOP).</summary>
        public void Pause() => _ = Kill(Process.Id, 19);

        /// <summary>Lets it go on (SIGCONT).</summary>
        public void Resume() => _ = Kill(Process.Id, 18);

        [DllImport("libc", EntryPoint = "kill")]
        static extern int Kill(int pid, int signal);
    }

    public IReadOnlyList<Node> Nodes { get; }

    /// <summary>Starts them at once and waits until all are members.</summary>
    /// <param name="place">What they work for.</param>
    /// <param name="count">How many.</param>
    /// <param name="roles">Of each; all of them have all where there is none.</param>
    public static async Task<NodeCluster> StartAsync(Workplace place, int count, params string[] roles)
    {
        var cluster = Start(place, count, 0, roles);
        try
        {
            await cluster.UntilAsync(cluster.Nodes[0], view => view.LanesKnown && view.Members.Count(m => m.Status == "Up") == count, "all nodes should be members");
            return cluster;
        }
        catch
        {
            cluster.Dispose();
            throw;
        }
    }

    /// <summary>Starts them at once.</summary>
    /// <param name="place">What they work for.</param>
    /// <param name="count">How many.</param>
    /// <param name="missing">How many more seeds they know of, which nobody starts.</param>
    /// <param name="roles">Of each; all of them have all where there is none.</param>
    public static NodeCluster Start(Workplace place, int count, int missing = 0, params string[] roles)
    {
        int[] ports = [.. Enumerable.Range(0, count + missing).Select(_ => Ports.Free())];
        var nodes = new List<Node>();
        var cluster = new NodeCluster(place, nodes);
        try
        {
            foreach (int port in ports[..count])
            {
                int httpPort = Ports.Free();
                var environment = new Dictionary<string, string>(place.Environment)
                {
                    ["ACTORSYNC_CLUSTER_PORT"] = $"{port}",
                    ["ACTORSYNC_CLUSTER_SEEDS"] = string.Join(',', ports.Select(seed => $"127.0.0.1:{seed}")),
                    ["ACTORSYNC_CLUSTER_LANES"] = "32",
                    ["ACTORSYNC_HTTP_PORT"] = $"{httpPort}",
                    ["ACTORSYNC_PETABRIDGE_PORT"] = $"{Ports.Free()}",
                };
                if (roles.Length > 0) environment["ACTORSYNC_CLUSTER_ROLES"] = roles[nodes.Count];
                nodes.Add(new Node($"127.0.0.1:{port}", $"http://127.0.0.1:{httpPort}", NodeProgram.Start(place.Folder, environment, "run", "--cluster")));
            }
            return cluster;
        }
        catch
        {
            cluster.Dispose();
            throw;
        }
    }

    public Node Of(string? address) => Nodes.Single(node => node.Address == address);

    /// <summary>How a node sees the cluster.</summary>
    public async Task<ClusterView> LookAsync(Node node) => (await http.GetFromJsonAsync<ClusterView>($"{node.Url}/api/cluster", HttpJson.Options))!;

    /// <summary>Waits until a node sees what is expected.</summary>
    public async Task<ClusterView> UntilAsync(Node node, Predicate<ClusterView> holds, string expectation)
    {
        string seen = "nothing";
        for (var watch = Stopwatch.StartNew(); watch.Elapsed < patience; await Task.Delay(200))
        {
            try
            {
                var view = await LookAsync(node);
                if (holds(view)) return view;
                seen = view.ToString() + string.Join(' ', view.Members);
            }
            catch (Exception e) when (e is HttpRequestException or TaskCanceledException)
            {
                seen = e.Message;
            }
            if (node.Process.HasEnded) break;
        }
        throw new TimeoutException($"{expectation}; seen was {seen}; {string.Join("\n---\n", Nodes.Select(n => $"{n.Address}:\n{n.Process.Out}{n.Process.Error}"))}");
    }

    /// <summary>Waits until a node reads the stream and all tables are copied: rows of a copy have no position, so they come twice when their lane moves.</summary>
    public async Task StreamsAsync()
    {
        var states = new List<string>();
        for (var watch = Stopwatch.StartNew(); watch.Elapsed < patience; await Task.Delay(200))
        {
            states.Clear();
            foreach (var node in Nodes) states.Add((await http.GetFromJsonAsync<JsonElement>($"{node.Url}/api/status")).GetProperty("state").GetString()!);
            if (states.Contains("streaming")) return;
        }
        throw new TimeoutException($"a node should stream; they are {string.Join(", ", states)}");
    }

    /// <summary>A command through a node.</summary>
    public Task<Ended> AskAsync(Node node, params string[] command) => place.RunAsync([.. command, "--url", node.Url]);

    public void Dispose()
    {
        foreach (var node in Nodes)
        {
            node.Resume();
            node.Process.Dispose();
        }
        http.Dispose();
    }
}
