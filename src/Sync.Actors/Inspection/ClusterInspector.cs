using Akka.Actor;
using Akka.Cluster;
using Akka.Cluster.Sharding;
using Sync.Actors.Control;
using Sync.Actors.Hosting;
using Sync.Actors.Lanes;
using Sync.Contracts.Cluster;
using Sync.Contracts.Configuration;

namespace Sync.Actors.Inspection;

/// <summary>
/// Answers how the cluster is, from what this node knows by gossip; only the lanes are asked for. Works while the cluster does not. Thread-safe.
/// </summary>
public sealed class ClusterInspector
{
    static readonly TimeSpan patience = TimeSpan.FromSeconds(3);

    readonly Cluster cluster;
    readonly Func<ICanTell?> lanes;
    readonly ILeaseStore? leases;
    readonly string leaseName;
    readonly int laneCount;

    /// <param name="cluster">This node's.</param>
    /// <param name="lanes">The shard region of lanes, or its proxy; null as long as there is none.</param>
    /// <param name="options">The <c>cluster</c> section.</param>
    /// <param name="settings">The rest.</param>
    public ClusterInspector(Cluster cluster, Func<ICanTell?> lanes, ClusterOptions options, ClusterHostSettings settings)
    {
        this.cluster = cluster;
        laneCount = options.Lanes;
        this.lanes = lanes;
        leases = options.EffectiveDowning == DowningStrategy.LeaseMajority ? settings.Leases : null;
        leaseName = ClusterHocon.LeaseName(options, settings.Slot);
    }

    /// <summary>Looks. Takes at most three seconds, even if nobody answers.</summary>
    public async Task<ClusterPicture> LookAsync(CancellationToken cancellationToken)
    {
        var placing = PlacesAsync(cancellationToken);
        var (lease, leaseError) = await LeaseAsync(cancellationToken);
        var places = await placing;
        var state = cluster.State;
        var members = state.Members.OrderBy(m => m, Member.AgeOrdering)
            .Select(m => new MemberPicture(
                MemberAddress.Of(m.Address), m.Status.ToString(), state.Unreachable.Contains(m), [.. m.Roles.Order()], places?.GetValueOrDefault(m.Address) ?? []))
            .ToList();
        return new ClusterPicture(
            MemberAddress.Of(cluster.SelfAddress), state.Leader is { } leader ? MemberAddress.Of(leader) : null, Oldest(state, ActorSyncActors.ReaderRole),
            Oldest(state, role: null), members, places is not null, lease, leaseError);
    }

    /// <summary>The members, as host and port, the longest there first.</summary>
    public IReadOnlyList<string> Members => [.. cluster.State.Members.OrderBy(m => m, Member.AgeOrdering).Select(m => MemberAddress.Of(m.Address))];

    /// <summary>Where commands are carried out, as host and port; null before there is a full member.</summary>
    public string? Control => Oldest(cluster.State, role: null);

    /// <summary>The member that somebody names, as host and port.</summary>
    /// <param name="named">Host and port, the whole address, or a host that only one member has.</param>
    /// <returns>Null when there is none.</returns>
    public string? Find(string named) => MemberAddress.Find(cluster.State, named) is { } found ? MemberAddress.Of(found) : null;

    /// <summary>Asks a member to leave: it drains its lanes, hands over, and ends.</summary>
    /// <param name="address">Host and port.</param>
    /// <returns>Whether there is such a member.</returns>
    public async Task<bool> LeaveAsync(string address)
    {
        if (MemberAddress.Find(cluster.State, address) is not { } found) return false;
        await LeavingActor.LeaveAsync(cluster, found);
        return true;
    }

    /// <summary>Takes a member out. One that lives ends as soon as it hears of it.</summary>
    /// <param name="address">Host and port.</param>
    /// <returns>Whether there is such a member.</returns>
    public async Task<bool> DownAsync(string address)
    {
        if (MemberAddress.Find(cluster.State, address) is not { } found) return false;
        await LeavingActor.DownAsync(cluster, found);
        return true;
    }

    // A singleton is on the oldest member that has not left yet.
    static string? Oldest(ClusterEvent.CurrentClusterState state, string? role) => state.Members
        .Where(m => m.Status is MemberStatus.Up or MemberStatus.Leaving && (role is null || m.HasRole(role)))
        .OrderBy(m => m, Member.AgeOrdering).FirstOrDefault() is { } oldest ? MemberAddress.Of(oldest.Address) : null;

    async Task<Dictionary<Address, List<int>>?> PlacesAsync(CancellationToken cancellationToken)
    {
        if (lanes() is not { } region) return null;
        try
        {
            var stats = await region.Ask<ClusterShardingStats>(new GetClusterShardingStats(patience * 0.8), patience, cancellationToken);
            return stats.Regions.ToDictionary(
                r => Full(r.Key),
                r => r.Value.Stats.Keys.SelectMany(shard => LaneExtractor.LanesOf(shard, laneCount)).Order().ToList());
        }
        catch (Exception e) when (e is AskTimeoutException or TimeoutException && !cancellationToken.IsCancellationRequested)
        {
            return null;
        }
    }

    // A region on this node is known by an address without host.
    Address Full(Address address) => address.HasLocalScope ? cluster.SelfAddress : address;

    async Task<(LeasePicture? Lease, string? Error)> LeaseAsync(CancellationToken cancellationToken)
    {
        if (leases is null) return (null, null);
        try
        {
            var held = await leases.ReadAsync(leaseName, cancellationToken).AsTask().WaitAsync(patience, cancellationToken);
            return (held is null ? null : new LeasePicture(MemberAddress.OfOwner(held.Owner), Math.Round(held.Left.TotalSeconds, 1)), null);
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            return (null, e.Message);
        }
    }
}
