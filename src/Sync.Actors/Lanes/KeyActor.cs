using Akka.Actor;
using Sync.Engine.Lanes;

namespace Sync.Actors.Lanes;

/// <summary>
/// Owns the order of one ordering key of a lane while changes of it come much faster than they reach Redis: at most one change set of the key is offered or
/// in flight, later ones wait here and travel together in the next (<see cref="KeyOrder"/>). It holds numbers of rows; the rows themselves are the lane's.
/// <para>Talks to its lane alone, which creates it when many changes of the key wait, and stops it when it had nothing for a while. The lane knows that
/// without asking: it has counted the rows in, and sees each of them come home.</para>
/// A crash of it loses the order of what waits, so it is a crash of its lane, which begins anew from what Redis holds (ADR 14).
/// </summary>
sealed class KeyActor : UntypedActor
{
    KeyOrder order = new();
    LaneKey? key;

    protected override void OnReceive(object message)
    {
        switch (message)
        {
            case KeyAdopted adopted: (key, order) = (adopted.Key, adopted.Order); break;
            case KeyRows rows: Add(rows.Rows); break;
            case KeyHome home: Home(home.Through); break;
            default: Unhandled(message); break;
        }
    }

    void Add(IReadOnlyList<long> rows)
    {
        for (int i = 0; i < rows.Count; i++) order.Add(rows[i]);
    }

    void Home(long through)
    {
        if (order.Home(through) && order.Offer() is { } rows) Context.Parent.Tell(new KeyOffer(key!, rows));
    }
}
