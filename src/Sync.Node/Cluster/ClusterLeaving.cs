using Akka;
using Akka.Actor;
using Akka.Cluster;
using Akka.Cluster.Sharding;
using Sync.Actors;
using Sync.Actors.Status;
using AkkaCluster = Akka.Cluster.Cluster;

namespace Sync.Node.Cluster;

/// <summary>
/// How a node leaves, so that changes stand still as shortly as can be. Whatever ends the system runs it, before anything of Akka's own:
/// <list type="number">
/// <item>The lanes go to the other nodes while this node reads on; each stands still for as long as it moves. The coordinator that moves them may be here, so this comes first.</item>
/// <item>All lanes are asked how they are, which gives each that has moved its new place at once, and tells the reader's proxy where. The coordinator of a later moment is another one, and
/// does not talk to nodes that leave.</item>
/// <item>The node asks to leave. As soon as the others know, the singleton of the reader asks the source to stop: it brings home what it has read, over lanes that are all elsewhere by then, and
/// confirms it. The next reader begins there. Until it does, this node can be heard: what tells the next one that it may begin is lost if the connection ends before it was read.</item>
/// <item>Then the rest of the system ends. What did not come to its end in time comes again from PostgreSQL, and is known.</item>
/// </list>
/// Where no other node would take the lanes, reading ends first, while they are still here; where no other one may read, as soon as they are elsewhere. Where all leave at once, nobody takes what the
/// reader still brings: it is given up.
/// </summary>
sealed class ClusterLeaving(ActorSystem system, IActorRef? lanes, IActorRef? proxy, IActorRef status, PostgresLaneSourceFactory sources, TimeSpan shutdownTimeout, Func<bool> isLeftBehind)
{
    /// <summary>How long the others take to hear of it: some rounds of gossip. When a node can't be reached, they don't before it is gone.</summary>
    static readonly TimeSpan heard = TimeSpan.FromSeconds(3), begun = TimeSpan.FromSeconds(2), alone = TimeSpan.FromSeconds(1), poll = TimeSpan.FromMilliseconds(20);

    readonly AkkaCluster cluster = AkkaCluster.Get(system);

    /// <summary>From here on the end of the system begins with it.</summary>
    public void Register() => CoordinatedShutdown.Get(system).AddTask(CoordinatedShutdown.PhaseBeforeClusterShutdown, "actorsync-leave", async () =>
    {
        await LeaveAsync();
        return Done.Instance;
    });

    async Task LeaveAsync()
    {
        // The others go on without it: nothing that it could hand over is still its own.
        if (isLeftBehind() || cluster.IsTerminated || cluster.SelfMember.Status is MemberStatus.Down or MemberStatus.Removed) return;
        try
        {
            if (lanes is null || HasOther(ActorSyncActors.WriterRole))
            {
                if (lanes is not null)
                {
                    await MoveLanesAsync(lanes);
                    if (!sources.IsIdle) await FindLanesAsync();
                }
                cluster.Leave(cluster.SelfAddress);
                // Nobody would ask this reader to stop.
                if (!HasOther(ActorSyncActors.ReaderRole)) _ = sources.LeaveAsync();
                await HandReaderOverAsync();
            }
            bool isHandedOver = sources.IsIdle || IsExiting();
            await sources.LeaveAsync();
            if (isHandedOver && HasOther(ActorSyncActors.ReaderRole)) await sources.IsSucceededAsync(begun);
        }
        finally
        {
            // What waits in it for lanes that nobody has would have it wait as well.
            if (proxy is not null) system.Stop(proxy);
        }
    }

    async Task HandReaderOverAsync()
    {
        var since = TimeSpan.Zero;
        for (var waited = TimeSpan.Zero; !sources.IsIdle && (waited < heard || IsExiting()); waited += poll)
        {
            since = HasOther(ActorSyncActors.WriterRole) ? TimeSpan.Zero : since + poll;
            if (since > alone)
            {
                await sources.AbandonAsync();
                return;
            }
            await Task.Delay(poll);
        }
    }

    bool HasOther(string role) => cluster.State.Members.Any(m =>
        m.UniqueAddress != cluster.SelfUniqueAddress && m.Status == MemberStatus.Up && m.HasRole(role) && !cluster.State.Unreachable.Contains(m));

    bool IsExiting() => cluster.SelfMember.Status == MemberStatus.Exiting;

    async Task FindLanesAsync()
    {
        try
        {
            await status.Ask<ClusterStatus>(ClusterStatusQuery.Instance, heard);
        }
        catch (AskTimeoutException)
        {
            // Some are silent. What the reader has for them may have to come again.
        }
    }

    async Task MoveLanesAsync(IActorRef region)
    {
        try
        {
            await region.GracefulStop(shutdownTimeout * 0.25, GracefulShutdown.Instance);
        }
        catch (TaskCanceledException)
        {
            // Some flights do not come home. Their lanes go on trying until their own time is over.
        }
    }
}
