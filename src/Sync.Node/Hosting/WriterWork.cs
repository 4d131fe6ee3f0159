using Sync.Engine.Batching;
using Sync.Redis.Sink;

namespace Sync.Node.Hosting;

/// <summary>Who sent a batch and wants to know when it is in Redis.</summary>
interface IBatchOwner
{
    /// <summary>The batch is applied or parked. Called by the writer, in the order the batches were sent; must not block. The batch is the owner's again.</summary>
    void Applied(int worker, Batch batch);

    /// <summary>The same of a batch that was written elsewhere, and counted there: it does not come back.</summary>
    /// <param name="worker">Which worker's.</param>
    /// <param name="rows">How many changes it had.</param>
    /// <param name="bytes">How many bytes.</param>
    void Settled(int worker, int rows, int bytes);
}

/// <summary>What a writer's queue holds: a batch with its owner, or something to do between flights.</summary>
readonly record struct WriterWork(Batch? Batch, IBatchOwner? Owner, Func<SinkSession, CancellationToken, ValueTask>? Action)
{
    public static WriterWork Of(Batch batch, IBatchOwner owner) => new(batch, owner, null);

    public static WriterWork Do(Func<SinkSession, CancellationToken, ValueTask> action) => new(null, null, action);
}
