using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Sync.Faults.Load;
using Sync.Testing;

namespace Sync.Faults.Servers;

/// <summary>A PostgreSQL with the tables of the load, an empty Redis, and two nodes on one slot, or those of a cluster, each behind wires of its own.</summary>
sealed class Site : IAsyncDisposable
{
    static readonly TimeSpan settleDeadline = TimeSpan.FromMinutes(5);

    readonly CancellationToken stop;
    long marker;
    string delivery = "", client = "";
    bool tellsNothing;

    Site(string folder, PostgresServer postgres, RedisProcess redis, string database, int cluster, CancellationToken stop)
    {
        (Folder, Postgres, Redis, Database, this.stop) = (folder, postgres, redis, database, stop);
        if (cluster > 0) Network = new ClusterNetwork(cluster);
        Nodes = [.. Enumerable.Range(0, cluster > 0 ? cluster : 2).Select(i => new NodeProcess($"{(char)('A' + i)}", folder, postgres.Port, redis.Port, Config, Problems)
        {
            HasClock = cluster == 0 && i == 1,
            ClusterIndex = cluster > 0 ? i : null,
        })];
    }

    /// <summary>Logs and configurations.</summary>
    public string Folder { get; }
    public PostgresServer Postgres { get; }
    public RedisProcess Redis { get; }
    public string Database { get; }
    public IReadOnlyList<NodeProcess> Nodes { get; }

    /// <summary>Between the nodes of a cluster; null between single hosts, which know nothing of each other.</summary>
    public ClusterNetwork? Network { get; }

    /// <summary>What should not have happened, besides wrong content.</summary>
    public List<string> Problems { get; } = [];

    /// <param name="folder">Where logs go.</param>
    /// <param name="stop">Ends every wait of the site.</param>
    /// <param name="nodes">How many single hosts to start.</param>
    /// <param name="atLeastOnce">Their delivery.</param>
    /// <param name="cluster">Of how many nodes the cluster is; 0 for single hosts.</param>
    /// <param name="client">Their <c>redis.client</c>.</param>
    /// <param name="archive">Where PostgreSQL archives its log, for a run whose tables tell nothing; null for none.</param>
    public static async Task<Site> OpenAsync(string folder, CancellationToken stop, int nodes = 2, bool atLeastOnce = false, int cluster = 0, string client = "resp", string? archive = null)
    {
        Directory.CreateDirectory(folder);
        // Short, because a test that waits for time-outs proves nothing more when they are long.
        string[] settings = ["wal_sender_timeout = 6s", "deadlock_timeout = 200ms", "max_wal_size = 4GB", "checkpoint_timeout = 2min"];
        if (archive is not null) settings = [.. settings, "archive_mode = on", $"archive_command = 'cp %p {archive}/%f'"];
        var postgres = await PostgresServer.StartAsync(settings);
        RedisProcess? redis = null;
        Site? site = null;
        try
        {
            redis = await RedisProcess.StartAsync(Path.Combine(folder, "redis.log"));
            site = new Site(folder, postgres, redis, await postgres.CreateDatabaseAsync(), cluster, stop) { delivery = atLeastOnce ? "at-least-once" : "exactly-once", client = client, tellsNothing = archive is not null };
            await postgres.ExecuteAsync(Schema.Sql(), site.Database);
            if (cluster > 0)
            {
                foreach (var node in site.Nodes) node.Start();
                await site.UntilAsync(site.IsCompleteAsync, "the nodes should come up as one cluster");
            }
            else foreach (var node in site.Nodes.Take(nodes))
            {
                node.Start();
                await site.UntilAsync(async () => await node.StateAsync() is "streaming" or "standby", $"node {node.Name} should come up");
            }
            return site;
        }
        catch
        {
            if (site is not null) await site.DisposeAsync();
            else if (redis is not null) await redis.DisposeAsync();
            await postgres.DisposeAsync();
            throw;
        }
    }

    /// <summary>Adds a line with the time, as the nodes' logs have it, to what happened.</summary>
    public Task NoteAsync(string what) => File.AppendAllTextAsync(Path.Combine(Folder, "faults.log"), $"{DateTime.UtcNow:HH:mm:ss.fff} {what}\n");

