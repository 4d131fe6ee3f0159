using Sync.Contracts;

namespace Sync.Postgres.Snapshots;

/// <summary>What happened to one table so far. Workers report from their threads.</summary>
sealed class SnapshotTable(SnapshotTarget target)
{
    int rangesLeft;
    long rows, bytes, pagesDone, pagesTotal;
    bool begun;
    SyncException? error;

    public SnapshotTarget Target { get; } = target;

    /// <summary>The first failure; later ones of the same table add nothing.</summary>
    public SyncException? Error => Volatile.Read(ref error);

    /// <summary>Whether no range is left to read.</summary>
    public bool IsThrough => Volatile.Read(ref rangesLeft) == 0;

    /// <summary>Before the workers start.</summary>
    public void Plan(int ranges, long pages)
    {
        rangesLeft += ranges;
        pagesTotal += pages;
    }

    public void Fail(SyncException cause) => Interlocked.CompareExchange(ref error, cause, null);

    public void Begin() => Volatile.Write(ref begun, true);

    public void Count(long moreRows, long moreBytes)
    {
        Interlocked.Add(ref rows, moreRows);
        Interlocked.Add(ref bytes, moreBytes);
    }

    /// <summary>True for the last range of the table.</summary>
    public bool RangeEnded(long pages)
    {
        Interlocked.Add(ref pagesDone, pages);
        return Interlocked.Decrement(ref rangesLeft) == 0;
    }

    public SnapshotOutcome End() => new(Target, Interlocked.Read(ref rows), Interlocked.Read(ref bytes), Error);

    public SnapshotProgress Progress()
    {
        var state = Error is not null ? SnapshotState.Failed
            : IsThrough ? SnapshotState.Done
            : Volatile.Read(ref begun) ? SnapshotState.Reading
            : SnapshotState.Waiting;
        return new SnapshotProgress(
            Target.Relation.FullName, state, Interlocked.Read(ref rows), Target.EstimatedRows, Interlocked.Read(ref bytes),
            Interlocked.Read(ref pagesDone), Interlocked.Read(ref pagesTotal));
    }
}
