using System.Globalization;
using Akka.Cluster.Sharding;
using Sync.Contracts.Cluster;

namespace Sync.Actors.Lanes;

/// <summary>
/// Tells a shard region which lane a message is for, and which lanes move together. The coordinator moves shards one after the other, with two agreements among the nodes for each: with a
/// shard for each of 256 lanes a node that leaves would take twice as long, with much fewer the nodes would have unequal shares.
/// </summary>
public sealed class LaneExtractor(int lanes) : IMessageExtractor
{
    /// <summary>Shards there are at most.</summary>
    public const int Shards = 64;

    /// <summary>The name of the shard region of lanes.</summary>
    public const string Region = "lanes";

    readonly string[] names = [.. Enumerable.Range(0, lanes).Select(lane => lane.ToString(CultureInfo.InvariantCulture))];
    readonly int shards = Math.Min(lanes, Shards);

    /// <summary>The lane of an entity.</summary>
    public static int LaneOf(string entityId) => int.Parse(entityId, NumberStyles.None, CultureInfo.InvariantCulture);

    /// <summary>The lanes of a shard; none for what is no shard.</summary>
    public static IEnumerable<int> LanesOf(string shard, int lanes)
    {
        int step = Math.Min(lanes, Shards);
        if (!int.TryParse(shard, NumberStyles.None, CultureInfo.InvariantCulture, out int first) || first >= step) yield break;
        for (int lane = first; lane < lanes; lane += step) yield return lane;
    }

    /// <returns>Null, which the region drops, for a message of something else and for a lane that does not exist.</returns>
    public string? EntityId(object message) => message is ILaneMessage { Lane: var lane } && (uint)lane < (uint)names.Length ? names[lane] : null;

    public object EntityMessage(object message) => message;

    public string? ShardId(object message) => EntityId(message) is null ? null : names[((ILaneMessage)message).Lane % shards];

    public string ShardId(string entityId, object? messageHint = null) => names[LaneOf(entityId) % shards];
}
