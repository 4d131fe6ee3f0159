using Akka.Actor;
using Akka.Cluster;
using Akka.Event;
using Sync.Contracts.Cluster;

namespace Sync.Actors.Control;

/// <summary>
/// Has its node leave, or take itself out, when an operator wants it to: one on each node. A node that leaves hands over what it has before it tells the others. The other way round, as a member
/// that others declare to be leaving, it could not: the coordinator of the lanes does not talk to it any more. And one that only the others take out does not hear of it; where it is as many as
/// they are, it would go on by itself.
/// </summary>
public sealed class LeavingActor : ReceiveActor
{
    /// <summary>Its name on every node, below the user's guardian.</summary>
    public const string Name = "actorsync-leaving";

    static readonly TimeSpan patience = TimeSpan.FromSeconds(3), shortPatience = TimeSpan.FromSeconds(1);

    public LeavingActor() => Receive<NodeLeave>(leave =>
    {
        Context.GetLogger().Info("Node {0} was asked by {1} to {2}.", leave.Node, leave.By, leave.Down ? "take itself out" : "leave");
        Sender.Tell(leave);
        var cluster = Cluster.Get(Context.System);
        if (leave.Down) cluster.Down(cluster.SelfAddress);
        // Says how it ends by the end of the system; a second time changes nothing.
        else _ = CoordinatedShutdown.Get(Context.System).Run(CoordinatedShutdown.ClusterLeavingReason.Instance);
    });

    /// <summary>Has a member leave. One that does not answer is declared to be leaving, so that it learns of it from others as soon as it can be reached.</summary>
    /// <param name="cluster">Of the node that asks.</param>
    /// <param name="member">Which.</param>
    internal static async Task LeaveAsync(Cluster cluster, Address member)
    {
        if (!await AskAsync(cluster, member, down: false, patience)) cluster.Leave(member);
    }

    /// <summary>Takes a member out, whether it answers or not.</summary>
    /// <param name="cluster">Of the node that asks.</param>
    /// <param name="member">Which.</param>
    internal static async Task DownAsync(Cluster cluster, Address member)
    {
        await AskAsync(cluster, member, down: true, shortPatience);
        cluster.Down(member);
    }

    static async Task<bool> AskAsync(Cluster cluster, Address member, bool down, TimeSpan patience)
    {
        if (cluster.State.Unreachable.Any(m => m.Address == member)) return false;
        var there = cluster.System.ActorSelection(new RootActorPath(member) / "user" / Name);
        try
        {
            await there.Ask<NodeLeave>(new NodeLeave(MemberAddress.Of(member), MemberAddress.Of(cluster.SelfAddress), down), patience);
            return true;
        }
        catch (AskTimeoutException)
        {
            return false;
        }
    }
}
