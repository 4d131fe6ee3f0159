using Sync.Contracts;
using Sync.Node.Http;

namespace Sync.Node.Hosting;

/// <summary>What this node knows of its cluster without asking anybody; for metrics.</summary>
/// <param name="Up">Full members.</param>
/// <param name="Unreachable">Members that some node has not heard from for too long.</param>
/// <param name="LanesHere">Lanes that this node carries.</param>
/// <param name="IsReader">Whether this node reads the slot.</param>
public readonly record struct ClusterCounts(int Up, int Unreachable, int LanesHere, bool IsReader);

/// <summary>What the HTTP endpoint asks of a node of a cluster beside <see cref="INodeAdmin"/>.</summary>
public interface IClusterAdmin
{
    /// <summary>What this node knows by itself.</summary>
    ClusterCounts Counts { get; }

    /// <summary>How this node sees its cluster. Takes at most three seconds, even if nobody answers.</summary>
    /// <exception cref="SyncException">This node is no member.</exception>
    Task<ClusterView> LookAsync(CancellationToken cancellationToken);

    /// <summary>How each lane is, wherever it runs.</summary>
    /// <exception cref="SyncException">This node is no member.</exception>
    Task<LanesView> LanesAsync(CancellationToken cancellationToken);

    /// <summary>Asks a member to leave: it drains its lanes, hands over, and ends.</summary>
    /// <exception cref="SyncException">There is no such member, or it can't be done.</exception>
    Task<NodeReply> LeaveAsync(string node, CancellationToken cancellationToken);

    /// <summary>Takes a member out that can't be asked any more.</summary>
    /// <exception cref="SyncException">There is no such member, or it can't be done.</exception>
    Task<NodeReply> DownAsync(string node, CancellationToken cancellationToken);
}
