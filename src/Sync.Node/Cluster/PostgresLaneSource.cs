using Sync.Actors.Ports;
using Sync.Contracts;
using Sync.Node.Hosting;
using Sync.Redis.Errors;
using HostOptions = Sync.Node.Hosting.HostOptions;

namespace Sync.Node.Cluster;

/// <summary>PostgreSQL is lost for a reason that passes. The reader begins anew.</summary>
sealed class SourceLostException(Exception cause) : Exception(cause.Message, cause);

/// <summary>
/// One start of the reader: the primary, the lease and the slot, what Redis holds, the copies, the stream; the same steps as those of a single host, with lanes in the place of
/// its writers. It ends with whatever ends one of them. The next start begins at the first step.
/// </summary>
sealed class PostgresLaneSource(NodeParts parts, TableSet tables, StatusBoard board, PostgresLaneSourceFactory factory, long epoch) : ILaneSource
{
    volatile LaneOutputFactory? outputs;

    public async Task RunAsync(ILanes lanes, CancellationToken stop)
    {
        if (factory.Begin() is { } leaving)
        {
            using var either = CancellationTokenSource.CreateLinkedTokenSource(stop, leaving);
            try { await ReadAsync(lanes, either.Token); }
            finally { factory.Ended(); }
        }
        // All is copied and nothing is to be followed, or this node leaves: in both cases it is not to be started again here.
        try { await Task.Delay(Timeout.InfiniteTimeSpan, parts.Time, stop); }
        catch (OperationCanceledException) { /* It was asked to end. */ }
    }

    async Task ReadAsync(ILanes lanes, CancellationToken stop)
    {
        using var hard = new CancellationTokenSource();
        await using var onStop = stop.Register(() => hard.CancelAfter(parts.Config.ShutdownTimeout));
        await using var onAbandoned = factory.Abandoned.Register(hard.Cancel);
        var made = outputs = new LaneOutputFactory(lanes, epoch);
        try
        {
            board.Set(NodeState.Starting);
            await using var source = await OpenAsync(stop);
            await NodeEngine.RunAsync(parts, made, tables, source, new HostOptions(), board, copied: () => { }, stop, hard.Token);
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // It was asked to.
        }
        catch (Exception e) when (e is AnewException || (factory.IsProven && Source.IsTransient(e)))
        {
            parts.Stats.SetError(e.Message);
            throw new SourceLostException(e);
        }
        finally
        {
            board.Engine = null;
            board.Set(NodeState.Standby, "not the reader");
        }
    }

    /// <summary>
    /// Waits for the slot. One reader is all there is in a cluster; so if a cluster has the slot for long, it is another one. Such a one begins where the node that may begin a cluster is
    /// started while it is cut off from the others, and nothing would ever bring the two together.
    /// </summary>
    async Task<Source> OpenAsync(CancellationToken stop)
    {
        using var giveUp = CancellationTokenSource.CreateLinkedTokenSource(stop);
        var opening = Source.OpenAsync(parts, tables, board, factory.Found, giveUp.Token);
        while (await Task.WhenAny(opening, Task.Delay(factory.LongestHandover, parts.Time, giveUp.Token)) != opening)
        {
            if (stop.IsCancellationRequested) break;
            if (board.Status.State != NodeState.Standby || !await factory.IsReadByClusterAsync(stop)) continue;
            await giveUp.CancelAsync();
            try { await (await opening).DisposeAsync(); }
            catch (OperationCanceledException) { /* It was asked to. */ }
            throw new SyncException(ExitCode.ClusterDowned,
                $"Another cluster reads slot {parts.Config.Postgres.Repl.Slot}: this node has begun one of its own while it was cut off from the others; started again it joins them.");
        }
        return await opening;
    }

    public void Applied(int lane, int batches) => outputs!.Output!.Applied(lane, batches);
}

