using Akka.Actor;
using Sync.Engine.Batching;
using Sync.Engine.DeadLetters;
using Sync.Engine.Lanes;

namespace Sync.Actors.Lanes;

/// <summary>
/// The ordering keys of a lane that have rows under way. A row of a key that has none under way is offered at once; one that comes while others are goes
/// to the key's <see cref="KeyActor"/>, which offers it when they are home. So a key that changes now and then costs no actor (ADR 14).
/// <para>Rows of one batch fly together, so what is offered at once is home with its batch.</para>
/// Belongs to one takeover of a lane and is used by its actor alone.
/// </summary>
/// <param name="context">Of the lane, whose children the keys are.</param>
/// <param name="rounds">Told of what is offered at once.</param>
/// <param name="idleSweeps">Sweeps without anything to do after which an actor is stopped, 1 or more.</param>
sealed class LaneKeys(IActorContext context, LaneRounds rounds, int idleSweeps)
{
    static readonly Props props = Props.Create<KeyActor>();

    readonly Dictionary<byte[], LaneKey> keys = new(KeyBytesComparer.Instance);
    readonly Queue<LaneKey[]> perBatch = new();
    readonly List<LaneKey> inBatch = [], waiting = [], withActor = [];
    readonly List<long> atOnce = [];
    long home, batches;

    /// <summary>Keys with rows that are not home.</summary>
    public int UnderWay { get; private set; }

    /// <summary>Keys that have an actor.</summary>
    public int Actors => withActor.Count;

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
        foreach (var key in waiting) HandOver(key);
        waiting.Clear();
        perBatch.Enqueue([.. inBatch]);
        inBatch.Clear();
    }

    void Add(LaneKey key, long row)
    {
        if (key.Batch != batches)
        {
            key.Batch = batches;
            inBatch.Add(key);
            if (key.Last > home)
            {
                key.Waiting = [];
                waiting.Add(key);
            }
            else UnderWay++;
        }
        if (key.Waiting is null)
        {
            atOnce.Add(row);
            key.Last = row;
        }
        else key.Waiting.Add(row);
    }

    void HandOver(LaneKey key)
    {
        var rows = key.Waiting!;
        if (key.Actor is null)
        {
            key.Actor = context.ActorOf(props);
            withActor.Add(key);
        }
        key.Actor.Tell(new KeyRows(key, key.IsEngaged ? 0 : key.Last, rows));
        key.IsEngaged = true;
        key.IdleSweeps = 0;
        key.Last = rows[^1];
        key.Waiting = null;
    }

    /// <summary>A flight came home.</summary>
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
                bool isHome = key.Last <= through;
                if (isHome) UnderWay--;
                if (key.IsEngaged)
                {
                    key.Actor!.Tell(message ??= new KeyHome(through));
                    key.IsEngaged = !isHome;
                }
                else if (isHome && key.Actor is null) keys.Remove(key.Name);
            }
        }
    }

    /// <summary>Stops the actors that had nothing to do since long: they hold nothing, because all that they were told of is home.</summary>
    public void Sweep()
    {
        for (int i = withActor.Count - 1; i >= 0; i--)
        {
            var key = withActor[i];
            if (key.IsEngaged) continue;
            if (++key.IdleSweeps < idleSweeps) continue;
            context.Stop(key.Actor!);
            key.Actor = null;
            if (key.Last <= home) keys.Remove(key.Name);
            withActor[i] = withActor[^1];
            withActor.RemoveAt(withActor.Count - 1);
        }
    }

    /// <summary>The takeover has ended, and nothing of it counts any more.</summary>
    public void End()
    {
        foreach (var key in withActor) context.Stop(key.Actor!);
        withActor.Clear();
        keys.Clear();
    }
}
