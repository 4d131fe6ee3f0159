using Akka.Actor;
using Sync.Actors.Ports;
using Sync.Engine.Batching;

namespace Sync.Actors.Lanes;

/// <summary>What the lanes of a node run on.</summary>
/// <param name="Store">Who owns a lane.</param>
/// <param name="Writers">The <see cref="Writing.RedisWriterPool"/> of the node.</param>
/// <param name="Status">The <see cref="Status.StatusActor"/> of the node.</param>
/// <param name="Pool">Batches for reuse.</param>
/// <param name="Options">How lanes work.</param>
/// <param name="Fate">Told of what a user has to mend.</param>
/// <param name="Node">The name of the node, for people.</param>
/// <param name="Time">The clock.</param>
public sealed record LaneContext(
    ILaneStore Store, IActorRef Writers, IActorRef Status, BatchPool Pool, LaneOptions Options, INodeFate Fate, string Node, TimeProvider Time)
{
    /// <summary>Told how many rows came though Redis has them. Safe for use by several lanes at once.</summary>
    public Action<int> Repeated { get; init; } = _ => { };
}

/// <summary>Shard to lane, when the shard moves elsewhere or the node leaves: drain, give the lane up, end. Stays within the process.</summary>
public sealed record HandOffLane
{
    public static readonly HandOffLane Instance = new();
}

/// <summary>Shard to lane, after the lane has asked for it: end.</summary>
public sealed record StopLane
{
    public static readonly StopLane Instance = new();
}

/// <summary>Lane to the status actor of its node: it runs here.</summary>
/// <param name="Lane">Which lane.</param>
public sealed record LaneStarted(int Lane);
