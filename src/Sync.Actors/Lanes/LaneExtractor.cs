using System.Globalization;
using Akka.Cluster.Sharding;
using Sync.Contracts.Cluster;

namespace Sync.Actors.Lanes;

/// <summary>Tells a shard region which lane a message is for. A lane is a shard of its own, so that lanes can be moved one by one.</summary>
public sealed class LaneExtractor(int lanes) : IMessageExtractor
{
    /// <summary>The name of the shard region of lanes.</summary>
    public const string Region = "lanes";

    readonly string[] names = [.. Enumerable.Range(0, lanes).Select(lane => lane.ToString(CultureInfo.InvariantCulture))];

    /// <summary>The lane of an entity.</summary>
    public static int LaneOf(string entityId) => int.Parse(entityId, NumberStyles.None, CultureInfo.InvariantCulture);

    /// <returns>Null, which the region drops, for a message of something else and for a lane that does not exist.</returns>
    public string? EntityId(object message) => message is ILaneMessage { Lane: var lane } && (uint)lane < (uint)names.Length ? names[lane] : null;

    public object EntityMessage(object message) => message;

    public string? ShardId(object message) => EntityId(message);

    public string ShardId(string entityId, object? messageHint = null) => entityId;
}
