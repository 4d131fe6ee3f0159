using Sync.Contracts;

namespace Sync.Engine.Progress;

/// <summary>
/// Knows up to which LSN everything is in Redis, without a gap. The reader numbers its change sets; each worker finishes its batches in the
/// order they were begun; a commit is reached when no batch that begun at or before its last change set is still under way. What is reported
/// to PostgreSQL is therefore always the contiguous position, never the highest one seen. Thread-safe: called once per batch and per commit.
/// </summary>
public sealed class ProgressTracker
{
    readonly Lock gate = new();
    readonly Queue<(long Sequence, long CommitTicks)>[] underWay;
    readonly Queue<(long Sequence, Lsn Lsn, Landmark Landmark)> marks = new();
    (long Sequence, Lsn Lsn, Landmark Landmark) newest;
    Lsn confirmed;
    Landmark landmark;

    /// <param name="workers">How many workers.</param>
    /// <param name="confirmed">Where PostgreSQL stands already.</param>
    public ProgressTracker(int workers, Lsn confirmed = default)
    {
        underWay = new Queue<(long, long)>[workers];
        for (int i = 0; i < workers; i++) underWay[i] = new Queue<(long, long)>();
        this.confirmed = confirmed;
    }

    /// <summary>Everything that committed before this is applied.</summary>
    public Lsn Confirmed
    {
        get { lock (gate) return confirmed; }
    }

    /// <summary>The same, and the last transaction of the stream that committed before it; its place is <see cref="Lsn.None"/> when none has yet.</summary>
    public (Lsn Confirmed, Landmark Landmark) Reached
    {
        get { lock (gate) return (confirmed, landmark); }
    }

    /// <summary>Whether no batch is open or under way.</summary>
    public bool IsIdle
    {
        get { lock (gate) return OldestUnderWay() == long.MaxValue; }
    }

    /// <summary>Commit time of the oldest change set under way, in UTC ticks; 0 when there is none.</summary>
    public long OldestCommitTicks
    {
        get { lock (gate) return Oldest().CommitTicks; }
    }

    /// <summary>A worker's batch was begun with this change set, which committed at <paramref name="commitTicks"/> (UTC; 0 when unknown).</summary>
    public void Begun(int worker, long sequence, long commitTicks = 0)
    {
        lock (gate) underWay[worker].Enqueue((sequence, commitTicks));
    }

    /// <summary>The worker's oldest batch is applied (or parked, which is as final).</summary>
    public void Applied(int worker)
    {
        lock (gate)
        {
            underWay[worker].Dequeue();
            Advance();
        }
    }

    /// <summary>A transaction ended behind this change set; <paramref name="end"/> is the LSN behind its commit record.</summary>
    public void Committed(long sequence, Lsn end, Landmark transaction = default)
    {
        lock (gate)
        {
            // Transactions without any change set of ours move the newest mark instead of piling up behind a slow Redis.
            if (newest.Lsn != Lsn.None && newest.Sequence != sequence) marks.Enqueue(newest);
            newest = (sequence, end, transaction);
            Advance();
        }
    }

    /// <summary>
    /// PostgreSQL's log has grown to <paramref name="received"/> without anything for us. Only counts when nothing is under way; read
    /// <paramref name="received"/> before the call, so that a row that arrives meanwhile can't be covered by it.
    /// </summary>
    public void Idle(Lsn received)
    {
        lock (gate)
            if (OldestUnderWay() == long.MaxValue && received > confirmed) confirmed = received;
    }

    long OldestUnderWay() => Oldest().Sequence;

    (long Sequence, long CommitTicks) Oldest()
    {
        var oldest = (Sequence: long.MaxValue, CommitTicks: 0L);
        foreach (var queue in underWay)
            if (queue.TryPeek(out var first) && first.Sequence < oldest.Sequence) oldest = first;
        return oldest;
    }

    void Advance()
    {
        long oldest = OldestUnderWay();
        while (marks.TryPeek(out var mark) && mark.Sequence < oldest)
        {
            Raise(mark.Lsn, mark.Landmark);
            marks.Dequeue();
        }
        if (marks.Count > 0 || newest.Lsn == Lsn.None || newest.Sequence >= oldest) return;
        Raise(newest.Lsn, newest.Landmark);
        newest = default;
    }

    void Raise(Lsn lsn, Landmark transaction)
    {
        if (lsn > confirmed) confirmed = lsn;
        landmark = transaction;
    }
}
