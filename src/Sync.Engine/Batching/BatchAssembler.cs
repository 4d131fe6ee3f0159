using Sync.Contracts;
using Sync.Contracts.Rows;
using Sync.Engine.Progress;

namespace Sync.Engine.Batching;

/// <param name="Rows">Row changes after which a batch is full, 1 or more.</param>
/// <param name="Bytes">Bytes after which a batch is full; a single larger row makes a batch of its own.</param>
public readonly record struct BatchLimits(int Rows, int Bytes = 64 * 1024);

/// <summary>
/// Collects change sets into one open batch per worker. Belongs to the reader alone. Nothing here waits: the reader takes a batch when it is
/// full, and takes all of them when PostgreSQL has nothing more to send, so a batch is never kept for company.
/// </summary>
/// <param name="workers">How many workers.</param>
/// <param name="limits">When a batch is full.</param>
/// <param name="progress">Told of every batch begun, before anything can be marked behind it.</param>
/// <param name="rent">Gives an empty batch.</param>
public sealed class BatchAssembler(int workers, BatchLimits limits, ProgressTracker progress, Func<Batch> rent)
{
    readonly Batch?[] open = new Batch?[workers];
    int openCount;

    /// <summary>The running number of the last change set added; 0 before the first.</summary>
    public long Sequence { get; private set; }

    /// <summary>Whether any batch is open.</summary>
    public bool HasOpen => openCount > 0;

    /// <summary>Appends a change set to its worker's batch.</summary>
    /// <returns>True when that batch is full and should be taken.</returns>
    public bool Add(
        int worker, Position position, ReadOnlySpan<byte> commands, int commandCount, ReadOnlySpan<byte> key, int table, ChangeKind kind, long commitTicks,
        string? identity = null)
    {
        var batch = Open(worker, commitTicks);
        batch.Add(Sequence, position, commands, commandCount, key, table, kind, commitTicks, identity);
        return batch.Count >= limits.Rows || batch.Bytes >= limits.Bytes;
    }

    /// <summary>Appends a change that can't be expressed as commands; see <see cref="Batch.AddPoison"/>.</summary>
    public void AddPoison(int worker, Position position, ReadOnlySpan<byte> key, int table, ChangeKind kind, long commitTicks, string error) =>
        Open(worker, commitTicks).AddPoison(Sequence, position, key, table, kind, commitTicks, error);

    Batch Open(int worker, long commitTicks)
    {
        Sequence++;
        if (open[worker] is { } batch) return batch;
        progress.Begun(worker, Sequence, commitTicks);
        openCount++;
        return open[worker] = rent();
    }

    /// <summary>Hands over a worker's open batch; null when there is none.</summary>
    public Batch? Take(int worker)
    {
        var batch = open[worker];
        if (batch is null) return null;
        open[worker] = null;
        openCount--;
        return batch;
    }
}
