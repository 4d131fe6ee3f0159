using Sync.Engine.Batching;

namespace Sync.Actors.Ports;

/// <summary>Reads the slot and hands what rows became to lanes. Implemented over PostgreSQL; run by the reader actor, one at a time in the cluster.</summary>
public interface ILaneSource
{
    /// <summary>Reads until it is asked to stop or can't go on.</summary>
    /// <param name="lanes">Where batches go.</param>
    /// <param name="stop">Asks to stop reading; what was read is still handed over and confirmed, within the shutdown time.</param>
    /// <exception cref="Sync.Contracts.SyncException">Something a user has to mend; the node ends with its exit code.</exception>
    Task RunAsync(ILanes lanes, CancellationToken stop);

    /// <summary>The oldest batches of a lane that were not reported yet are in Redis or parked. Called in the order they were sent; must not block.</summary>
    void Applied(int lane, int batches);
}

/// <summary>What a source sees of the lanes of the cluster. Safe for use by the one task that reads.</summary>
public interface ILanes
{
    /// <summary>How many lanes there are.</summary>
    int Count { get; }

    /// <summary>
    /// The slot is this reader's, and Redis knows it: whoever read before is replaced. Called before the first batch. A reader that still waits for the slot says
    /// nothing, because the lanes would take nothing more of the one that has it.
    /// </summary>
    /// <param name="since">The reader from which on takeovers of lanes count; 0 for all.</param>
    void Begun(long since);

    /// <summary>Hands a batch over; waits while the lane, or all lanes together, have no credit. Its rows are copied before the call returns, so the batch may be used anew then, even before the wait is over.</summary>
    /// <exception cref="OperationCanceledException">The reader has ended; nothing that was not confirmed will be.</exception>
    ValueTask SendAsync(int lane, Batch batch, CancellationToken cancellationToken);

    /// <summary>Waits until everything handed to a lane so far is in Redis or parked.</summary>
    ValueTask SettledAsync(int lane, CancellationToken cancellationToken);
}

/// <summary>Makes sources; each start of a reader takes a new one.</summary>
public interface ILaneSourceFactory
{
    /// <param name="epoch">The number of this reader, greater than that of every reader before it.</param>
    ILaneSource Create(long epoch);

    /// <summary>Takes the number of a new reader.</summary>
    ValueTask<long> NextEpochAsync(CancellationToken cancellationToken);
}
