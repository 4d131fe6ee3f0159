using System.Text;
using Sync.Actors.Ports;
using Sync.Contracts;
using Sync.Contracts.Cluster;
using Sync.Contracts.Cluster.Wire;
using Sync.Contracts.Configuration;
using Sync.Contracts.Rows;
using Sync.Engine.Batching;
using Sync.Engine.DeadLetters;
using Sync.Engine.Lanes;
using Sync.Engine.Ordering;
using Sync.Engine.Resp;
using Sync.Node.Tests.Hosting;
using Sync.Node.Tests.Hosting.Life;
using Sync.Redis;
using Sync.Redis.Lanes;
using Sync.Redis.Progress;
using Sync.Redis.Sink;
using Sync.Testing;

namespace Sync.Node.Tests.Cluster;

/// <summary>Nodes without actors and a Redis of their own, and work for the writers of their lanes.</summary>
public abstract class LaneWriterStage : IAsyncLifetime
{
    const int count = 8;
    static readonly LaneRouter router = new(count, 1);
    private protected static readonly RedisKeys keys = new("writer");

    readonly List<LaneNode> nodes = [];
    private protected readonly Dictionary<int, ParkedKeys> parked = [];
    private protected RedisServer redis = null!;
    private protected Wire wire = null!;

    public async Task InitializeAsync()
    {
        redis = await RedisServer.StartAsync();
        wire = new Wire(redis.Port);
        await ReaderAsync(1);
    }

    public async Task DisposeAsync()
    {
        foreach (var node in nodes) await node.DisposeAsync();
        await wire.DisposeAsync();
        redis.Dispose();
    }

    SyncConfig Config(int port) => Pipeline.Load($$"""
        postgres: { conn: { port: 1 }, repl: { pub: p, slot: writer } }
        redis: { conn: { host: 127.0.0.1, port: {{port}} } }
        flushWorkers: 1
        writeTimeout: 20s
        retryPolicy: { initialBackoff: 10ms, maxBackoff: 50ms }
        cluster: { enabled: true, seeds: [127.0.0.1], lanes: {{count}} }
        tables: [t]
        """);

    private protected async Task ReaderAsync(long epoch)
    {
        await using var session = await SinkSession.OpenAsync(Config(redis.Port).Redis, TimeSpan.FromSeconds(20), TimeProvider.System, null, null, default);
        await new ProgressStore(keys, count).BeginAsync(session.Connection, "1", new OwnerFence(keys.Owner, $"{epoch}"), new LaneOpening(epoch, session.History), default);
    }

    /// <summary>A node behind the wire, or beside it.</summary>
    private protected LaneNode Node(bool direct = false)
    {
        nodes.Add(new LaneNode(Config(direct ? redis.Port : wire.Port)));
        return nodes[^1];
    }

    private protected static byte[] KeyOf(int lane) => Enumerable.Range(0, 10_000).Select(i => Encoding.UTF8.GetBytes($"k{i}")).First(key => router.LaneOf(key) == lane);

    private protected static Position At(int step) => new(new Lsn(0x1000), (ulong)step);

    static byte[] Resp(string[] command)
    {
        var writer = new RespWriter();
        writer.ArrayHeader(command.Length);
        foreach (string argument in command) writer.Bulk(argument);
        return writer.Written.ToArray();
    }

    private protected LaneWork Work(int lane, long claim, int step, params string[] command)
    {
        var batch = new Batch();
        string[] sent = command.Length > 0 ? command : ["RPUSH", $"list:{lane}", $"{step}"];
        batch.Add(step, At(step), Resp(sent), 1, KeyOf(lane), 0, ChangeKind.Insert, 0);
        return Work(lane, claim, step, batch);
    }

    /// <summary>A row to compare: what some keys must hold.</summary>
    private protected LaneWork Comparison(int lane, long claim, int step, params KeyState[] keysOfRow)
    {
        var batch = new Batch();
        batch.Add(step, At(step), ClusterWire.ToBytes(new RowState(false, keysOfRow)).Bytes, 0, KeyOf(lane), 0, ChangeKind.Compare, 0);
        return Work(lane, claim, step, batch);
    }

    LaneWork Work(int lane, long claim, int step, Batch batch)
    {
        if (!parked.TryGetValue(lane, out var known)) parked[lane] = known = new ParkedKeys();
        return new LaneWork(lane, claim, new LaneFlight([batch], step, At(step)), known) { Epoch = 1 };
    }

    private protected async Task<string> ListAsync(int lane) => string.Join(' ', (object?[])(await redis.ExecAsync("LRANGE", $"list:{lane}", "0", "-1"))!);

    private protected async Task<string?> PositionAsync(int lane) => (string?)await redis.ExecAsync("HGET", keys.Progress, $"lane:{lane}");

    private protected static async Task<long> TakeAsync(LaneNode node, int lane) => (await node.Lanes.Store.TakeAsync(lane, default)).Claim;
}
