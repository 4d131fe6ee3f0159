using Sync.Contracts.Cluster;

namespace Sync.Actors.Status;

/// <summary>Asks how the lanes of this node are; answered with <see cref="ClusterStatus"/>.</summary>
public sealed record NodeStatusQuery
{
    public static readonly NodeStatusQuery Instance = new();
}

/// <summary>Asks which reader this node has heard of last; answered with <see cref="HeardReader"/>.</summary>
public sealed record HeardReaderQuery
{
    public static readonly HeardReaderQuery Instance = new();
}

/// <param name="Epoch">Its start; 0 for none.</param>
public sealed record HeardReader(long Epoch);

/// <summary>Asks how all lanes of the cluster are, wherever they run; answered with <see cref="ClusterStatus"/>.</summary>
public sealed record ClusterStatusQuery
{
    public static readonly ClusterStatusQuery Instance = new();
}

/// <summary>How lanes are, and who reads.</summary>
/// <param name="Node">The node that tells.</param>
/// <param name="ReaderEpoch">The latest start of a reader that this node heard of; 0 for none.</param>
/// <param name="ReaderNode">Where it runs; empty for none.</param>
/// <param name="Lanes">The lanes that answered, by number.</param>
/// <param name="Silent">Those that did not.</param>
public sealed record ClusterStatus(string Node, long ReaderEpoch, string ReaderNode, IReadOnlyList<LaneStatus> Lanes, IReadOnlyList<int> Silent)
{
    /// <summary>Rows not in Redis yet.</summary>
    public long RowsWaiting => Lanes.Sum(lane => lane.RowsWaiting);

    /// <summary>Bytes of these rows.</summary>
    public long BytesWaiting => Lanes.Sum(lane => lane.BytesWaiting);

    /// <summary>Ordering keys that have such rows.</summary>
    public int KeysUnderWay => Lanes.Sum(lane => lane.KeysUnderWay);

    /// <summary>Lanes that Redis refuses.</summary>
    public int CircuitsOpen => Lanes.Count(lane => lane.CircuitOpen);

    /// <summary>Ordering keys that have dead letters.</summary>
    public int ParkedKeys => Lanes.Sum(lane => lane.ParkedKeys);
}
