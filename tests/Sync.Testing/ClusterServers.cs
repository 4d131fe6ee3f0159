using System.Globalization;

namespace Sync.Testing;

/// <summary>A Redis Cluster of one's own on the loopback address: masters that share the hash slots evenly, and replicas of the first of them.</summary>
public sealed class ClusterServers : IDisposable
{
    const int Slots = 16384;
    static readonly TimeSpan deadline = TimeSpan.FromSeconds(60);

    readonly List<RedisServer> masters = [], replicas = [];

    public IReadOnlyList<RedisServer> Masters => masters;
    public IReadOnlyList<RedisServer> Replicas => replicas;

    /// <summary><c>host:port</c> of all masters, comma-separated.</summary>
    public string Nodes => string.Join(',', masters.Select(m => $"127.0.0.1:{m.Port}"));

    public static async Task<ClusterServers> StartAsync(int masters = 3, int replicas = 0)
    {
        var cluster = new ClusterServers();
        try
        {
            for (int i = 0; i < masters + replicas; i++)
            {
                int bus = Ports.Free();
                var server = await RedisServer.StartAsync(
                    "--cluster-enabled", "yes", "--cluster-node-timeout", "3000", "--cluster-port", $"{bus}", "--appendonly", "yes", "--appendfsync", "always", "--repl-diskless-sync-delay", "0");
                (i < masters ? cluster.masters : cluster.replicas).Add(server);
                await server.ExecAsync("CLUSTER", "SET-CONFIG-EPOCH", $"{i + 1}");
                if (i > 0) await cluster.masters[0].ExecAsync("CLUSTER", "MEET", "127.0.0.1", $"{server.Port}", $"{bus}");
            }
            for (int i = 0; i < masters; i++)
                await cluster.masters[i].ExecAsync("CLUSTER", "ADDSLOTSRANGE", $"{Slots * i / masters}", $"{Slots * (i + 1) / masters - 1}");
            foreach (var replica in cluster.replicas) await cluster.FollowAsync(replica, cluster.masters[0]);
            foreach (var server in cluster.masters.Concat(cluster.replicas)) await cluster.AgreesAsync(server, masters + replicas);
            return cluster;
        }
        catch
        {
            cluster.Dispose();
            throw;
        }
    }

    /// <summary>Runs one command where its key, the second argument, is served; follows the nodes' redirections.</summary>
    public async Task<object?> ExecAsync(params string[] arguments)
    {
        var server = masters.Concat(replicas).First(s => s.IsRunning);
        for (int i = 0; ; i++)
        {
            try
            {
                return await server.ExecAsync(arguments);
            }
            catch (TestRedisException e) when (i < 100 && e.Message.StartsWith("MOVED ", StringComparison.Ordinal))
            {
                int port = int.Parse(e.Message[(e.Message.LastIndexOf(':') + 1)..], CultureInfo.InvariantCulture);
                server = masters.Concat(replicas).First(s => s.Port == port);
            }
        }
    }

    /// <summary>All keys of all masters that begin with this.</summary>
    public async Task<string[]> KeysAsync(string pattern = "*")
    {
        var keys = new HashSet<string>(StringComparer.Ordinal);
        foreach (var server in masters.Concat(replicas).Where(s => s.IsRunning))
            foreach (object? key in (object?[])(await server.ExecAsync("KEYS", pattern))!) keys.Add((string)key!);
        return [.. keys.Order(StringComparer.Ordinal)];
    }

    public async Task<int> SlotOfAsync(string key) => (int)(long)(await masters[0].ExecAsync("CLUSTER", "KEYSLOT", key))!;

    public RedisServer OwnerOf(int slot) => masters[slot * masters.Count / Slots];

    /// <summary>Moves a slot with its keys, as redis-cli --cluster reshard does (Redis docs, "Redis cluster specification", "Live resharding").</summary>
    /// <param name="slot">The slot.</param>
    /// <param name="from">Who serves it.</param>
    /// <param name="to">Who is going to.</param>
    /// <param name="between">Done while the slot is open on both sides.</param>
    public async Task MoveAsync(int slot, RedisServer from, RedisServer to, Func<Task>? between = null)
    {
        string source = await IdAsync(from), target = await IdAsync(to);
        await to.ExecAsync("CLUSTER", "SETSLOT", $"{slot}", "IMPORTING", source);
        await from.ExecAsync("CLUSTER", "SETSLOT", $"{slot}", "MIGRATING", target);
        if (between is not null) await between();
        while (true)
        {
            object?[] keys = (object?[])(await from.ExecAsync("CLUSTER", "GETKEYSINSLOT", $"{slot}", "100"))!;
            if (keys.Length == 0) break;
            await from.ExecAsync(["MIGRATE", "127.0.0.1", $"{to.Port}", "", "0", "5000", "KEYS", .. keys.Select(k => (string)k!)]);
        }
        foreach (var server in (RedisServer[])[to, from, .. masters.Where(m => m != from && m != to && m.IsRunning)]) await server.ExecAsync("CLUSTER", "SETSLOT", $"{slot}", "NODE", target);
    }

    async Task FollowAsync(RedisServer replica, RedisServer master)
    {
        string id = await IdAsync(master);
        await UntilAsync(async () =>
        {
            try
            {
                return (string?)await replica.ExecAsync("CLUSTER", "REPLICATE", id) == "OK";
            }
            catch (TestRedisException)
            {
                return false;
            }
        }, "the replica should know its master");
        await UntilAsync(async () => ((string)(await replica.ExecAsync("INFO", "replication"))!).Contains("master_link_status:up"), "the replica should follow");
    }

    Task AgreesAsync(RedisServer server, int nodes) => UntilAsync(async () =>
    {
        string info = (string)(await server.ExecAsync("CLUSTER", "INFO"))!;
        return info.Contains("cluster_state:ok") && info.Contains($"cluster_known_nodes:{nodes}\r") && info.Contains("cluster_slots_ok:16384");
    }, "the cluster should be whole");

    static async Task<string> IdAsync(RedisServer server) => (string)(await server.ExecAsync("CLUSTER", "MYID"))!;

    static async Task UntilAsync(Func<Task<bool>> condition, string expectation)
    {
        for (var end = DateTime.UtcNow + deadline; !await condition(); await Task.Delay(20))
            if (DateTime.UtcNow > end) throw new TimeoutException(expectation);
    }

    public void Dispose()
    {
        foreach (var server in masters.Concat(replicas)) server.Dispose();
    }
}
