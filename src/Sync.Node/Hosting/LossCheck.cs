using Sync.Contracts;
using Sync.Contracts.Configuration;
using Sync.Engine.Progress;
using Sync.Redis.Sink;

namespace Sync.Node.Hosting;

/// <summary>
/// Tells at start whether Redis still holds what it acknowledged. Whatever PostgreSQL was told to forget stood in Redis first, rewindWindow
/// before that. So there are two cases:
/// <list type="bullet">
/// <item>Redis fell back, but not behind the slot: data and positions went together, so what is missing comes again from the slot.</item>
/// <item>The slot begins behind what Redis knows: what lies between is in neither. By onRedisLoss every table is copied again, or the node stops.</item>
/// </list>
/// </summary>
sealed class LossCheck(WriterContext writer, Source source)
{
    /// <param name="session">To the server that holds our own keys.</param>
    /// <param name="positions">What it holds.</param>
    /// <param name="stamped">What the master of a Cluster that knows least was told; null when there is no Cluster, or not all were told anything yet.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>Whether Redis has lost what PostgreSQL does not have in the slot any more.</returns>
    public async Task<bool> CloseAsync(SinkSession session, LanePositions positions, Lsn? stamped, CancellationToken cancellationToken)
    {
        var begin = source.Slot.Facts.ConfirmedFlushLsn;
        string slot = source.Slot.Facts.Name;
        if (positions.Confirmed >= begin && (stamped ?? begin) >= begin && !source.Slot.Created)
        {
            if (writer.Cluster is null && writer.Config.Delivery == Delivery.ExactlyOnce && positions.Highest < writer.Stats.Highest)
            {
                Count("redis_rewound");
                writer.Log.Rewound(positions.Highest.ToString(), writer.Stats.Highest.ToString());
                writer.Stats.ForgetHighest();
            }
            return false;
        }
        var marks = await writer.Snapshots.LoadAsync(session.Connection, cancellationToken);
        // A slot of the user's own may have been made long before our first start; one of ours was made by a start before this one.
        bool isLoss = !source.Slot.Created && (HeldSomething(positions, marks.Count) || writer.Config.Postgres.Repl.Owner == ReplicationOwner.App);
        if (isLoss) Lost(session, slot, begin, positions);
        else if (HeldSomething(positions, marks.Count))
        {
            Count("gap");
            writer.Log.Gap(slot, begin.ToString(), positions.Confirmed.ToString(), Answer);
        }
        writer.Stats.ForgetHighest();
        // A slot that was made anew says nothing about Redis, which has kept what it had.
        foreach (string table in marks.Keys)
            await (isLoss ? writer.Snapshots.MarkStoppedAsync(session.Connection, table, begin, cancellationToken) : writer.Snapshots.MarkOutdatedAsync(session.Connection, table, begin, cancellationToken));
        if (begin > positions.Confirmed) await writer.Progress.ConfirmAsync(session.Connection, begin, cancellationToken);
        return isLoss;
    }

    void Lost(SinkSession session, string slot, Lsn begin, LanePositions positions)
    {
        Count("redis_loss");
        if (writer.Config.OnRedisLoss == RedisLossPolicy.Stop)
            throw new SyncException(ExitCode.RedisLoss,
                $"Redis at {session.Connection.Endpoint} has lost changes: it is only known to hold everything up to {positions.Confirmed}, but slot '{slot}' begins at {begin}; "
                + "restore it from a newer copy, or set onRedisLoss: resync to have every table copied again.");
        writer.Log.Gap(slot, begin.ToString(), positions.Confirmed.ToString(), Answer);
    }

    bool HeldSomething(LanePositions positions, int marks) => marks > 0 || positions.System is not null || writer.Stats.Highest != Position.None;

    string Answer => writer.Config.Snapshot.Mode == SnapshotMode.Never
        ? "changes in between are missing there, and snapshot.mode is never; run actorsync snapshot to copy the tables"
        : "every table is copied again";

    void Count(string kind) => writer.Metrics.Warnings.Add(1, new KeyValuePair<string, object?>("kind", kind));
}