    string Config(NodeProcess node) => $$"""
        postgres:
          conn: { host: 127.0.0.1, port: {{node.Postgres.Port}}, database: {{Database}}, user: postgres }
          repl: { pub: pub, slot: faults }
          standByTimeout: 1s
          receiveTimeout: 6s
          schemaCheckInterval: 2s
        redis:
          conn: { host: 127.0.0.1, port: {{node.Redis.Port}} }
          client: {{client}}
        flushWorkers: {{node.Workers}}
        delivery: {{delivery}}
        writeTimeout: 2s
        shutdownTimeout: {{(Network is null ? "10s" : "30s")}}
        retryPolicy: { initialBackoff: 50ms, maxBackoff: 1s }
        http: { port: {{node.HttpPort}} }
        {{(node.ClusterIndex is { } index ? ClusterConfig(index) : "")}}
        tables:
        {{(tellsNothing ? Schema.StateTables : Schema.Tables).ReplaceLineEndings("\n")}}
        {{ShiftingTables.Mapping.ReplaceLineEndings("\n")}}
        """;

    string ClusterConfig(int index) => $$"""
        cluster:
          host: {{ClusterNetwork.ListensOn(index)}}
          publicHost: {{ClusterNetwork.KnownBy(index)}}
          port: {{Network!.Port}}
          seeds: [{{string.Join(", ", Nodes.Select(n => $"'{ClusterNetwork.KnownBy(n.ClusterIndex!.Value)}:{Network.Port}'"))}}]
        petabridge: { enabled: false }
        debug: true
        """;

    /// <summary>Whether one node streams and all others stand by, as members of one cluster.</summary>
    public async Task<bool> IsCompleteAsync()
    {
        string[] states = await Task.WhenAll(Nodes.Select(n => n.StateAsync()));
        return states.Count(s => s == "streaming") == 1 && states.Count(s => s == "standby") == Nodes.Count - 1;
    }

    /// <summary>The node that streams; the first one if none does now.</summary>
    public async Task<NodeProcess> ActiveAsync()
    {
        foreach (var node in Nodes)
            if (!node.IsFrozen && await node.StateAsync() == "streaming") return node;
        return Nodes[0];
    }

    /// <summary>The node whose clock can be set.</summary>
    public NodeProcess Clocked => Nodes.First(n => n.HasClock);

    /// <param name="node">Not this one.</param>
    /// <param name="variant">Which of the others.</param>
    public NodeProcess Other(NodeProcess node, int variant = 0) => Nodes.Where(n => n != node).ElementAt(variant % (Nodes.Count - 1));

    /// <summary>Waits until Redis holds everything that has committed; nobody may be writing meanwhile. False, and a problem noted, when it never does.</summary>
    public async Task<bool> SettleAsync()
    {
        string number = (++marker).ToString(CultureInfo.InvariantCulture);
        string? target = await Postgres.ScalarAsync<string>("select pg_current_wal_lsn()::text", Database);
        await Postgres.ExecuteAsync($"insert into marker values (1, {number}) on conflict (id) do update set n = excluded.n", Database);
        var watch = Stopwatch.StartNew();
        while (watch.Elapsed < settleDeadline)
        {
            foreach (var node in Nodes)
                if (await node.StatusAsync() is { } status && HasReached(status, target!) && (string?)await Redis.ExecAsync("GET", "marker:1") == number) return true;
            await Task.Delay(200, stop);
        }
        string states = await StatesAsync();
        lock (Problems) Problems.Add($"Redis did not catch up with {target} within {settleDeadline.TotalSeconds:0} s; {states}");
        return false;
    }

    static bool HasReached(JsonElement status, string target) =>
        status.GetProperty("state").GetString()!.Equals("streaming", StringComparison.OrdinalIgnoreCase) && Lsn(status.GetProperty("lsn").GetProperty("applied").GetString()!) >= Lsn(target);

    public static ulong Lsn(string text)
    {
        string[] halves = text.Split('/');
        return (ulong.Parse(halves[0], NumberStyles.HexNumber, CultureInfo.InvariantCulture) << 32) | ulong.Parse(halves[1], NumberStyles.HexNumber, CultureInfo.InvariantCulture);
    }

    async Task<string> StatesAsync()
    {
        var states = new List<string>();
        foreach (var node in Nodes)
            states.Add(await node.StatusAsync() is { } status
                ? $"node {node.Name} {status.GetProperty("state")} applied {status.GetProperty("lsn").GetProperty("applied")} {status.GetProperty("lastError")}"
                : $"node {node.Name} does not answer");
        return string.Join("; ", states);
    }

    public async Task UntilAsync(Func<Task<bool>> holds, string what)
    {
        var watch = Stopwatch.StartNew();
        while (!await holds())
        {
            if (watch.Elapsed > settleDeadline || Problems.Count > 0) throw new TimeoutException($"{what}; {await StatesAsync()}; {string.Join("; ", Problems)}");
            await Task.Delay(50, stop);
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var node in Nodes) await node.DisposeAsync();
        if (Network is not null) await Network.DisposeAsync();
        await Redis.DisposeAsync();
        await Postgres.DisposeAsync();
    }
}
