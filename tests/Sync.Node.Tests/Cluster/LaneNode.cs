using Sync.Contracts.Configuration;
using Sync.Node.Cluster;
using Sync.Node.Hosting;
using Sync.Node.Tests.Hosting;

namespace Sync.Node.Tests.Cluster;

/// <summary>A node of a cluster in this process, without its actors: what they run on.</summary>
sealed class LaneNode : IAsyncDisposable
{
    readonly NodeStats stats;

    /// <param name="config">Of the node.</param>
    /// <param name="longestHandover">How long its reader waits for the slot before it looks whose it is; null as usual.</param>
    public LaneNode(SyncConfig config, TimeSpan? longestHandover = null)
    {
        stats = new NodeStats([.. config.Tables.Select(t => t.FullName)], TimeProvider.System);
        Board = new StatusBoard(config, stats, TimeProvider.System);
        Metrics = new SyncMetrics(() => Board.Status);
        Parts = new NodeParts(config, Metrics, stats, new HostLog(Log), TimeProvider.System);
        Lanes = new NodeLanes(Parts);
        Sources = new PostgresLaneSourceFactory(Parts, new TableSet(config), Board, Lanes.Store) { LongestHandover = longestHandover ?? TimeSpan.FromSeconds(25) };
    }

    public LogLines Log { get; } = new();
    public StatusBoard Board { get; }
    public SyncMetrics Metrics { get; }
    public NodeParts Parts { get; }
    public NodeLanes Lanes { get; }
    public PostgresLaneSourceFactory Sources { get; }

    /// <summary>What the nodes of a test run with.</summary>
    public static SyncConfig Configure(Servers servers, Pipeline pipeline, string tables) => Pipeline.Load($$"""
        postgres:
          conn: { host: 127.0.0.1, port: {{servers.Postgres.Port}}, database: {{pipeline.Database}}, user: postgres }
          repl: { pub: pub, slot: {{pipeline.Slot}}, owner: app }
        redis:
          conn: { host: 127.0.0.1, port: {{servers.Redis.Port}} }
        flushWorkers: 3
        retryPolicy: { initialBackoff: 20ms, maxBackoff: 200ms }
        cluster: { enabled: true, seeds: [127.0.0.1], lanes: 32 }
        tables:
        {{tables.ReplaceLineEndings("\n")}}
        """);

    public async ValueTask DisposeAsync()
    {
        await Lanes.DisposeAsync();
        Metrics.Dispose();
    }
}