/// <summary>Makes the sources of this node's readers; what is known of PostgreSQL and the tables is kept from one to the next.</summary>
/// <param name="parts">Configuration, log, clock and counters.</param>
/// <param name="tables">The tables.</param>
/// <param name="board">Shows what the reader does.</param>
/// <param name="store">Gives numbers.</param>
sealed class PostgresLaneSourceFactory(NodeParts parts, TableSet tables, StatusBoard board, RedisLaneStore store) : ILaneSourceFactory
{
    static readonly TimeSpan succession = TimeSpan.FromMilliseconds(20);

    readonly Lock gate = new();
    readonly CancellationTokenSource leaving = new(), abandoned = new();
    readonly TaskCompletionSource idle = new(TaskCreationOptions.RunContinuationsAsynchronously);
    int running;
    long lastEpoch;
    volatile bool isProven;

    /// <summary>Whether PostgreSQL was found good once; losing it is then waited out.</summary>
    public bool IsProven => isProven;

    /// <summary>
    /// Whoever read before in this cluster has let the slot go by then: it ended, or PostgreSQL has taken the lease from it. Who still has it is of another cluster. Default 25 s.
    /// </summary>
    public TimeSpan LongestHandover { get; init; } = TimeSpan.FromSeconds(25);

    /// <summary>Whether no source of this node reads, or waits to.</summary>
    public bool IsIdle
    {
        get { lock (gate) return running == 0; }
    }

    /// <summary>A source begins to read. Null when this node is about to leave, else what tells it that the node is.</summary>
    public CancellationToken? Begin()
    {
        lock (gate)
        {
            if (leaving.IsCancellationRequested) return null;
            running++;
            return leaving.Token;
        }
    }

    /// <summary>It has ended.</summary>
    public void Ended()
    {
        lock (gate)
            if (--running == 0 && leaving.IsCancellationRequested) idle.TrySetResult();
    }

    /// <summary>Cancelled when nobody is left who would write what was read.</summary>
    public CancellationToken Abandoned => abandoned.Token;

    /// <summary>Stops reading on this node for good, without anything that was read being written; it comes again from PostgreSQL.</summary>
    public Task AbandonAsync() => abandoned.CancelAsync();

    /// <summary>Stops reading on this node for good, and waits until all that was read is written and confirmed. To be done while there are lanes, here or elsewhere.</summary>
    public async Task LeaveAsync()
    {
        lock (gate)
            if (running == 0) idle.TrySetResult();
        await leaving.CancelAsync();
        await Task.WhenAny(idle.Task, Task.Delay(parts.Config.ShutdownTimeout, parts.Time));
    }

    public void Found() => isProven = true;

    /// <summary>Whether who has the slot is of a cluster, as far as Redis tells now.</summary>
    public async Task<bool> IsReadByClusterAsync(CancellationToken cancellationToken)
    {
        try
        {
            return await store.IsOfClusterAsync(cancellationToken);
        }
        catch (RedisTransientException)
        {
            return false;
        }
    }

    public ILaneSource Create(long epoch) => new PostgresLaneSource(parts, tables, board, this, epoch);

    public async ValueTask<long> NextEpochAsync(CancellationToken cancellationToken)
    {
        long epoch = await store.NextEpochAsync(cancellationToken);
        Volatile.Write(ref lastEpoch, epoch);
        return epoch;
    }

    /// <summary>Waits until a later reader than the last of this node is about to begin, on another one; not at all when this node had none.</summary>
    /// <param name="limit">For how long at most, above 0.</param>
    /// <returns>Whether there is one; not when Redis does not say.</returns>
    public async Task<bool> IsSucceededAsync(TimeSpan limit)
    {
        long own = Volatile.Read(ref lastEpoch);
        using var over = new CancellationTokenSource(limit, parts.Time);
        try
        {
            while (own > 0 && await LastEpochAsync(over.Token) <= own) await Task.Delay(succession, parts.Time, over.Token);
            return own > 0;
        }
        catch (Exception e) when (e is OperationCanceledException or SyncException or ObjectDisposedException)
        {
            return false;
        }
    }

    /// <summary>The number that a reader has taken last; 0 while Redis is away.</summary>
    async Task<long> LastEpochAsync(CancellationToken cancellationToken)
    {
        try { return await store.LastEpochAsync(cancellationToken); }
        catch (RedisTransientException) { return 0; }
    }
}
