using Akka.Actor;
using Akka.Cluster;
using Sync.Contracts.Configuration;

namespace Sync.Actors.Hosting;

/// <summary>
/// Watches over a node that was started while a cluster works for the slot, and so only joins. When that cluster ends without having let it in, as when all nodes are stopped at once, nobody is
/// left to join: then the node goes on as one that found the slot free, and begins a cluster if it is the first seed.
/// </summary>
/// <param name="system">Of the node, just started.</param>
/// <param name="options">The <c>cluster</c> section.</param>
/// <param name="seeds">All seeds, this node included if it is one.</param>
/// <param name="isAnybodyThere">Whether the cluster has members, or somebody has the slot.</param>
public sealed class ClusterJoining(ActorSystem system, ClusterOptions options, IReadOnlyList<HostPort> seeds, Func<CancellationToken, Task<bool>> isAnybodyThere)
{
    static readonly TimeSpan poll = TimeSpan.FromMilliseconds(500);

    /// <summary>So many looks in a row must find nobody: after a restart of PostgreSQL members take a second to show themselves again.</summary>
    const int looks = 5;

    readonly Cluster cluster = Cluster.Get(system);

    /// <summary>Watches until the node is a member, joins anew, or ends.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        try
        {
            for (int free = 0; free < looks; free = await isAnybodyThere(cancellationToken) ? 0 : free + 1)
            {
                await Task.Delay(poll, cancellationToken);
                if (cluster.IsTerminated || !cluster.State.Members.IsEmpty) return;
            }
        }
        catch (OperationCanceledException)
        {
            return;
        }
        cluster.JoinSeedNodes(seeds.Select(seed => Address.Parse(ClusterHocon.Address(options, seed))));
    }
}
