using Sync.Contracts;
using Sync.Contracts.Rows;

namespace Sync.Engine.DeadLetters;

/// <summary>What is known of the commands of a dead letter that are too large to be kept in Redis.</summary>
/// <param name="Row">The row's primary key, <c>id = 7</c>; empty when the table has none.</param>
/// <param name="Commands">Names of the commands, in order, parted by blanks.</param>
/// <param name="Bytes">Size of the commands.</param>
/// <param name="Setting">The setting of Redis that does not allow it.</param>
/// <param name="LimitBytes">Its value, or what was learned of it.</param>
public sealed record DeadLetterReference(string Row, string Commands, long Bytes, string Setting, long LimitBytes);

/// <summary>
/// A change set that was parked: Redis refused it for a reason that does not pass by itself, or it follows such a one of the
/// same key and must not overtake it.
/// </summary>
public sealed record DeadLetter
{
    /// <summary>Id in the store; null before it was parked. Ids sort in the order of parking.</summary>
    public string? Id { get; init; }

    /// <summary>Where the change stands; <see cref="Position.None"/> for snapshot rows.</summary>
    public required Position Position { get; init; }

    /// <summary>Schema and table joined by a dot.</summary>
    public required string Table { get; init; }

    public required ChangeKind Kind { get; init; }

    /// <summary>The ordering key.</summary>
    public required ReadOnlyMemory<byte> Key { get; init; }

    /// <summary>
    /// The commands that are still to run, in RESP. Commands of the change set that did run must be left out
    /// (<see cref="CommandReader.Pick"/>), so that a retry doesn't run them twice.
    /// </summary>
    public required ReadOnlyMemory<byte> Commands { get; init; }

    /// <summary>What stands for the commands when Redis can't take them; null when they are kept. Then <see cref="Commands"/> is empty.</summary>
    public DeadLetterReference? Reference { get; init; }

    /// <summary>The row's primary key, as people read it; known of rows with large commands only, and not kept in the store.</summary>
    public string? Identity { get; init; }

    /// <summary>Why it is here, without values.</summary>
    public required string Error { get; init; }

    /// <summary>When it was parked, or retried last.</summary>
    public required DateTimeOffset At { get; init; }

    /// <summary>When it was parked; null before the store has told.</summary>
    public DateTimeOffset? ParkedAt { get; init; }

    /// <summary>
    /// Whether a later change was applied to a key that this one did not reach: it replaced the key in the same flight, and with it the cause. Applied now,
    /// the older state would stand over the newer one.
    /// </summary>
    public bool IsOvertaken { get; init; }

    /// <summary>How often it was tried, 0 or more; 0 when it only waits behind another one of its key.</summary>
    public int Attempts { get; init; } = 1;
}
