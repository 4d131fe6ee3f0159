using Akka.Actor;
using Sync.Engine.Lanes;

namespace Sync.Actors.Lanes;

/// <summary>What a lane knows of one ordering key that has rows under way, or had some a short while ago. Belongs to the lane; to its actor it is but a name.</summary>
sealed class LaneKey(LaneKeys owner, byte[] name)
{
    /// <summary>The takeover it belongs to.</summary>
    public LaneKeys Owner => owner;

    /// <summary>The ordering key.</summary>
    public byte[] Name => name;

    /// <summary>Its actor; null while none was needed.</summary>
    public IActorRef? Actor { get; set; }

    /// <summary>The order of its rows while they wait here; null while none waits, or the actor has it.</summary>
    public KeyOrder? Order { get; set; }

    /// <summary>Whether its actor has rows that are not home; if not, it has none at all.</summary>
    public bool IsEngaged { get; set; }

    /// <summary>Number of its last row.</summary>
    public long Last { get; set; }

    /// <summary>Number of its last row that was offered.</summary>
    public long Offered { get; set; }

    /// <summary>How far the last flight goes that has rows of it.</summary>
    public long Flight { get; set; }

    /// <summary>How far the last flight went that brought rows of it home.</summary>
    public long Home { get; set; }

    /// <summary>The batch that its rows were last seen in, counted from 1.</summary>
    public long Batch { get; set; }

    /// <summary>Rows of the batch at hand that its actor has to be told of; null for none.</summary>
    public List<long>? Waiting { get; set; }

    /// <summary>Sweeps of the lane that its actor had nothing to do.</summary>
    public int IdleSweeps { get; set; }
}

/// <summary>Lane to key, when the actor has nothing: many rows of the key wait, so their order is the actor's from now on.</summary>
/// <param name="Key">Which key.</param>
/// <param name="Order">What is under way and what waits; not the lane's any more.</param>
sealed record KeyAdopted(LaneKey Key, KeyOrder Order);

/// <summary>Lane to key: more rows of the key came.</summary>
/// <param name="Rows">Their numbers, ascending.</param>
sealed record KeyRows(IReadOnlyList<long> Rows);

/// <summary>Lane to key: a flight with rows of the key came home.</summary>
/// <param name="Through">The last row of the lane that is home.</param>
sealed record KeyHome(long Through);

/// <summary>Key to lane: a change set for the next flight.</summary>
/// <param name="Key">Which key.</param>
/// <param name="Rows">Numbers of its rows, ascending; valid until they are home.</param>
sealed record KeyOffer(LaneKey Key, IReadOnlyList<long> Rows);
