using Akka.Actor;
using Akka.Event;
using Sync.Contracts.Cluster;

namespace Sync.Actors.Control;

/// <summary>
/// Has its node leave when an operator wants it to: one on each node. The node then hands over what it has before it tells the others that it leaves. The other way round, as a member that
/// others declare to be leaving, it could not: the coordinator of the lanes does not talk to it any more.
/// </summary>
public sealed class LeavingActor : ReceiveActor
{
    /// <summary>Its name on every node, below the user's guardian.</summary>
    public const string Name = "actorsync-leaving";

    static readonly TimeSpan patience = TimeSpan.FromSeconds(3);

    public LeavingActor() => Receive<NodeLeave>(leave =>
    {
        Context.GetLogger().Info("Node {0} was asked by {1} to leave.", leave.Node, leave.By);
        Sender.Tell(leave);
        // Says how it ends by the end of the system; a second time changes nothing.
        _ = CoordinatedShutdown.Get(Context.System).Run(CoordinatedShutdown.ClusterLeavingReason.Instance);
    });

    /// <summary>Has a member leave. One that does not answer is declared to be leaving, so that it learns of it from others as soon as it can be reached.</summary>
    /// <param name="cluster">Of the node that asks.</param>
    /// <param name="member">Which.</param>
    internal static async Task AskAsync(Akka.Cluster.Cluster cluster, Address member)
    {
        var there = cluster.System.ActorSelection(new RootActorPath(member) / "user" / Name);
        try
        {
            await there.Ask<NodeLeave>(new NodeLeave(MemberAddress.Of(member), MemberAddress.Of(cluster.SelfAddress)), patience);
        }
        catch (AskTimeoutException)
        {
            cluster.Leave(member);
        }
    }
}
