using System.Globalization;
using Sync.Contracts;
using Sync.Contracts.Cluster;
using Sync.Contracts.Rows;
using Sync.Engine.DeadLetters;
using Sync.Engine.Lanes;

namespace Sync.Engine.Tests.Simulation.Lanes;

/// <summary>A takeover of a lane by a node, around the real receiver, rounds and keys.</summary>
sealed class SimulatedLane(LaneWorld world, LaneNode node, int lane)
{
    static readonly LaneFlightLimits limits = new(6, 150);
    static readonly TimeSpan answerPause = TimeSpan.FromMilliseconds(50);

    readonly KeyOrder[] keys = [.. Enumerable.Range(0, Scenario.Keys).Select(_ => new KeyOrder())];
    readonly LaneRounds rounds = new(limits);
    LaneReceiver? receiver;
    (long Claim, Position Position)? taken;
    Position? positionBefore;
    Position lastPosition;
    bool hasGivenUp;

    public int Lane => lane;
    public long Claim { get; private set; }
    public ParkedKeys Parked { get; } = new();
    public bool IsDraining { get; private set; }

    /// <summary>Whether its actor has ended; a flight of it may still be with the writer.</summary>
    public bool HasEnded { get; private set; }

    public bool IsTaking => receiver is null;

    /// <summary>The script that takes the lane runs, then its answer comes.</summary>
    public void StepTaking()
    {
        if (world.Mutation == LaneMutation.PositionBeforeFence && positionBefore is null)
        {
            positionBefore = world.Redis.Positions[lane];
            return;
        }
        if (taken is not { } known)
        {
            known = world.Redis.Take(lane, node.Incarnation);
            taken = (known.Claim, positionBefore ?? known.Position);
            world.Trace($"{this} takes the lane with claim {known.Claim} at {SimulatedRedis.Name(known.Position)}");
            return;
        }
        Claim = known.Claim;
        if (world.Mutation != LaneMutation.ForgetsParkedKeys)
            foreach (int key in world.Redis.Parked.Values.Distinct()) Parked.Add(Scenario.NameOf(key));
        Parked.Keep();
        receiver = new LaneReceiver(lane, Claim, world.Mutation == LaneMutation.KeepsCoveredRows ? Position.None : known.Position, world.Credit, answerPause);
    }

    public void Receive(LaneBatch batch)
    {
        if (receiver is null || IsDraining || HasEnded) return;
        receiver.Credit = world.Credit;
        var message = Spoil(batch, receiver);
        var receipt = receiver.Receive(message, world.Now);
        world.Trace($"{this} gets {batch.Epoch}/{batch.Seq} (oldest {batch.OldestUnacked}): {receipt.Verdict}, leaves out {receipt.Skip}");
        if (receipt.Verdict == LaneVerdict.Taken) Take(message, receipt.Skip);
        if (world.Mutation == LaneMutation.AcknowledgesBeforeApplied) world.Answer(receiver.Ack() with { Seq = receiver.Expected - 1 });
        else if (receipt.Answer is { } answer) world.Answer(answer);
    }

    /// <summary>What a lane with a mistake takes a message for.</summary>
    LaneBatch Spoil(LaneBatch batch, LaneReceiver by) => world.Mutation switch
    {
        LaneMutation.TakesBehindAGap when batch.Epoch == by.Epoch && batch.Seq > by.Expected => batch with { OldestUnacked = batch.Seq },
        LaneMutation.TakesOldEpochs when batch.Epoch < by.Epoch => batch with { Epoch = by.Epoch },
        LaneMutation.BeginsAnywhere when by.Expected == 0 || batch.Epoch > by.Epoch => batch with { OldestUnacked = batch.Seq },
        LaneMutation.WaitsForAcknowledged when batch.Epoch == by.Epoch && by.Expected > 0 => batch with { OldestUnacked = Math.Min(batch.OldestUnacked, by.Expected) },
        _ => batch,
    };

    void Take(LaneBatch message, int skip)
    {
        if (world.Mutation == LaneMutation.ForgetsRowsUnderWay) skip = message.Rows.CountThrough(receiver!.Position);
        if (skip == message.Rows.Count) return;
        var batch = world.Rent();
        batch.AddRows(1, world.Mutation == LaneMutation.ComparesAmongChanges ? AsChanges(message.Rows) : message.Rows, skip);
        long row = rounds.Add(batch);
        lastPosition = batch.Last;
        foreach (ref readonly var entry in batch.Entries) keys[batch.Key(entry)[1] - '0'].Add(row++);
        // A lane may hold what two readers sent, but each row once.
        if (rounds.Bytes > (2 * Math.Max(world.Scenario.Credit, 60)) + 200) world.Redis.Fail($"{this} holds {rounds.Bytes} bytes");
    }

    static LaneRows AsChanges(LaneRows rows) => rows with { Rows = rows.Rows.ToArray().Select(row => row with { Kind = ChangeKind.Update }).ToArray() };

    /// <summary>Whether a key has something to offer.</summary>
    public bool CanOffer => !HasEnded && Array.Exists(keys, key => key.CanOffer);

    public void Offer()
    {
        int from = world.Random.Next(keys.Length);
        for (int i = 0; i < keys.Length; i++)
            if (keys[(from + i) % keys.Length] is { CanOffer: true } key)
            {
                rounds.Offered(key.Offer()!);
                break;
            }
        if (rounds.Begin() is { } flight) node.WriterOf(lane).Queue(this, Spoil(flight));
    }

    LaneFlight Spoil(LaneFlight flight) => world.Mutation switch
    {
        LaneMutation.PositionAheadOfFlight => flight with { Reached = lastPosition },
        LaneMutation.FlightWithGaps when flight.Batches.Count > 1 => flight with { Batches = [.. flight.Batches.Skip(1)] },
        _ => flight,
    };

    public LaneFlight Again() => Spoil(rounds.Again());

    /// <summary>The writer says that Redis has the flight.</summary>
    public void Home()
    {
        if (HasEnded) return;
        var flight = rounds.Home();
        foreach (var key in keys) key.Home(flight.Through);
        if (receiver!.Home(flight.Through, flight.Reached) is { } ack) world.Answer(ack);
        if (rounds.Begin() is { } next) node.WriterOf(lane).Queue(this, Spoil(next));
    }

    /// <summary>It moves elsewhere.</summary>
    public void Drain()
    {
        if (receiver is null) End("stops before it has the lane");
        else IsDraining = true;
    }

    public bool CanGiveUp => !HasEnded && IsDraining && (rounds.IsIdle || (world.Mutation == LaneMutation.GivesUpUnderWay && !CanOffer));

    /// <summary>Gives the lane up, then ends. Both are steps of their own.</summary>
    public void GiveUp()
    {
        if (!hasGivenUp)
        {
            world.Redis.GiveUp(lane, node.Incarnation, Claim);
            hasGivenUp = true;
            return;
        }
        world.Answer(receiver!.Drained());
        End("has given the lane up");
    }

    public void End(string why)
    {
        if (HasEnded) return;
        world.Trace($"{this} {why}");
        HasEnded = true;
        node.Lanes.Remove(this);
    }

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"lane {lane} of node {node.Incarnation}{(Claim == 0 ? "" : $" (claim {Claim})")}");
}
