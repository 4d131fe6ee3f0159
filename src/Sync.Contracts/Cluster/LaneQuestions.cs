namespace Sync.Contracts.Cluster;

/// <summary>Asks a lane how it is.</summary>
/// <param name="Lane">Which lane.</param>
/// <param name="Request">Comes back with the answer.</param>
public sealed record LaneStatusRequest(int Lane, string Request) : ILaneMessage;

/// <summary>How a lane is.</summary>
/// <param name="Lane">Which lane.</param>
/// <param name="Request">That of the question; empty when nobody asked.</param>
/// <param name="Node">Where it runs.</param>
/// <param name="Epoch">The highest start of a reader it has seen; 0 for none.</param>
/// <param name="Claim">Which takeover it is.</param>
/// <param name="LagTicks">Age of the oldest row that waits, in ticks of 100 ns; 0 when none does.</param>
/// <param name="RowsWaiting">Rows not in Redis yet.</param>
/// <param name="BytesWaiting">Bytes of these rows.</param>
/// <param name="KeysUnderWay">Ordering keys that have such rows.</param>
/// <param name="CircuitOpen">Whether Redis refuses for longer than the retry policy thinks normal.</param>
/// <param name="ParkedKeys">Ordering keys that have dead letters.</param>
/// <param name="Position">The last row that is home; <see cref="Position.None"/> when there is none.</param>
public sealed record LaneStatus(
    int Lane, string Request, string Node, long Epoch, long Claim, long LagTicks, long RowsWaiting, long BytesWaiting, int KeysUnderWay,
    bool CircuitOpen, int ParkedKeys, Position Position = default) : IClusterMessage;

/// <summary>Has a lane apply the dead letters of a key again, in order, and release the key when none is left.</summary>
/// <param name="Lane">The key's lane.</param>
/// <param name="Request">Comes back with the answer.</param>
/// <param name="Key">The ordering key.</param>
/// <param name="Force">Whether letters go as well that a later change has overtaken.</param>
public sealed record DeadLetterRetry(int Lane, string Request, ReadOnlyMemory<byte> Key, bool Force) : ILaneMessage;

/// <summary>Has a lane drop dead letters of a key for good, and release the key when none is left.</summary>
/// <param name="Lane">The key's lane.</param>
/// <param name="Request">Comes back with the answer.</param>
/// <param name="Key">The ordering key.</param>
/// <param name="Ids">Which letters; empty means all of the key.</param>
public sealed record DeadLetterDrop(int Lane, string Request, ReadOnlyMemory<byte> Key, IReadOnlyList<string> Ids) : ILaneMessage;

/// <summary>What became of a retry or drop. Numbers are on the wire; never renumber.</summary>
public enum DeadLetterOutcome
{
    /// <summary>All that was asked for is done.</summary>
    Done = 0,
    /// <summary>A letter was refused again; those before it are applied.</summary>
    Refused = 1,
    /// <summary>A letter was overtaken by a later change, so it goes only by force.</summary>
    Overtaken = 2,
    /// <summary>The lane is on its way to another node: ask again.</summary>
    Moving = 3,
}

/// <summary>Answers <see cref="DeadLetterRetry"/> and <see cref="DeadLetterDrop"/>.</summary>
/// <param name="Lane">Which lane.</param>
/// <param name="Request">That of the question.</param>
/// <param name="Outcome">What became of it.</param>
/// <param name="Handled">Letters applied or dropped, 0 or more.</param>
/// <param name="Left">Letters of the key that stay, 0 or more.</param>
/// <param name="Error">Why it stopped; empty when it did not.</param>
public sealed record DeadLetterAnswer(int Lane, string Request, DeadLetterOutcome Outcome, int Handled, int Left, string Error) : IClusterMessage;
