using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Sync.Actors.Ports;
using Sync.Contracts;
using Sync.Engine.Batching;
using Sync.Engine.Ordering;
using Sync.Node.Hosting;
using Sync.Redis.Cluster;
using Sync.Redis.Errors;
using Sync.Redis.Lanes;
using Sync.Redis.Sink;

namespace Sync.Node.Cluster;

/// <summary>
/// The lanes of a cluster as the reader's workers, a lane each. What has to be done in Redis for the reader itself (progress, marks of copies, a swept table) is done on
/// a connection of its own, which another reader's start shuts out. That connection also tells, from time to time, whether Redis is still the one whose
/// positions were read: lanes take nothing more until a reader has looked at another one.
/// </summary>
sealed class LaneOutput : IBatchOutput
{
    static readonly TimeSpan lookEvery = TimeSpan.FromSeconds(1);

    readonly ILanes lanes;
    readonly WriterContext context;
    readonly RedisLink link;
    readonly SemaphoreSlim sending = new(1), acting = new(1);
    readonly Queue<(IBatchOwner Owner, int Rows, int Bytes)>[] underWay;
    readonly TaskCompletionSource completed = new(TaskCreationOptions.RunContinuationsAsynchronously), failed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public LaneOutput(ILanes lanes, WriterContext context)
    {
        (this.lanes, this.context) = (lanes, context);
        link = new RedisLink("reader", context, context.Fence, context.History, _ => { });
        underWay = [.. Enumerable.Range(0, lanes.Count).Select(_ => new Queue<(IBatchOwner, int, int)>())];
    }

    public int Workers => lanes.Count;
    public BatchPool Pool { get; } = new(64);
    public int OpenCircuits => link.IsCircuitOpen ? 1 : 0;
    public ClusterConnections? Nodes => null;

    /// <summary>The lanes take batches from one task at a time, but several read while tables are copied.</summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    public async ValueTask SendAsync(int worker, Batch batch, IBatchOwner owner, CancellationToken cancellationToken)
    {
        await sending.WaitAsync(cancellationToken);
        try
        {
            var queue = underWay[worker];
            lock (queue) queue.Enqueue((owner, batch.Count, batch.Bytes));
            var sent = lanes.SendAsync(worker, batch, cancellationToken);
            Pool.Return(batch);
            await sent;
        }
        finally
        {
            sending.Release();
        }
    }

    /// <summary>The oldest batches of a lane are in Redis or parked.</summary>
    public void Applied(int lane, int batches)
    {
        var queue = underWay[lane];
        for (; batches > 0; batches--)
        {
            (IBatchOwner Owner, int Rows, int Bytes) first;
            lock (queue) first = queue.Dequeue();
            first.Owner.Settled(lane, first.Rows, first.Bytes);
        }
    }

    public async Task DrainedAsync(int worker, CancellationToken cancellationToken)
    {
        var queue = underWay[worker];
        lock (queue)
            if (queue.Count == 0) return;
        ValueTask settled;
        await sending.WaitAsync(cancellationToken);
        try
        {
            settled = lanes.SettledAsync(worker, cancellationToken);
        }
        finally
        {
            sending.Release();
        }
        await settled;
    }

    public async Task ActAsync(Func<SinkSession, CancellationToken, ValueTask> action, CancellationToken cancellationToken)
    {
        await acting.WaitAsync(cancellationToken);
        SyncException? mendable = null;
        try
        {
            if (failed.Task.IsCompleted) throw new ChannelClosedException();
            await link.WithRetryAsync(async (session, ct) =>
            {
                await session.GuardAsync(ct);
                try
                {
                    await action(session, ct);
                }
                catch (SyncException e)
                {
                    mendable = e;
                }
            }, cancellationToken);
        }
        catch (Exception e) when (e is SyncException or RedisFencedException)
        {
            failed.TrySetException(e);
            throw new ChannelClosedException(e);
        }
        finally
        {
            acting.Release();
        }
        if (mendable is not null) throw mendable;
    }

    public IReadOnlyList<Task> Start(CancellationToken cancellationToken) => [Task.Run(() => RunAsync(cancellationToken), CancellationToken.None)];

    async Task RunAsync(CancellationToken cancellationToken)
    {
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var looking = LookAsync(ended.Token);
        try
        {
            var first = await Task.WhenAny(completed.Task, failed.Task, looking).WaitAsync(cancellationToken);
            // Looking ends with what failed as well, and knows less of it.
            await (failed.Task.IsCompleted ? failed.Task : first);
        }
        finally
        {
            await ended.CancelAsync();
            try { await looking; }
            catch (Exception e) when (e is OperationCanceledException or ChannelClosedException) { /* It was asked to end, or its end is told by another task. */ }
            await acting.WaitAsync(CancellationToken.None);
            await link.DisposeAsync();
        }
    }

    async Task LookAsync(CancellationToken cancellationToken)
    {
        using var timer = new PeriodicTimer(lookEvery, context.Time);
        while (await timer.WaitForNextTickAsync(cancellationToken))
            await ActAsync(async (session, ct) =>
            {
                await session.CheckOwnerAsync(context.Fence, ct);
                await session.CheckHistoryAsync(ct);
            }, cancellationToken);
    }

    public void Complete() => completed.TrySetResult();
}

/// <summary>Makes the output of one start of a reader.</summary>
sealed class LaneOutputFactory(ILanes lanes, long epoch) : IOutputFactory
{
    public LaneRouter Router { get; } = new(lanes.Count, lanes.Count);

    /// <summary>What was made; null before.</summary>
    public LaneOutput? Output { get; private set; }

    public LaneOpening? Opening(string history) => new(epoch, history);

    public IBatchOutput Create(WriterContext writer, IEnumerable<byte[]> parkedKeys, long since)
    {
        lanes.Begun(since);
        return Output = new LaneOutput(lanes, writer);
    }
}
