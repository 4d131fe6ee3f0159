using Sync.Actors.Ports;
using Sync.Engine.Ordering;
using Sync.Node.Hosting;
using Sync.Redis;
using Sync.Redis.Errors;
using Sync.Redis.Lanes;
using Sync.Redis.Progress;
using Sync.Redis.Sink;

namespace Sync.Node.Cluster;

/// <summary>
/// Takes lanes for this node and remembers which, on one connection. What is wanted while it is at work is taken together then: a node that takes a hundred lanes over needs a few round
/// trips for all of them.
/// </summary>
sealed class RedisLaneStore(WriterContext context, LaneStore store, LaneClaimBook book, int lanes) : ILaneStore, IAsyncDisposable
{
    /// <summary>A lane that is wanted, until somebody has seen to it.</summary>
    sealed class Wish(int lane, CancellationToken given) : TaskCompletionSource<LaneTakeover>(TaskCreationOptions.RunContinuationsAsynchronously)
    {
        public int Lane => lane;

        /// <summary>Whether nobody waits for it any more.</summary>
        public bool IsGivenUp => given.IsCancellationRequested;
    }

    readonly LaneRouter router = new(lanes, 1);
    readonly SemaphoreSlim turn = new(1);
    readonly Lock gate = new();
    readonly CancellationTokenSource ending = new();
    List<Wish> wishes = [];
    SinkSession? session;

    public ValueTask<LaneTakeover> TakeAsync(int lane, CancellationToken cancellationToken)
    {
        var wish = new Wish(lane, cancellationToken);
        bool isFirst;
        lock (gate)
        {
            wishes.Add(wish);
            isFirst = wishes.Count == 1;
        }
        if (isFirst) _ = FulfilAsync();
        return new ValueTask<LaneTakeover>(wish.Task.WaitAsync(cancellationToken));
    }

    /// <summary>Takes all that is wanted when its turn has come. Who gives up does not end it for the others.</summary>
    async Task FulfilAsync()
    {
        List<Wish> all = [];
        try
        {
            await OnSessionAsync(async current =>
            {
                all = Wanted();
                await FulfilAsync(current, all.FindAll(wish => !wish.IsGivenUp));
                return all.Count;
            }, ending.Token);
        }
        catch (Exception e)
        {
            // Such as a Redis that is away: then it is not known yet who wants something.
            if (all.Count == 0) all = Wanted();
            foreach (var wish in all) wish.TrySetException(e);
        }
    }

    async Task FulfilAsync(SinkSession current, List<Wish> wanted)
    {
        if (wanted.Count == 0) return;
        var taken = await store.TakeAsync(current.Connection, wanted.ConvertAll(wish => wish.Lane), ending.Token);
        if (taken[0].Claim == 0)
            throw new RedisTransientException($"No reader has looked yet at what Redis at {current.Endpoint} holds; lanes are taken once it has.", outcomeUnknown: false) { IsReplica = true };
        for (int i = 0; i < taken.Length; i++) book.Taken(wanted[i].Lane, taken[i].Claim, current.History);
        // Read behind the takeovers, since whoever had a lane before may have parked something until then.
        var parked = (await context.DeadLetters.LoadParkedKeysAsync(current.Connection, ending.Token)).Keys.ToLookup(key => router.LaneOf(key));
        for (int i = 0; i < taken.Length; i++)
            wanted[i].TrySetResult(new LaneTakeover(taken[i].Claim, taken[i].Position, [.. parked[wanted[i].Lane]]) { Epoch = taken[i].Epoch });
    }

    List<Wish> Wanted()
    {
        lock (gate)
        {
            var all = wishes;
            wishes = [];
            return all;
        }
    }

    public async ValueTask GiveUpAsync(int lane, long claim, CancellationToken cancellationToken)
    {
        await OnSessionAsync(current => store.GiveUpAsync(current.Connection, lane, claim, cancellationToken), cancellationToken);
        book.GivenUp(lane, claim);
    }

    /// <summary>Takes the number of a new reader.</summary>
    public ValueTask<long> NextEpochAsync(CancellationToken cancellationToken) =>
        OnSessionAsync(current => store.NextEpochAsync(current.Connection, cancellationToken), cancellationToken);

    /// <summary>The number that a reader has taken last, whether it has begun yet or not; 0 for none.</summary>
    public ValueTask<long> LastEpochAsync(CancellationToken cancellationToken) =>
        OnSessionAsync(current => store.LastEpochAsync(current.Connection, cancellationToken), cancellationToken);

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
        OnSessionAsync(current => new TableTexts(context.Keys.Resync).LoadAsync(current.Connection, cancellationToken), cancellationToken);

    async ValueTask<T> OnSessionAsync<T>(Func<SinkSession, ValueTask<T>> work, CancellationToken cancellationToken)
    {
        await turn.WaitAsync(cancellationToken);
        try
        {
            if (session is not null && book.WasLeft(session.History)) await ForgetAsync();
            session ??= await OpenAsync(cancellationToken);
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

    async ValueTask<SinkSession> OpenAsync(CancellationToken cancellationToken)
    {
        var opened = await SinkSession.OpenAsync(context.Config.Redis, context.Config.WriteTimeout, context.Time, null, null, cancellationToken);
        try
        {
            await AppendOnlyGuard.CheckAsync(context, opened.Connection, RedisKeys.AppendOnly, cancellationToken);
            return opened;
        }
        catch
        {
            await opened.DisposeAsync();
            throw;
        }
    }

    async ValueTask ForgetAsync()
    {
        if (session is not null) await session.DisposeAsync();
        session = null;
    }

    public async ValueTask DisposeAsync()
    {
        await ending.CancelAsync();
        // Whoever is at work ends now.
        await turn.WaitAsync();
        await ForgetAsync();
        turn.Dispose();
        ending.Dispose();
    }
}
