using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;
using System.Threading.Channels;
using Sync.Contracts;
using Sync.Engine.Batching;
using Sync.Engine.DeadLetters;
using Sync.Engine.Progress;
using Sync.Redis.Cluster;
using Sync.Redis.Sink;

namespace Sync.Node.Hosting;

/// <summary>
/// One writer: a queue of batches and the Redis connection they leave by. It sends one flight at a time, made of all that waits, so batches
/// grow by themselves while Redis is busy and nothing waits while it is not. A flight stays at the head until Redis has it, whatever happens
/// in between, so the order of a key is never broken. After a lost connection it first asks how far Redis got, and repeats only what is missing.
/// When another node took over, or Redis is another process than the one the positions were read from, it ends: then nothing it knows holds.
/// </summary>
sealed class RedisWriter
{
    const int maxFlightBytes = 256 * 1024;
    const int maxFlightRows = 4096;

    readonly WriterContext context;
    readonly Channel<WriterWork> queue;
    readonly List<WriterWork> underWay = [];
    readonly List<Batch> batchesUnderWay = [];
    readonly Func<SinkSession, CancellationToken, ValueTask> writeFlight;
    readonly ParkedKeys parked;
    readonly FlightCourse course;
    readonly RedisLink link;
    readonly ClusterSink? cluster;
    readonly TaskCompletionSource ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public RedisWriter(int index, WriterContext context, ParkedKeys parked)
    {
        Index = index;
        this.context = context;
        this.parked = parked;
        parked.Keep();
        writeFlight = WriteFlightAsync;
        int workers = context.Config.FlushWorkers;
        course = new FlightCourse(index, context, parked, FlightFields.Of(LanePositions.WorkerField(workers, index), string.Create(CultureInfo.InvariantCulture, $"{workers}:{index}")));
        link = new RedisLink(NameOf(index), context, context.FlightFence, context.History, course.Failed);
        if (context.Cluster is { } view) cluster = new ClusterSink(Nodes = new ClusterConnections(view), context.RecordsPositions);
        queue = Channel.CreateBounded<WriterWork>(new BoundedChannelOptions(context.Config.FlushQueueDepth) { SingleReader = true });
    }

    /// <summary>What a writer is called in the log.</summary>
    public static string NameOf(int index) => string.Create(CultureInfo.InvariantCulture, $"writer {index}");

    public int Index { get; }

    /// <summary>Connections to all masters of a Cluster; null for a single server. Only for actions that this writer runs.</summary>
    public ClusterConnections? Nodes { get; }

    /// <summary>Whether Redis has refused more often in a row than retryPolicy.maxRetries.</summary>
    public bool IsCircuitOpen => link.IsCircuitOpen;

    /// <summary>Queues work; waits while the queue is full.</summary>
    public ValueTask SendAsync(WriterWork work, CancellationToken cancellationToken) => queue.Writer.WriteAsync(work, cancellationToken);

    /// <summary>Runs an action behind everything queued so far and waits for it. What it throws for a user to mend reaches the caller, not the writer.</summary>
    /// <exception cref="ChannelClosedException">The writer has ended, or ends before it comes to the action.</exception>
    public async Task RunBehindAsync(Func<SinkSession, CancellationToken, ValueTask> action, CancellationToken cancellationToken) =>
        await await PostAsync(action, cancellationToken);

    /// <summary>Queues an action behind everything queued so far; the task it gives is that of its end, as <see cref="RunBehindAsync"/> waits for.</summary>
    public Task<Task> PostAsync(Func<SinkSession, CancellationToken, ValueTask> action, CancellationToken cancellationToken)
    {
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        return PostAsync(WriterWork.Do(async (current, ct) =>
        {
            try
            {
                await current.GuardAsync(ct);
                await action(current, ct);
                done.TrySetResult();
            }
            catch (SyncException e)
            {
                done.TrySetException(e);
            }
        }), done, cancellationToken);
    }

