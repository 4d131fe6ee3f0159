using Sync.Node.Hosting;
using Sync.Redis.Lanes;

namespace Sync.Node.Cluster;

/// <summary>What a node has of lanes: by what name it owns them, which it has taken, what takes them and what writes them.</summary>
sealed class NodeLanes : IAsyncDisposable
{
    public NodeLanes(NodeParts parts)
    {
        Repeated = rows => parts.Metrics.RowsSkipped.Add(rows);
        int lanes = parts.Config.Cluster.Lanes;
        // What is known of Redis belongs to each claim here, so there is no history for all.
        Context = parts.ContextFor("", lanes);
        var owners = new LaneStore(Context.Keys, Incarnation, parts.Time);
        Store = new RedisLaneStore(Context, owners, Book, lanes);
        Writers = new LaneWriterFactory(Context, owners, Book);
    }

    /// <summary>Another one for each start of a process.</summary>
    public string Incarnation { get; } = Guid.NewGuid().ToString("N");

    /// <summary>Counts rows that came to a lane though Redis has them.</summary>
    public Action<int> Repeated { get; }

    public LaneClaimBook Book { get; } = new();
    public WriterContext Context { get; }
    public RedisLaneStore Store { get; }
    public LaneWriterFactory Writers { get; }

    public ValueTask DisposeAsync() => Store.DisposeAsync();
}
