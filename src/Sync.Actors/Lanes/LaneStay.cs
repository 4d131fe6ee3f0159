using Akka.Actor;
using Sync.Actors.Ports;
using Sync.Contracts.Cluster;
using Sync.Engine.Batching;
using Sync.Engine.DeadLetters;
using Sync.Engine.Lanes;

namespace Sync.Actors.Lanes;

/// <summary>
/// What a lane has from one takeover to the next: which batches it took, which of their rows are home, what waits for which key. It is dropped as a whole,
/// because the next takeover says what Redis holds of it, and the reader sends the rest again.
/// </summary>
sealed class LaneStay
{
    // Takeover after a crash leaves batches to the garbage collector: a writer may still read them.
    readonly BatchPool pool;
    readonly LaneRounds rounds;
    readonly Queue<long> commitTicks = new();
    readonly int lane;
    readonly Action<int> repeated;

    public LaneStay(int lane, LaneTakeover takeover, LaneContext node, int idleSweeps, IActorContext context)
    {
        (this.lane, pool, repeated) = (lane, node.Pool, node.Repeated);
        var options = node.Options;
        Claim = takeover.Claim;
        rounds = new LaneRounds(options.Flight);
        Receiver = new LaneReceiver(lane, takeover.Claim, takeover.Position, options.Credit, options.AnswerPause, takeover.Epoch);
        // What an earlier reader has sent is not for the Redis that the lane was taken from.
        Receiver.Hello(takeover.Epoch);
        Keys = new LaneKeys(context, rounds, options.KeyActorFrom, idleSweeps);
        foreach (byte[] key in takeover.ParkedKeys) Parked.Add(key);
        Parked.Keep();
    }

    public long Claim { get; }
    public LaneReceiver Receiver { get; }
    public LaneKeys Keys { get; }

    /// <summary>Lent to the writer with each flight; not to be touched while one is under way.</summary>
    public ParkedKeys Parked { get; } = new();

    /// <summary>Keys with dead letters when the last flight came home.</summary>
    public int ParkedCount { get; private set; }

    public bool IsIdle => rounds.IsIdle;
    public bool IsFlying => rounds.UnderWay is not null;
    public long Rows => rounds.Rows;
    public long Bytes => rounds.Bytes;

    /// <summary>Commit time of the oldest row that is not home; 0 when there is none, or it is of a copy.</summary>
    public long OldestCommitTicks => commitTicks.TryPeek(out long ticks) ? ticks : 0;

    /// <param name="message">A batch or a question.</param>
    /// <param name="now">The time.</param>
    /// <param name="answer">What to tell the reader; null for nothing.</param>
    /// <returns>False when the lane has to be taken anew, and the message looked at then.</returns>
    public bool TryReceive(LaneBatch message, DateTimeOffset now, out IClusterMessage? answer)
    {
        var receipt = Receiver.Receive(message, now);
        answer = receipt.Answer;
        if (receipt.Verdict == LaneVerdict.TakeAnew) return false;
        if (receipt.Skip > 0 || receipt.Verdict == LaneVerdict.Duplicate) Count(message);
        if (receipt.Verdict == LaneVerdict.Taken && receipt.Skip < message.Rows.Count)
        {
            var batch = pool.Rent();
            batch.AddRows(rounds.LastRow + 1, message.Rows, receipt.Skip);
            commitTicks.Enqueue(batch.Entries[0].CommitTicks);
            Keys.Add(batch, rounds.Add(batch));
        }
        return true;
    }

    /// <summary>Rows that come again while they are still here cost a message; those that Redis has cost what the lane before has done as well.</summary>
    void Count(LaneBatch message)
    {
        int inRedis = message.Rows.CountThrough(Receiver.Position);
        if (inRedis > 0) repeated(inRedis);
    }

    /// <summary>The next flight; null when there is none, one is under way, or keys have yet to offer.</summary>
    public LaneWork? Begin()
    {
        if (!Keys.HaveOffered || rounds.Begin() is not { } flight) return null;
        Keys.Flown(flight.Through, flight.Batches.Count);
        return new LaneWork(lane, Claim, flight, Parked) { Epoch = Receiver.Epoch };
    }

    /// <summary>The flight under way is home.</summary>
    /// <returns>What to tell the reader; null for nothing.</returns>
    public LaneAck? Home()
    {
        var flight = rounds.Home();
        Keys.Home(flight.Through, flight.Batches.Count);
        foreach (var batch in flight.Batches)
        {
            commitTicks.Dequeue();
            pool.Return(batch);
        }
        CountParked();
        return Receiver.Home(flight.Through, flight.Reached);
    }

    public void Freed(IReadOnlyList<byte[]> keys)
    {
        foreach (byte[] key in keys) Parked.Remove(key);
        CountParked();
    }

    public void CountParked() => ParkedCount = Parked.Count;
}
