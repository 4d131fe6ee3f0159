using Akka.Actor;
using Sync.Actors.Ports;
using Sync.Contracts.Cluster;
using Sync.Engine.Batching;

namespace Sync.Actors.Reading;

/// <summary>What the source gave: rows of a lane, or the wish to know when all of the lane is home.</summary>
/// <param name="Lane">Which lane.</param>
/// <param name="Rows">The rows; null for the wish.</param>
/// <param name="Settled">The wish; null for rows.</param>
readonly record struct Handed(int Lane, LaneRows? Rows, TaskCompletionSource? Settled);

/// <summary>
/// The place where the source, which runs on a task, puts rows down and the reader's actor takes them up, in order. The source waits while more than a bound
/// lies here; the actor takes up only what it has credit for, so the source is held back by the lanes. The actor is woken once for whatever lies here, not
/// for each batch. The rows are copied out of the batch, so that the source has its batch back at once; nothing else is allocated while nobody has to wait.
/// </summary>
/// <param name="lanes">How many lanes.</param>
/// <param name="aheadBytes">The bound.</param>
/// <param name="wake">The actor.</param>
sealed class LaneHandover(int lanes, long aheadBytes, IActorRef wake) : ILanes
{
    readonly Lock gate = new();
    readonly Queue<Handed> queue = new();
    TaskCompletionSource? room;
    long bytes;
    bool isWoken, isClosed;

    public int Count => lanes;

    public void Begun(long since) => wake.Tell(new SourceBegan(since));

    public ValueTask SendAsync(int lane, Batch batch, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)lane, (uint)lanes);
        if (batch.Count == 0) throw new ArgumentException("A batch without rows.", nameof(batch));
        var rows = batch.ToRows();
        TaskCompletionSource? full = null;
        lock (gate)
        {
            Put(new Handed(lane, rows, null));
            bytes += rows.Bytes;
            if (bytes > aheadBytes) full = room ??= NewWait();
        }
        return full is null ? ValueTask.CompletedTask : new ValueTask(full.Task.WaitAsync(cancellationToken));
    }

    public ValueTask SettledAsync(int lane, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)lane, (uint)lanes);
        var settled = NewWait();
        lock (gate) Put(new Handed(lane, null, settled));
        return new ValueTask(settled.Task.WaitAsync(cancellationToken));
    }

    /// <summary>The actor was woken: what comes from now on wakes it again.</summary>
    public void Woken()
    {
        lock (gate) isWoken = false;
    }

    /// <summary>What lies first; it stays until <see cref="Take"/>.</summary>
    public bool TryPeek(out Handed first)
    {
        lock (gate) return queue.TryPeek(out first);
    }

    /// <summary>Takes up what lies first.</summary>
    public void Take()
    {
        TaskCompletionSource? roomAgain = null;
        lock (gate)
        {
            bytes -= queue.Dequeue().Rows?.Bytes ?? 0;
            if (bytes <= aheadBytes) (roomAgain, room) = (room, null);
        }
        roomAgain?.TrySetResult();
    }

    /// <summary>The reader has ended: whoever waits here, or comes, is told that it was cancelled.</summary>
    public void Close()
    {
        TaskCompletionSource? waits;
        Handed[] left;
        lock (gate)
        {
            isClosed = true;
            (waits, room) = (room, null);
            left = [.. queue];
            queue.Clear();
        }
        waits?.TrySetCanceled();
        foreach (var handed in left) handed.Settled?.TrySetCanceled();
    }

    void Put(Handed handed)
    {
        if (isClosed) throw new OperationCanceledException("The reader of the lanes has ended.");
        queue.Enqueue(handed);
        if (isWoken) return;
        isWoken = true;
        wake.Tell(RowsHanded.Instance);
    }

    static TaskCompletionSource NewWait() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}

/// <summary>Source to reader: it has the slot.</summary>
/// <param name="Since">The reader from which on takeovers of lanes count; 0 for all.</param>
sealed record SourceBegan(long Since);

/// <summary>Source to reader: something lies in the hand-over.</summary>
sealed record RowsHanded
{
    public static readonly RowsHanded Instance = new();
}
