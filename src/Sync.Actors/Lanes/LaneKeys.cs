using Akka.Actor;
using Sync.Engine.Batching;
using Sync.Engine.DeadLetters;
using Sync.Engine.Lanes;

namespace Sync.Actors.Lanes;

/// <summary>
/// The ordering keys of a lane that have rows under way, and the order of each (ADR 14):
/// <list type="number">
/// <item>A row of a key that has none in flight is offered at once, and costs an entry in a table until it is home.</item>
/// <item>One that comes while others of its key are in flight waits in the key's <see cref="KeyOrder"/>, and is offered when they are home.</item>
/// <item>When as many rows of a key wait as a bound says, its order is given to a <see cref="KeyActor"/>, which keeps it until it had nothing to do for a while.</item>
/// </list>
/// Belongs to one takeover of a lane and is used by its actor alone.
/// </summary>
/// <param name="context">Of the lane, whose children the keys are.</param>
/// <param name="rounds">Told of what is offered.</param>
/// <param name="actorFrom">Rows that wait at once from which a key has an actor, 1 or more.</param>
/// <param name="idleSweeps">Sweeps without anything to do after which an actor is stopped, 1 or more.</param>
sealed class LaneKeys(IActorContext context, LaneRounds rounds, int actorFrom, int idleSweeps)
{
    const int mostSpare = 256;
    static readonly Props props = Props.Create<KeyActor>();

    readonly Dictionary<byte[], LaneKey> keys = new(KeyBytesComparer.Instance);
    readonly Queue<LaneKey[]> perBatch = new();
    readonly List<LaneKey> inBatch = [], waiting = [], withActor = [];
    readonly List<long> atOnce = [];
    readonly Stack<KeyOrder> spare = new();
    long home, batches;
    int offersAwaited;

    /// <summary>Keys with rows that are not home.</summary>
    public int UnderWay { get; private set; }

    /// <summary>Keys that have an actor.</summary>
    public int Actors => withActor.Count;

    /// <summary>Whether all keys have offered what they can, so that a flight is as large as it can be.</summary>
    public bool HaveOffered => offersAwaited == 0;

    /// <summary>A batch was added to the rounds.</summary>
    /// <param name="batch">Its rows.</param>
    /// <param name="row">Number of its first row.</param>
    public void Add(Batch batch, long row)
    {
        var lookup = keys.GetAlternateLookup<ReadOnlySpan<byte>>();
        batches++;
        foreach (ref readonly var entry in batch.Entries)
        {
            var name = batch.Key(entry);
            if (!lookup.TryGetValue(name, out var key))
            {
                byte[] copy = name.ToArray();
                keys.Add(copy, key = new LaneKey(this, copy));
            }
            Add(key, row++);
        }
        rounds.Offered(atOnce);
        atOnce.Clear();
        foreach (var key in waiting) Tell(key);
        waiting.Clear();
        perBatch.Enqueue([.. inBatch]);
        inBatch.Clear();
    }

    void Add(LaneKey key, long row)
    {
        bool isFirst = key.Batch != batches;
        if (isFirst)
        {
            key.Batch = batches;
            inBatch.Add(key);
            if (key.Last <= home) UnderWay++;
        }
        if (key.Waiting is not null) key.Waiting.Add(row);
        else if (key.Order is not null) key.Order.Add(row);
        else if (isFirst && key.IsEngaged)
        {
            key.Waiting = [row];
            waiting.Add(key);
        }
        else if (key.Flight > home)
        {
            key.Order = spare.TryPop(out var empty) ? empty : new KeyOrder();
            key.Order.Add(key.Offered);
            key.Order.Offer();
            key.Order.Add(row);
        }
        else
        {
            atOnce.Add(row);
            key.Offered = row;
        }
        key.Last = row;
        if (key.Order is { } order && order.Waiting >= actorFrom) Adopt(key, order);
    }

    void Adopt(LaneKey key, KeyOrder order)
    {
        if (key.Actor is null)
        {
            key.Actor = context.ActorOf(props);
            withActor.Add(key);
        }
        key.Actor.Tell(new KeyAdopted(key, order));
        key.Order = null;
        key.IsEngaged = true;
        key.IdleSweeps = 0;
        // More rows of it may stand in the batch at hand.
        key.Waiting = [];
        waiting.Add(key);
    }

    static void Tell(LaneKey key)
    {
        if (key.Waiting!.Count > 0) key.Actor!.Tell(new KeyRows(key.Waiting));
        key.Waiting = null;
    }

    /// <summary>The actor of a key offers a change set.</summary>
    public void Offered(KeyOffer offer)
    {
        offersAwaited--;
        offer.Key.Offered = offer.Rows[^1];
        rounds.Offered(offer.Rows);
    }

    /// <summary>A flight has begun.</summary>
    /// <param name="through">Number of its last row.</param>
    /// <param name="count">How many batches it is made of.</param>
    public void Flown(long through, int count)
    {
        foreach (var inFlight in perBatch)
        {
            if (count-- == 0) return;
            foreach (var key in inFlight) key.Flight = through;
        }
    }

    /// <summary>A flight came home; what waited for it and is not with an actor is offered.</summary>
    /// <param name="through">Number of its last row.</param>
    /// <param name="count">How many batches it was made of.</param>
    public void Home(long through, int count)
    {
        home = through;
        KeyHome? message = null;
        while (count-- > 0)
        {
            foreach (var key in perBatch.Dequeue())
            {
                if (key.Home == through) continue;
                key.Home = through;
                if (key.IsEngaged)
                {
                    key.Actor!.Tell(message ??= new KeyHome(through));
                    if (key.Offered <= through && key.Last > through) offersAwaited++;
                    key.IsEngaged = key.Last > through;
                }
                else if (key.Order is { } order) Home(key, order, through);
                if (key.Last <= through) Ended(key);
            }
        }
    }

    void Home(LaneKey key, KeyOrder order, long through)
    {
        if (!order.Home(through)) return;
        if (order.Offer() is { } rows)
        {
            key.Offered = rows[^1];
            rounds.Offered(rows);
            return;
        }
        key.Order = null;
        if (spare.Count < mostSpare) spare.Push(order);
    }

    void Ended(LaneKey key)
    {
        UnderWay--;
        if (key.Actor is null) keys.Remove(key.Name);
    }

    /// <summary>Stops the actors that had nothing to do since long: they hold nothing, because all that they were told of is home.</summary>
    public void Sweep()
    {
        for (int i = withActor.Count - 1; i >= 0; i--)
        {
            var key = withActor[i];
            if (key.IsEngaged || ++key.IdleSweeps < idleSweeps) continue;
            context.Stop(key.Actor!);
            key.Actor = null;
            if (key.Last <= home) keys.Remove(key.Name);
            withActor[i] = withActor[^1];
            withActor.RemoveAt(withActor.Count - 1);
        }
        if (keys.Count > 0) return;
        spare.Clear();
        keys.TrimExcess();
    }

    /// <summary>The takeover has ended, and nothing of it counts any more.</summary>
    public void End()
    {
        foreach (var key in withActor) context.Stop(key.Actor!);
        withActor.Clear();
        keys.Clear();
    }
}
