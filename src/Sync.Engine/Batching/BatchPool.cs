using System.Collections.Concurrent;

namespace Sync.Engine.Batching;

/// <summary>Batches for reuse; what exceeds the bound is left to the garbage collector. Thread-safe.</summary>
public sealed class BatchPool(int capacity)
{
    readonly ConcurrentQueue<Batch> free = new();

    public Batch Rent() => free.TryDequeue(out var batch) ? batch : new Batch();

    /// <summary>Takes a batch back; nobody may use it any more.</summary>
    public void Return(Batch batch)
    {
        batch.Reset();
        if (free.Count < capacity) free.Enqueue(batch);
        else
        {
            batch.Body.Release();
            batch.Keys.Release();
        }
    }
}
