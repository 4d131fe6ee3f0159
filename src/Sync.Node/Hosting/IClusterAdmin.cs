namespace Sync.Node.Hosting;

/// <summary>What the HTTP endpoint asks of a node of a cluster beside <see cref="INodeAdmin"/>.</summary>
public interface IClusterAdmin
{
    /// <summary>How this node sees its cluster, and how the lanes are; as JSON shows it.</summary>
    Task<object> LookAsync(CancellationToken cancellationToken);
}
