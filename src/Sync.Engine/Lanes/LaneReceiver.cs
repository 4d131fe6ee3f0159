using Sync.Contracts;
using Sync.Contracts.Cluster;

namespace Sync.Engine.Lanes;

/// <summary>What a lane does with a batch that came.</summary>
public enum LaneVerdict
{
    /// <summary>It is the next one: its rows from <see cref="LaneReceipt.Skip"/> on are to be written.</summary>
    Taken,
    /// <summary>It was here already, or all before it is in Redis; or it only asks.</summary>
    Duplicate,
    /// <summary>One before it is missing.</summary>
    Gap,
    /// <summary>It is of a reader that was replaced.</summary>
    Outdated,
    /// <summary>The reader counts on takeovers since a start that this one is older than: the lane has to be taken anew, and the batch is looked at then.</summary>
    TakeAnew,
}

/// <param name="Verdict">What to do with the batch.</param>
/// <param name="Skip">For a batch that was taken: rows at its begin that are in Redis or in memory already; all of them as a rule or none.</param>
/// <param name="Answer">What to tell the sender now, a <see cref="LaneAck"/> or <see cref="LaneResume"/>; null for nothing.</param>
public readonly record struct LaneReceipt(LaneVerdict Verdict, int Skip, IClusterMessage? Answer);

/// <summary>
/// The lane's side: tells which batches are to be taken, and when the reader may forget one. One for each takeover of the lane; it begins when
/// the takeover has told the lane's position in Redis. Belongs to the lane alone. How it is used: <see cref="Receive"/> for each batch, its rows go
/// into <see cref="LaneRounds"/>, and <see cref="Home"/> when a flight came home. The rules it keeps:
/// <list type="number">
/// <item>A batch of an epoch lower than the highest seen is dropped. A higher one is begun: nothing of it was here yet.</item>
/// <item>All before a batch's oldest unacknowledged one is in Redis, so nothing before that is waited for. This is also how a lane that has just
/// been taken over, or that an older owner overtook, finds the place to begin at.</item>
/// <item>Only the batch that is waited for is taken.</item>
/// <item>Rows that stand at or before the last one taken, in this epoch or an earlier one, or at or before the position of the takeover, are left
/// out: they are in Redis or on their way.</item>
/// <item>A batch is acknowledged when all rows taken until then, by itself and before it, are home.</item>
/// <item>A batch that counts on later takeovers than this one is not looked at: the position that this one read does not hold any more.</item>
/// <item>A question of the present reader is always answered, whatever was said just before.</item>
/// </list>
/// </summary>
/// <param name="lane">Which lane, from 0.</param>
/// <param name="claim">The number of the takeover.</param>
/// <param name="position">The lane's position in Redis, as the takeover read it.</param>
/// <param name="credit">Bytes the reader may have unacknowledged.</param>
/// <param name="answerPause">The reader is not told of the same gap or duplicate twice within this time, 0 or more.</param>
/// <param name="takenUnder">The reader that had begun last when the lane was taken; 0 for none.</param>
public sealed class LaneReceiver(int lane, long claim, Position position, long credit, TimeSpan answerPause, long takenUnder = 0)
{
    readonly Queue<(long Seq, long Row)> unacked = new();
    readonly long takenUnder = takenUnder;
    Position taken = position;
    long acked, takenRows, homeRows;
    DateTimeOffset asksAt, answersAt, warnsAt;

    /// <summary>The highest epoch seen; 0 for none.</summary>
    public long Epoch { get; private set; }

    /// <summary>The batch that is waited for; 0 while none is.</summary>
    public long Expected { get; private set; }

    /// <summary>The lane's position in Redis.</summary>
    public Position Position { get; private set; } = position;

    /// <summary>What the reader is told that it may have unacknowledged, in bytes, from the next answer on.</summary>
    public long Credit { get; set; } = credit;

    /// <summary>Whether all rows that were taken are home.</summary>
    public bool IsSettled => homeRows == takenRows;

    /// <summary>A reader has announced itself.</summary>
    public void Hello(long epoch)
    {
        if (epoch <= Epoch) return;
        Epoch = epoch;
        Expected = 0;
        acked = 0;
        unacked.Clear();
        asksAt = answersAt = default;
    }

    /// <summary>A batch or a question came.</summary>
    public LaneReceipt Receive(LaneBatch batch, DateTimeOffset now)
    {
        if (batch.Epoch < Epoch) return new LaneReceipt(LaneVerdict.Outdated, 0, MayAnswer(ref warnsAt, now) ? Resume() : null);
        if (batch.Since > takenUnder) return new LaneReceipt(LaneVerdict.TakeAnew, 0, null);
        Hello(batch.Epoch);
        Expected = Math.Max(Expected, batch.OldestUnacked);
        acked = Math.Max(acked, batch.OldestUnacked - 1);
        if (batch.IsQuestion) return new LaneReceipt(LaneVerdict.Duplicate, 0, Ack() with { Answers = -batch.Seq });
        if (batch.Seq < Expected) return new LaneReceipt(LaneVerdict.Duplicate, 0, MayAnswer(ref answersAt, now) ? Ack() : null);
        if (batch.Seq > Expected) return new LaneReceipt(LaneVerdict.Gap, 0, MayAnswer(ref asksAt, now) ? Resume() : null);
        return Take(batch.Seq, batch.Rows);
    }

    /// <summary>A flight came home.</summary>
    /// <param name="through">How many rows are home, of all that were ever taken (<see cref="LaneFlight.Through"/>).</param>
    /// <param name="reached">The position that Redis recorded; <see cref="Position.None"/> when it recorded none.</param>
    /// <returns>What to tell the reader; null when no batch of its epoch came home with it.</returns>
    public LaneAck? Home(long through, Position reached)
    {
        homeRows = through;
        if (reached > Position) Position = reached;
        return AckHome() ? Ack() : null;
    }

    /// <summary>What the reader is told of the state of things.</summary>
    public LaneAck Ack() => new(lane, Epoch, claim, acked, Expected, Position, Credit);

    /// <summary>What the reader is told when the lane was given up.</summary>
    public LaneDrained Drained() => new(lane, Epoch, claim, acked, Position);

    LaneReceipt Take(long seq, LaneRows rows)
    {
        int skip = rows.CountThrough(taken);
        if (skip < rows.Count)
        {
            takenRows += rows.Count - skip;
            var last = rows.Rows.Span[^1].Position;
            if (last > taken) taken = last;
        }
        Expected = seq + 1;
        asksAt = answersAt = default;
        unacked.Enqueue((seq, takenRows));
        return new LaneReceipt(LaneVerdict.Taken, skip, AckHome() ? Ack() : null);
    }

    bool AckHome()
    {
        long before = acked;
        while (unacked.TryPeek(out var first) && first.Row <= homeRows) acked = Math.Max(acked, unacked.Dequeue().Seq);
        return acked > before;
    }

    LaneResume Resume() => new(lane, Epoch, claim, Expected, Credit);

    bool MayAnswer(ref DateTimeOffset at, DateTimeOffset now)
    {
        if (now < at) return false;
        at = now + answerPause;
        return true;
    }
}
