using Sync.Contracts;
using Sync.Contracts.Configuration;
using Sync.Engine.Progress;
using Sync.Redis.Lanes;
using Sync.Redis.Progress;

namespace Sync.Node.Hosting;

/// <summary>
/// Compares at each start and each reconnect the history that Redis follows with that of PostgreSQL's log, and decides by <c>postgres.onHistoryChange</c> what becomes of positions that
/// say nothing of that log: they are discarded before anything streams, so that no change is taken for applied because of them. One for each start.
/// </summary>
sealed class HistoryGuard(NodeParts parts, WriterContext writer, Source source)
{
    HistoryFinding finding;
    HeldHistory? held;

    /// <summary>Where the timeline that Redis follows was left for the present one; <see cref="Lsn.None"/> when it was not.</summary>
    public Lsn SwitchedAt => finding.Verdict == HistoryVerdict.Promoted ? finding.At : Lsn.None;

    /// <summary>What the start in Redis needs to know.</summary>
    public ProgressOpening Opening(LaneOpening? lanes) => new(source.Log.History, source.Log.End, source.Slot.Facts.ConfirmedFlushLsn)
    {
        Owner = writer.Fence,
        Lanes = lanes,
        Publication = source.Publication.Oid,
        IsSharded = writer.Config.Redis.IsCluster,
        Judge = Judge,
    };

    HistoryAnswer Judge(HeldHistory found)
    {
        held = found;
        finding = parts.Diverged ?? HistoryCheck.Find(found, source.Log.History, source.Log.End);
        var options = writer.Config.Postgres;
        if (!finding.IsAbandoned && IsRepublished(found)) finding = new HistoryFinding(HistoryVerdict.Republished, source.Log.End);
        if (finding.Verdict == HistoryVerdict.Promoted) return new HistoryAnswer(false, finding.At);
        if (!finding.IsAbandoned) return HistoryAnswer.GoesOn;
        if (finding.Verdict == HistoryVerdict.OtherSystem && options.OnHistoryChange != HistoryPolicy.ResyncAny)
            throw writer.Progress.Foreign(found.Log!.System, source.Log.History.System, "; after pg_upgrade or a restored dump set postgres.onHistoryChange: resync-any to have every table read again");
        if (finding.Verdict == HistoryVerdict.Older && options.Conn.Hosts.Count > 1)
            throw new SyncException(ExitCode.PostgresUnreachable,
                $"{Sentence} Another host of postgres.conn.host was promoted since and can't be reached; the node waits for it. If it is gone for good, take it out of postgres.conn.host.");
        bool isRepublished = finding.Verdict == HistoryVerdict.Republished;
        if (options.OnHistoryChange == HistoryPolicy.Stop)
            throw new SyncException(isRepublished ? ExitCode.Publication : ExitCode.ForeignProgress,
                $"{Sentence} Set postgres.onHistoryChange: resync to have every table read again{(isRepublished ? "" : ", or bring the newer PostgreSQL back")}.");
        if (isRepublished) EnsureSlotFits(options.Repl, found);
        return new HistoryAnswer(true, Lsn.None);
    }

    /// <summary>The slot of a publication that was created again has to be made again behind it: by us, or by the user, who has done so when it begins behind what was confirmed.</summary>
    void EnsureSlotFits(ReplicationOptions options, HeldHistory found)
    {
        if (options.Owner == ReplicationOwner.App) throw new SlotOutdatedException(Sentence);
        if (source.Slot.Facts.ConfirmedFlushLsn > found.Confirmed) return;
        throw new SyncException(ExitCode.Publication,
            $"{Sentence} Run SELECT pg_drop_replication_slot('{options.Slot}') and SELECT pg_create_logical_replication_slot('{options.Slot}', 'pgoutput') in database"
            + $" {writer.Config.Postgres.Conn.Database}, then start again: every table is read again.");
    }

    /// <summary>A slot that is newer than the publication has all that it decodes; one that was there before may lack what was committed while there was none.</summary>
    bool IsRepublished(HeldHistory found) => found.Publication != 0 && source.Publication.Oid != 0 && found.Publication != source.Publication.Oid && !source.Slot.Created;

