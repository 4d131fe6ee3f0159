namespace Sync.Contracts.Cluster.Wire;

/// <summary>Bytes or a manifest that can't be a message of ours, or of a version that this one knows; the message says which and why.</summary>
public sealed class ClusterWireException(string message, Exception? inner = null) : Exception(message, inner);
