using Sync.Contracts;
using Sync.Contracts.Configuration;
using Sync.Node.Hosting;
using Sync.Postgres.Connections;
using Sync.Postgres.Leases;
using Sync.Postgres.Slots;

namespace Sync.Node.Cluster;

/// <summary>
/// What PostgreSQL knows of the cluster that works for the slot: whether one reads, and whether it has members. A node that starts must not begin a second cluster beside it, and can't
/// rely on being answered: started while it is cut off from the others, or right behind its own death, it would be a cluster by itself for good.
/// </summary>
/// <param name="config">Of the node.</param>
/// <param name="isReadByCluster">Whether the last who began to write to Redis was the reader of a cluster.</param>
/// <param name="time">Clock of the pauses.</param>
sealed class ClusterPresence(SyncConfig config, Func<CancellationToken, Task<bool>> isReadByCluster, TimeProvider time)
{
    static readonly TimeSpan pause = TimeSpan.FromMilliseconds(200), retry = TimeSpan.FromSeconds(1);

    readonly PostgresConnector connector = new(config.Postgres.Conn);

    string Slot => config.Postgres.Repl.Slot;

    /// <summary>Major version of PostgreSQL, once it was found.</summary>
    public int Major { get; private set; } = ServerChecks.MinimumMajor;

    /// <summary>Fixes the number of lanes, and looks whether there is a cluster to join: one that reads, or one between two readers.</summary>
    /// <param name="onWaiting">Told for whom PostgreSQL makes the look wait; an empty text when that is over.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="SyncException">PostgreSQL can't be asked, the slot has another number of lanes, or the configuration is refused at the first start.</exception>
    public async Task<bool> FindAsync(Action<string> onWaiting, CancellationToken cancellationToken)
    {
        await using var primary = await connector.FindPrimaryAsync(cancellationToken);
        Major = primary.Major;
        // The first start of all makes a schema; one that refuses its configuration has to leave none behind.
        if (!await ClusterSchema.ExistsAsync(primary, cancellationToken)) await Source.RehearseAsync(config, onWaiting, time, cancellationToken);
        await new SlotSettings(primary).FixLanesAsync(Slot, config.Cluster.Lanes, cancellationToken);
        return await MemberLock.IsAnyAsync(primary, Slot, cancellationToken) || await IsReadAsync(primary, cancellationToken);
    }

    /// <summary>Whether a cluster reads the slot now.</summary>
    /// <exception cref="SyncException">PostgreSQL can't be asked.</exception>
    public async Task<bool> IsReadAsync(CancellationToken cancellationToken)
    {
        await using var primary = await connector.FindPrimaryAsync(cancellationToken);
        return await IsReadAsync(primary, cancellationToken);
    }

    async Task<bool> IsReadAsync(PostgresPrimary primary, CancellationToken cancellationToken) =>
        await SlotLease.IsHeldAsync(primary, Slot, cancellationToken) && await isReadByCluster(cancellationToken);

    /// <summary>Whether a cluster has members, or anybody has the slot; while PostgreSQL does not say, as if so.</summary>
    public async Task<bool> IsAnybodyThereAsync(CancellationToken cancellationToken)
    {
        try
        {
            await using var primary = await connector.FindPrimaryAsync(cancellationToken);
            return await MemberLock.IsAnyAsync(primary, Slot, cancellationToken) || await SlotLease.IsHeldAsync(primary, Slot, cancellationToken);
        }
        catch (SyncException)
        {
            return true;
        }
    }

    /// <summary>Shows the others that this node is a member, from when it is one until it is asked to end.</summary>
    /// <param name="isMember">Whether it is one.</param>
    /// <param name="warn">Told why it can't be shown, once each time.</param>
    /// <param name="cancellationToken">Asks to end.</param>
    public async Task ShowAsync(Func<bool> isMember, Action<string> warn, CancellationToken cancellationToken)
    {
        bool isTold = false;
        try
        {
            while (!isMember()) await Task.Delay(pause, time, cancellationToken);
            for (; ; await Task.Delay(retry, time, cancellationToken))
            {
                try
                {
                    await using var primary = await connector.FindPrimaryAsync(cancellationToken);
                    await using var sign = await MemberLock.TakeAsync(primary, Slot, cancellationToken);
                    isTold = false;
                    await sign.Lost.WaitAsync(cancellationToken);
                }
                catch (SyncException e)
                {
                    if (!isTold) warn($"Nodes that start can't see that this one is a member, which is tried again each second: {e.Message}");
                    isTold = true;
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The node ends.
        }
    }
}
