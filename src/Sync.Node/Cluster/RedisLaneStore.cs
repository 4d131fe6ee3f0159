using Sync.Actors.Ports;
using Sync.Engine.Ordering;
using Sync.Node.Hosting;
using Sync.Redis.Errors;
using Sync.Redis.Lanes;
using Sync.Redis.Progress;
using Sync.Redis.Sink;

namespace Sync.Node.Cluster;

/// <summary>Takes lanes for this node, one after the other on one connection, and remembers which.</summary>
sealed class RedisLaneStore(WriterContext context, LaneStore store, LaneClaimBook book, int lanes) : ILaneStore, IAsyncDisposable
{
    readonly LaneRouter router = new(lanes, 1);
    readonly SemaphoreSlim turn = new(1);
    SinkSession? session;

    public ValueTask<LaneTakeover> TakeAsync(int lane, CancellationToken cancellationToken) => OnSessionAsync(async current =>
    {
        var taken = await store.TakeAsync(current.Connection, lane, cancellationToken);
        if (taken.Claim == 0)
            throw new RedisTransientException($"No reader has looked yet at what Redis at {current.Endpoint} holds; lanes are taken once it has.", outcomeUnknown: false) { IsReplica = true };
        book.Taken(lane, taken.Claim, current.History);
        // Read behind the takeover, since whoever had the lane before may have parked something until then.
        var parked = await context.DeadLetters.LoadParkedKeysAsync(current.Connection, cancellationToken);
        return new LaneTakeover(taken.Claim, taken.Position, [.. parked.Keys.Where(key => router.LaneOf(key) == lane)]) { Epoch = taken.Epoch };
    }, cancellationToken);

    public async ValueTask GiveUpAsync(int lane, long claim, CancellationToken cancellationToken)
    {
        await OnSessionAsync(current => store.GiveUpAsync(current.Connection, lane, claim, cancellationToken), cancellationToken);
        book.GivenUp(lane, claim);
    }

    /// <summary>Takes the number of a new reader.</summary>
    public ValueTask<long> NextEpochAsync(CancellationToken cancellationToken) =>
        OnSessionAsync(current => store.NextEpochAsync(current.Connection, cancellationToken), cancellationToken);

    /// <summary>The reader that has begun last with this Redis; 0 for none.</summary>
    public ValueTask<long> BegunEpochAsync(CancellationToken cancellationToken) =>
        OnSessionAsync(current => store.BegunEpochAsync(current.Connection, cancellationToken), cancellationToken);

    /// <summary>Whether the last that has begun to write to this Redis was the reader of a cluster.</summary>
    public ValueTask<bool> IsOfClusterAsync(CancellationToken cancellationToken) =>
        OnSessionAsync(current => store.IsOfClusterAsync(current.Connection, cancellationToken), cancellationToken);

    /// <summary>How many dead letters there are, of all lanes.</summary>
    public ValueTask<long> CountDeadLettersAsync(CancellationToken cancellationToken) =>
        OnSessionAsync(current => context.DeadLetters.CountAsync(current.Connection, cancellationToken), cancellationToken);

    /// <summary>The re-syncs that the reader has kept, by table.</summary>
    public ValueTask<IReadOnlyList<(string Table, string Text)>> LoadResyncsAsync(CancellationToken cancellationToken) =>
        OnSessionAsync(current => new ResyncStore(context.Keys).LoadAsync(current.Connection, cancellationToken), cancellationToken);

    async ValueTask<T> OnSessionAsync<T>(Func<SinkSession, ValueTask<T>> work, CancellationToken cancellationToken)
    {
        await turn.WaitAsync(cancellationToken);
        try
        {
            if (session is not null && book.WasLeft(session.History)) await ForgetAsync();
            session ??= await SinkSession.OpenAsync(context.Config.Redis, context.Config.WriteTimeout, context.Time, null, null, cancellationToken);
            return await work(session);
        }
        catch (RedisTransientException e) when (session is not null && (session.IsBroken || e.OutcomeUnknown || e.IsReplica))
        {
            await ForgetAsync();
            throw;
        }
        catch (OperationCanceledException)
        {
            await ForgetAsync();
            throw;
        }
        finally
        {
            turn.Release();
        }
    }

    async ValueTask ForgetAsync()
    {
        if (session is not null) await session.DisposeAsync();
        session = null;
    }

    public async ValueTask DisposeAsync()
    {
        await ForgetAsync();
        turn.Dispose();
    }
}
