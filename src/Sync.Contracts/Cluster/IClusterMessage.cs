namespace Sync.Contracts.Cluster;

/// <summary>
/// A message that leaves its process or is persisted, so it has a manifest and a form of its own in <c>ClusterWire</c>. Messages are immutable.
/// </summary>
public interface IClusterMessage;

/// <summary>A message for one lane, which a shard region can route by itself.</summary>
public interface ILaneMessage : IClusterMessage
{
    /// <summary>Which lane, from 0.</summary>
    int Lane { get; }
}
