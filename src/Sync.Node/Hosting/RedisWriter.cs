using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;
using System.Threading.Channels;
using Sync.Contracts;
using Sync.Engine.Batching;
using Sync.Engine.DeadLetters;
using Sync.Engine.Ordering;
using Sync.Engine.Progress;
using Sync.Engine.Retry;
using Sync.Redis.Cluster;
using Sync.Redis.Errors;
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
    readonly byte[] progressField, parkedField, copyField;
    readonly List<WriterWork> underWay = [];
    readonly List<Batch> batchesUnderWay = [];
    readonly Func<SinkSession, CancellationToken, ValueTask> writeFlight;
    readonly ParkedKeys parked;
    readonly Flight flight;
    readonly ClusterSink? cluster;
    readonly TaskCompletionSource ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    SinkSession? session;
    RedisClientIdentity? previous;
    volatile bool circuitOpen;

    public RedisWriter(int index, WriterContext context, ParkedKeys parked)
    {
        Index = index;
        this.context = context;
        this.parked = parked;
        parked.Keep();
        writeFlight = WriteFlightAsync;
        flight = new Flight(context.Filter, parked, context.RecordsPositions, new Position(new Lsn((ulong)context.Time.GetUtcNow().UtcTicks), 0));
        if (context.Cluster is { } view) cluster = new ClusterSink(Nodes = new ClusterConnections(view), context.RecordsPositions);
        parkedField = FieldOf("parked");
        copyField = FieldOf("copy");
        progressField = Encoding.UTF8.GetBytes(LanePositions.WorkerField(context.Config.FlushWorkers, index));
        queue = Channel.CreateBounded<WriterWork>(new BoundedChannelOptions(context.Config.FlushQueueDepth) { SingleReader = true });
    }

    byte[] FieldOf(string name) => Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{name}:{context.Config.FlushWorkers}:{Index}"));

    public int Index { get; }

    /// <summary>Connections to all masters of a Cluster; null for a single server. Only for actions that this writer runs.</summary>
    public ClusterConnections? Nodes { get; }

    /// <summary>Whether Redis has refused more often in a row than retryPolicy.maxRetries.</summary>
    public bool IsCircuitOpen => circuitOpen;

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
                await WithRetryAsync(action, cancellationToken);
            }
            cancellationToken.ThrowIfCancellationRequested();
        }
        finally
        {
            queue.Writer.TryComplete();
            ended.TrySetResult();
            if (session is not null) await session.DisposeAsync();
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
        flight.Begin(batchesUnderWay);
        await WithRetryAsync(writeFlight, cancellationToken);
        Report(flight.Held);
        Report(flight.Refused);
        if (flight.Held.Count + flight.Refused.Count > 0) context.EnsureDeadLettersFit();
        foreach (var work in underWay) work.Owner!.Applied(Index, work.Batch!);
        underWay.Clear();
        batchesUnderWay.Clear();
    }

    /// <summary>Repeats until it succeeds. Only a fatal error or cancellation gets out.</summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    async ValueTask WithRetryAsync(Func<SinkSession, CancellationToken, ValueTask> attempt, CancellationToken cancellationToken)
    {
        for (int failures = 0; ;)
        {
            try
            {
                session ??= await OpenAsync(cancellationToken);
                await attempt(session, cancellationToken);
                if (circuitOpen) context.Log.CircuitClosed(Index);
                circuitOpen = false;
                return;
            }
            catch (RedisTransientException e)
            {
                failures++;
                flight.Failed(e.OutcomeUnknown);
                await ForgetBrokenSessionAsync(e);
                await BackOffAsync(failures, e, cancellationToken);
                if (e.IsReplica) await LeaveReplicaAsync();
            }
        }
    }

    async ValueTask<SinkSession> OpenAsync(CancellationToken cancellationToken)
    {
        var opened = await SinkSession.OpenAsync(context.Config.Redis, context.Config.WriteTimeout, context.Time, previous, context.FlightFence, cancellationToken);
        if (opened.History != context.History)
        {
            await opened.DisposeAsync();
            throw new RedisFencedException("Redis was restarted, or another one takes the writes now; what it holds has to be read anew.");
        }
        previous = opened.Identity;
        return opened;
    }

    async ValueTask ForgetBrokenSessionAsync(RedisTransientException cause)
    {
        if (session is null || !(session.IsBroken || cause.OutcomeUnknown)) return;
        await session.DisposeAsync();
        session = null;
    }

    /// <summary>The connection is good, but what was a master is none any more: whoever takes the writes now is found by connecting anew.</summary>
    async ValueTask LeaveReplicaAsync()
    {
        if (session is not null) await session.DisposeAsync();
        session = null;
    }

    async ValueTask BackOffAsync(int failures, RedisTransientException cause, CancellationToken cancellationToken)
    {
        var policy = context.Config.RetryPolicy;
        if (session is null && policy.MaxConnectionRetries > 0 && failures > policy.MaxConnectionRetries)
            throw new SyncException(ExitCode.RedisUnreachable,
                $"{cause.Message} Gave up after {policy.MaxConnectionRetries} attempts (retryPolicy.maxConnectionRetries); start again when Redis is back, nothing is lost.", cause);
        context.Metrics.Retries.Add(1);
        context.Stats.Retried();
        var delay = Backoff.Delay(policy, failures, Random.Shared.NextDouble());
        if (failures == 1 || failures == policy.MaxRetries + 1) context.Log.RedisRefused(Index, cause.Message, delay);
        circuitOpen = failures > policy.MaxRetries;
        context.Stats.SetError(cause.Message);
        await Task.Delay(delay, context.Time, cancellationToken);
    }

    /// <summary>One attempt to bring the flight home; each goes on where the one before was cut off.</summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    async ValueTask WriteFlightAsync(SinkSession current, CancellationToken cancellationToken)
    {
        while (true)
        {
            switch (flight.Next(context.Time.GetUtcNow()))
            {
                case FlightStep.Send:
                    flight.Written(await SendAsync(current, cancellationToken), context.Time.GetUtcNow());
                    break;
                case FlightStep.AskApplied:
                    flight.Answered(await HoldsAsync(current, Field, cancellationToken));
                    break;
                case FlightStep.FindRefused:
                    await FindRefusedAsync(current, cancellationToken);
                    break;
                case FlightStep.AskParked:
                    flight.Answered(await HoldsAsync(current, parkedField, cancellationToken));
                    break;
                case FlightStep.Park:
                    // In a Cluster the flight went elsewhere, so nothing watches the owner's key here yet.
                    await current.GuardAsync(cancellationToken);
                    await context.DeadLetters.ParkAsync(current.Connection, flight.Refused, (parkedField, flight.Reached), cancellationToken);
                    flight.Parked();
                    break;
                case FlightStep.Leave:
                    throw new RedisFencedException($"Another ActorSync took over what is written to Redis at {current.Connection.Endpoint}.");
                case FlightStep.Done:
                    return;
            }
        }
    }

    byte[] Field => flight.IsCopy ? copyField : progressField;

    /// <summary>Sends the batches with what parks their dead letters behind them.</summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    async ValueTask<FlightResult> SendAsync(SinkSession current, CancellationToken cancellationToken)
    {
        var batches = flight.Held.Count == 0 ? flight.Batches : [.. flight.Batches, context.DeadLetters.ParkingBatch(flight.Held)];
        var result = cluster is not null
            ? await cluster.WriteAsync(current, batches, flight.Held.Count > 0, Encoding.UTF8.GetString(Field), flight.Reached, cancellationToken)
            : await current.WriteAsync(batches, context.Keys.ProgressBytes, Field, context.RecordsPositions ? flight.Reached : Position.None, cancellationToken);
        if (result.Failures.Count == 0 || result.Failures[^1].Batch < flight.Batches.Count) return result;
        throw new SyncException(ExitCode.RedisUnsuitable,
            $"Redis at {current.Connection.Endpoint} refused to keep a dead letter ({result.Failures[^1].Error}); check the key '{context.Keys.DeadLetters}' and its permissions.");
    }

    async ValueTask FindRefusedAsync(SinkSession current, CancellationToken cancellationToken)
    {
        var failures = await LostReplies.FindAsync(current.Connection, flight.Batches, cancellationToken);
        context.Metrics.Warnings.Add(1, new KeyValuePair<string, object?>("kind", "replies_lost"));
        context.Log.RepliesLost(Index, underWay.Sum(work => work.Batch!.Count), failures.Count);
        flight.Found(failures, context.Time.GetUtcNow());
    }

    /// <summary>Nobody but this writer writes its fields, so the position of the last flight is there or it is not.</summary>
    async ValueTask<bool> HoldsAsync(SinkSession current, byte[] field, CancellationToken cancellationToken) =>
        await context.Progress.ReadFieldAsync(current.Connection, field, cancellationToken) == flight.Reached;

    void Report(IReadOnlyList<DeadLetter> letters)
    {
        foreach (var letter in letters)
        {
            context.Stats.Parked(letter);
            context.Metrics.Parked.Add(1, new KeyValuePair<string, object?>("table", letter.Table));
            // A line for each change that only waits would drown the one that says why.
            if (letter.Attempts > 0) context.Log.Parked(letter.Table, letter.Position.ToString(), letter.Error);
        }
    }
}