    /// <summary>Redis was told: now the log, the metrics and the status are.</summary>
    public void Begun(ProgressBegun begun)
    {
        var log = source.Log.History;
        if (begun.IsAnew)
        {
            string letters = begun.LettersAside is { } aside ? $" {begun.Letters} dead letters of before are kept under '{aside}': look at them, then delete that key." : "";
            writer.Metrics.Warnings.Add(1, new KeyValuePair<string, object?>("kind", "history_changed"));
            writer.Log.HistoryChanged(Sentence, Answer, letters);
            writer.Stats.SetError($"{Sentence} {Answer}");
            writer.Stats.ForgetHighest();
            parts.Recent.Clear();
            parts.Diverged = null;
        }
        else if (finding.Verdict == HistoryVerdict.Promoted)
            writer.Log.Promoted(log.Timeline, held!.Log!.Timeline, finding.At.ToString());
        writer.Stats.SetHistory(log.System, log.Timeline, begun.IsAnew ? $"{Sentence} {Answer}" : null);
    }

    /// <summary>Looks again with what the hash slots of a Cluster hold, which was not known before.</summary>
    /// <exception cref="HistoryChangedException">PostgreSQL does not have all of it.</exception>
    public void Ensure(Lsn highest)
    {
        if (highest == Lsn.None || (highest < source.Log.End && (SwitchedAt == Lsn.None || highest < SwitchedAt))) return;
        var verdict = SwitchedAt == Lsn.None ? new HistoryFinding(HistoryVerdict.WentBack, source.Log.End) : new HistoryFinding(HistoryVerdict.Forked, SwitchedAt);
        throw new HistoryChangedException(verdict, $"PostgreSQL at {source.Primary.Address} does not have all that the Redis Cluster holds.");
    }

    /// <summary>What the stream has to bring again, if it begins before it.</summary>
    public static LandmarkWatch Watch(LanePositions positions, Lsn highest, Source source, string publication) => new(
        source.Slot.Facts.ConfirmedFlushLsn,
        // By another publication other transactions come, so nothing is known of these.
        positions.Landmark.Commit == Lsn.None || positions.LandmarkPublication != publication ? [] : [positions.Landmark, new Landmark(highest, 0, 0)]);

    string Answer => writer.Config.Snapshot.Mode == SnapshotMode.Never
        ? "The positions in Redis are discarded. Tables are not read again, because snapshot.mode is never: run actorsync resync --all."
        : "The positions in Redis are discarded, and every table is read again. Counters are counted anew from the rows; events of abandoned changes (streams, lists, messages) stay in Redis.";

    string Sentence
    {
        get
        {
            var (log, at) = (source.Log.History, finding.At);
            string server = $"PostgreSQL at {source.Primary.Address}", followed = $"timeline {held?.Log?.Timeline}, applied up to {held?.Through}";
            return finding.Verdict switch
            {
                HistoryVerdict.WentBack => $"{server} went back: its log ends at {source.Log.End}, but Redis has seen it up to {held?.Known}, so an older copy of the data was put back.",
                HistoryVerdict.Rewritten => $"{server} went back: the transaction that committed at {at} and is applied in Redis is not in its log, so an older copy of the data was put back and written to.",
                HistoryVerdict.Forked => $"{server} forked: its timeline {log.Timeline} left the log at {at}, but Redis follows {followed} (recovery to a point in time, or a standby promoted that lagged).",
                HistoryVerdict.Older => $"{server} went back: it is on timeline {log.Timeline}, but Redis follows {followed} (an older copy, or a former primary).",
                HistoryVerdict.Unrelated => $"{server} forked: its timeline {log.Timeline} does not come from the one that Redis follows ({followed}).",
                HistoryVerdict.Republished => $"{server} has another publication {writer.Config.Postgres.Repl.Pub} than the one that Redis was filled from: it was dropped and created again under slot {source.Slot.Facts.Name}, so changes in between are not sent.",
                _ => $"{server} is another PostgreSQL cluster ({log.System}) than the one that Redis follows ({held?.Log?.System}).",
            };
        }
    }
}
