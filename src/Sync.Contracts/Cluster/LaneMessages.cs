namespace Sync.Contracts.Cluster;

/// <summary>
/// Reader to lane: the next rows of the lane, or the question how far it is (<see cref="Question"/>). May be lost, doubled, delayed or overtaken on its way.
/// </summary>
/// <param name="Lane">Which lane, from 0.</param>
/// <param name="Epoch">The reader's start, 1 or more; a later start has a higher one.</param>
/// <param name="Seq">Number of the batch in this lane and epoch, from 1, without gaps. For a question its own number, from 1, below zero.</param>
/// <param name="OldestUnacked">The lowest number not acknowledged when this was sent; at most <paramref name="Seq"/>, but for a question. All before it is in Redis.</param>
/// <param name="Rows">The rows; the same whenever a number is sent again. None for a question.</param>
public sealed record LaneBatch(int Lane, long Epoch, long Seq, long OldestUnacked, LaneRows Rows) : ILaneMessage
{
    /// <summary>
    /// The reader from which on takeovers of lanes count, 0 for all. A lane that was taken when an earlier one was the last to have begun knows positions that do not hold any more: Redis
    /// lost something since, or PostgreSQL left the history they belong to.
    /// </summary>
    public long Since { get; init; }

    /// <summary>Whether it asks only.</summary>
    public bool IsQuestion => Seq < 1;

    /// <summary>Asks how far the lane is.</summary>
    /// <param name="lane">Which lane.</param>
    /// <param name="epoch">The reader's start.</param>
    /// <param name="number">Which question of this lane and epoch, from 1.</param>
    /// <param name="oldestUnacked">The lowest number not acknowledged.</param>
    public static LaneBatch Question(int lane, long epoch, long number, long oldestUnacked) => new(lane, epoch, -number, oldestUnacked, LaneRows.None);
}

/// <summary>Lane to reader: all batches up to one are in Redis, or parked there.</summary>
/// <param name="Lane">Which lane.</param>
/// <param name="Epoch">The reader's start that the numbers belong to.</param>
/// <param name="Claim">Which takeover of the lane says so, 1 or more; a later takeover has a higher one.</param>
/// <param name="Seq">The last batch that is in Redis with all before it; 0 for none.</param>
/// <param name="Expected">The batch the lane waits for; what lies between <paramref name="Seq"/> and this one it holds in memory.</param>
/// <param name="Position">The lane's position in Redis.</param>
/// <param name="Credit">Bytes the reader may have unacknowledged in this lane, 0 or more; one batch it may always have.</param>
/// <param name="Answers">Number of the question that it answers; 0 when it was not asked. What was sent before the question and is not spoken of has not come, or not yet.</param>
public sealed record LaneAck(int Lane, long Epoch, long Claim, long Seq, long Expected, Position Position, long Credit, long Answers = 0) : IClusterMessage;

/// <summary>Lane to reader: something is missing, send again. With an epoch higher than the reader's it says that a later reader has started.</summary>
/// <param name="Lane">Which lane.</param>
/// <param name="Epoch">The highest start of a reader the lane has seen.</param>
/// <param name="Claim">Which takeover of the lane says so.</param>
/// <param name="Expected">The batch the lane waits for.</param>
/// <param name="Credit">Bytes the reader may have unacknowledged in this lane.</param>
public sealed record LaneResume(int Lane, long Epoch, long Claim, long Expected, long Credit) : IClusterMessage;

/// <summary>Reader to all nodes: a reader has started.</summary>
/// <param name="Epoch">Its start, higher than all before.</param>
/// <param name="Node">Where it runs, for people.</param>
public sealed record ReaderHello(long Epoch, string Node) : IClusterMessage;

/// <summary>To a lane that moves elsewhere: bring home what is under way, take nothing more, give the lane up, end.</summary>
/// <param name="Lane">Which lane.</param>
public sealed record LaneDrain(int Lane) : ILaneMessage;

/// <summary>Lane to reader: it has drained and given the lane up, so what is not acknowledged has to be sent to the next owner.</summary>
/// <param name="Lane">Which lane.</param>
/// <param name="Epoch">The reader's start that <paramref name="Seq"/> belongs to; 0 when it saw none.</param>
/// <param name="Claim">Which takeover of the lane has ended.</param>
/// <param name="Seq">The last batch that is in Redis with all before it; 0 for none.</param>
/// <param name="Position">The lane's position in Redis.</param>
public sealed record LaneDrained(int Lane, long Epoch, long Claim, long Seq, Position Position) : IClusterMessage;