    /// <summary>Waits until everything queued so far is in Redis.</summary>
    /// <exception cref="ChannelClosedException">The writer has ended, or ends before.</exception>
    public async Task DrainedAsync(CancellationToken cancellationToken)
    {
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await await PostAsync(WriterWork.Do((_, _) =>
        {
            done.TrySetResult();
            return ValueTask.CompletedTask;
        }), done, cancellationToken);
    }

    async Task<Task> PostAsync(WriterWork work, TaskCompletionSource done, CancellationToken cancellationToken)
    {
        await SendAsync(work, cancellationToken);
        return WaitAsync(done, cancellationToken);
    }

    async Task WaitAsync(TaskCompletionSource done, CancellationToken cancellationToken)
    {
        await Task.WhenAny(done.Task, ended.Task).WaitAsync(cancellationToken);
        if (!done.Task.IsCompleted) throw new ChannelClosedException();
        await done.Task;
    }

    /// <summary>Lets a key's changes pass again. Only from an action that this writer runs.</summary>
    public void Unpark(ReadOnlySpan<byte> key) => parked.Remove(key);

    /// <summary>No more work will come; <see cref="RunAsync"/> ends when the queue is empty.</summary>
    public void Complete() => queue.Writer.TryComplete();

    /// <summary>Works until <see cref="Complete"/> or cancellation, which leaves the rest unwritten (and unconfirmed).</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        try
        {
            // A wait that can be cancelled is an object each; one that ends with the queue is not.
            await using var cancelled = cancellationToken.UnsafeRegister(static q => ((Channel<WriterWork>)q!).Writer.TryComplete(), queue);
            while (await queue.Reader.WaitToReadAsync(CancellationToken.None))
            {
                cancellationToken.ThrowIfCancellationRequested();
                Gather();
                if (underWay.Count > 0) await FlyAsync(cancellationToken);
                if (!queue.Reader.TryPeek(out var next) || next.Action is not { } action) continue;
                queue.Reader.TryRead(out _);
                await link.WithRetryAsync(action, cancellationToken);
            }
            cancellationToken.ThrowIfCancellationRequested();
        }
        finally
        {
            queue.Writer.TryComplete();
            ended.TrySetResult();
            await link.DisposeAsync();
            if (cluster is not null) await cluster.DisposeAsync();
        }
    }

    /// <summary>Takes all batches that wait, up to the bounds or up to an action.</summary>
    void Gather()
    {
        int bytes = 0, rows = 0;
        while (bytes < maxFlightBytes && rows < maxFlightRows && queue.Reader.TryPeek(out var next) && next.Batch is { } batch)
        {
            queue.Reader.TryRead(out next);
            underWay.Add(next);
            batchesUnderWay.Add(batch);
            bytes += batch.Bytes;
            rows += batch.Count;
        }
    }

    /// <summary>Keeps at it until Redis has the flight; then its batches are their owners' again.</summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    async ValueTask FlyAsync(CancellationToken cancellationToken)
    {
        course.Begin(batchesUnderWay);
        await link.WithRetryAsync(writeFlight, cancellationToken);
        course.ReportParked();
        foreach (var work in underWay) work.Owner!.Applied(Index, work.Batch!);
        underWay.Clear();
        batchesUnderWay.Clear();
    }

    /// <summary>One attempt to bring the flight home; each goes on where the one before was cut off.</summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    async ValueTask WriteFlightAsync(SinkSession current, CancellationToken cancellationToken)
    {
        while (await course.HasToBeSentAsync(current, cancellationToken))
            course.Sent(await SendAsync(current, cancellationToken), current.Endpoint);
    }

    ValueTask<FlightResult> SendAsync(SinkSession current, CancellationToken cancellationToken)
    {
        var flight = course.Flight;
        var batches = course.ToSend();
        return cluster is not null
            ? cluster.WriteAsync(current, batches, flight.Held.Count > 0, Encoding.UTF8.GetString(course.Field), flight.Reached, cancellationToken)
            : current.WriteAsync(batches, context.Keys.ProgressBytes, course.Field, context.RecordsPositions ? flight.Reached : Position.None, cancellationToken);
    }
}
