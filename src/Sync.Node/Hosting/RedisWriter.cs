using System.Globalization;
using System.Text;
using System.Threading.Channels;
using Sync.Contracts;
using Sync.Engine.Batching;
using Sync.Engine.DeadLetters;
using Sync.Engine.Progress;
using Sync.Engine.Retry;
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
    readonly List<WriterWork> flight = [];
    readonly List<Batch> batches = [];
    readonly ParkedKeys parked;
    readonly TaskCompletionSource ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    /// <summary>What the last attempt took out of the flight, to be parked together with it.</summary>
    List<DeadLetter> held = [];
    /// <summary>What Redis refused of a flight that it has applied; null while it is not applied.</summary>
    List<DeadLetter>? refused;
    /// <summary>Tells the flights of a copy apart, which have no position of their own; no other incarnation has the same.</summary>
    Position copied;
    SinkSession? session;
    RedisClientIdentity? previous;
    bool outcomeUnknown;
    volatile bool circuitOpen;

    public RedisWriter(int index, WriterContext context, ParkedKeys parked)
    {
        Index = index;
        this.context = context;
        this.parked = parked;
        parked.Keep();
        parkedField = Field("parked");
        copyField = Field("copy");
        copied = new Position(new Lsn((ulong)context.Time.GetUtcNow().UtcTicks), 0);
        progressField = Encoding.UTF8.GetBytes(LanePositions.WorkerField(context.Config.FlushWorkers, index));
        queue = Channel.CreateBounded<WriterWork>(new BoundedChannelOptions(context.Config.FlushQueueDepth) { SingleReader = true });
    }

    byte[] Field(string name) => Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{name}:{context.Config.FlushWorkers}:{Index}"));

    public int Index { get; }

    /// <summary>Whether Redis has refused more often in a row than retryPolicy.maxRetries.</summary>
    public bool IsCircuitOpen => circuitOpen;

    /// <summary>Queues work; waits while the queue is full.</summary>
    public ValueTask SendAsync(WriterWork work, CancellationToken cancellationToken) => queue.Writer.WriteAsync(work, cancellationToken);

    /// <summary>Runs an action behind everything queued so far and waits for it. What it throws for a user to mend reaches the caller, not the writer.</summary>
    /// <exception cref="ChannelClosedException">The writer has ended, or ends before it comes to the action.</exception>
    public Task RunBehindAsync(Func<SinkSession, CancellationToken, ValueTask> action, CancellationToken cancellationToken)
    {
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        return WaitBehindAsync(WriterWork.Do(async (current, ct) =>
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
    public Task DrainedAsync(CancellationToken cancellationToken)
    {
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        return WaitBehindAsync(WriterWork.Do((_, _) =>
        {
            done.TrySetResult();
            return ValueTask.CompletedTask;
        }), done, cancellationToken);
    }

    async Task WaitBehindAsync(WriterWork work, TaskCompletionSource done, CancellationToken cancellationToken)
    {
        await SendAsync(work, cancellationToken);
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
            while (await queue.Reader.WaitToReadAsync(cancellationToken))
            {
                Gather();
                if (flight.Count > 0) await WithRetryAsync(WriteFlightAsync, cancellationToken);
                Release();
                if (!queue.Reader.TryPeek(out var next) || next.Action is not { } action) continue;
                queue.Reader.TryRead(out _);
                await WithRetryAsync(action, cancellationToken);
            }
        }
        finally
        {
            queue.Writer.TryComplete();
            ended.TrySetResult();
            if (session is not null) await session.DisposeAsync();
        }
    }

    /// <summary>Takes all batches that wait, up to the bounds or up to an action.</summary>
    void Gather()
    {
        int bytes = 0, rows = 0;
        while (bytes < maxFlightBytes && rows < maxFlightRows && queue.Reader.TryPeek(out var next) && next.Batch is { } batch)
        {
            queue.Reader.TryRead(out next);
            flight.Add(next);
            bytes += batch.Bytes;
            rows += batch.Count;
        }
    }

    void Release()
    {
        foreach (var work in flight) work.Owner!.Applied(Index, work.Batch!);
        flight.Clear();
    }

    /// <summary>Repeats until it succeeds. Only a fatal error or cancellation gets out.</summary>
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
                outcomeUnknown |= e.OutcomeUnknown;
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
    async ValueTask WriteFlightAsync(SinkSession current, CancellationToken cancellationToken)
    {
        var reached = flight[^1].Batch!.Last;
        byte[] field = progressField;
        if (reached == Position.None) (reached, field) = (copied, copyField);
        if (refused is null && outcomeUnknown && context.RecordsPositions && await HoldsAsync(current, field, reached, cancellationToken))
        {
            // Redis has the flight, but its replies are lost; what it refused of it shows in the keys.
            var failures = await LostReplies.FindAsync(current.Connection, batches, cancellationToken);
            context.Metrics.Warnings.Add(1, new KeyValuePair<string, object?>("kind", "replies_lost"));
            context.Log.RepliesLost(Index, flight.Sum(work => work.Batch!.Count), failures.Count);
            refused = context.Filter.Failed(batches, failures, context.Time.GetUtcNow());
            outcomeUnknown = false;
        }
        if (refused is null)
        {
            outcomeUnknown = false;
            parked.Undo();
            batches.Clear();
            foreach (var work in flight) batches.Add(work.Batch!);
            held = context.Filter.TakeHeld(batches, parked, context.Time.GetUtcNow());
            refused = await WriteBatchesAsync(current, field, reached, cancellationToken);
        }
        if (refused.Count > 0) await ParkRefusedAsync(current, reached, cancellationToken);
        Parked(held);
        Parked(refused);
        parked.Keep();
        bool any = held.Count + refused.Count > 0;
        held = [];
        refused = null;
        copied = copied with { Step = copied.Step + 1 };
        if (any) context.EnsureDeadLettersFit();
    }

    /// <summary>
    /// Sends what is left in <see cref="batches"/>; what Redis refuses before running anything is taken out and the rest sent again.
    /// Returns what it refused while running.
    /// </summary>
    async ValueTask<List<DeadLetter>> WriteBatchesAsync(SinkSession current, byte[] field, Position reached, CancellationToken cancellationToken)
    {
        while (true)
        {
            var result = await SendAsync(current, field, reached, cancellationToken);
            if (result.Outcome == FlightOutcome.Applied)
                return result.Failures.Count == 0 ? [] : context.Filter.Failed(batches, result.Failures, context.Time.GetUtcNow());
            held.AddRange(context.Filter.TakeRefused(batches, result.Failures, parked, context.Time.GetUtcNow()));
        }
    }

    /// <summary>Sends the batches with what parks <see cref="held"/> behind them.</summary>
    async ValueTask<FlightResult> SendAsync(SinkSession current, byte[] field, Position reached, CancellationToken cancellationToken)
    {
        int dataBatches = batches.Count;
        if (held.Count > 0) batches.Add(context.DeadLetters.ParkingBatch(held));
        try
        {
            var result = await current.WriteAsync(
                batches, context.Keys.ProgressBytes, field, context.RecordsPositions ? reached : Position.None, cancellationToken);
            if (result.Failures.Count == 0 || result.Failures[^1].Batch < dataBatches) return result;
            throw new SyncException(ExitCode.RedisUnsuitable,
                $"Redis at {current.Connection.Endpoint} refused to keep a dead letter ({result.Failures[^1].Error}); check the key '{context.Keys.DeadLetters}' and its permissions.");
        }
        finally
        {
            if (batches.Count > dataBatches) batches.RemoveAt(dataBatches);
        }
    }

    /// <summary>
    /// The flight is applied and so is its position; what of it was refused still has to be kept. A field of its own says whether that was
    /// done, should the connection be lost meanwhile.
    /// </summary>
    async ValueTask ParkRefusedAsync(SinkSession current, Position reached, CancellationToken cancellationToken)
    {
        bool done = outcomeUnknown && await HoldsAsync(current, parkedField, reached, cancellationToken);
        outcomeUnknown = false;
        if (!done) await context.DeadLetters.ParkAsync(current.Connection, refused!, (parkedField, reached), cancellationToken);
    }

    void Parked(List<DeadLetter> letters)
    {
        foreach (var letter in letters)
        {
            parked.Add(letter.Key.Span);
            context.Stats.Parked(letter);
            context.Metrics.Parked.Add(1, new KeyValuePair<string, object?>("table", letter.Table));
            // A line for each change that only waits would drown the one that says why.
            if (letter.Attempts > 0) context.Log.Parked(letter.Table, letter.Position.ToString(), letter.Error);
        }
    }

    /// <summary>Nobody but this writer writes its fields, so the position of the last flight is there or it is not.</summary>
    async ValueTask<bool> HoldsAsync(SinkSession current, byte[] field, Position position, CancellationToken cancellationToken) =>
        await context.Progress.ReadFieldAsync(current.Connection, field, cancellationToken) == position;
}
