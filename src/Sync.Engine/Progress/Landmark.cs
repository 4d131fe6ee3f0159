using System.Globalization;
using Sync.Contracts;

namespace Sync.Engine.Progress;

/// <summary>
/// A transaction of the stream, as it can be known again: where it committed, its number, and when. Its text form is <c>0/1A2B3C8 755 638400000000000000</c>.
/// </summary>
/// <param name="Commit">Where its commit record begins.</param>
/// <param name="Transaction">Its number; 0 when only its place is known.</param>
/// <param name="CommitTicks">When it committed, UTC ticks; 0 when only its place is known.</param>
public readonly record struct Landmark(Lsn Commit, uint Transaction, long CommitTicks)
{
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Commit} {Transaction} {CommitTicks}");

    public static bool TryParse(string? text, out Landmark landmark)
    {
        landmark = default;
        string[] words = text?.Split(' ') ?? [];
        if (words.Length != 3 || !Lsn.TryParse(words[0], out var commit)
            || !uint.TryParse(words[1], NumberStyles.None, CultureInfo.InvariantCulture, out uint transaction)
            || !long.TryParse(words[2], NumberStyles.None, CultureInfo.InvariantCulture, out long ticks))
            return false;
        landmark = new Landmark(commit, transaction, ticks);
        return true;
    }

    /// <summary>Whether a transaction of the stream is this one.</summary>
    public bool Is(Landmark seen) => Commit == seen.Commit && (Transaction == 0 || (Transaction == seen.Transaction && CommitTicks == seen.CommitTicks));
}

/// <summary>
/// Looks whether transactions that Redis knows of come again where they have to. PostgreSQL sends all that committed behind the slot's confirmed position, in the order of
/// commits; so when one of these is not there, the log has been written anew from some place before it, though it may be longer by now. Thread-safe.
/// </summary>
public sealed class LandmarkWatch
{
    readonly Lock gate = new();
    readonly Queue<Landmark> expected;
    volatile bool isOpen;

    /// <param name="begin">Where the stream begins: what committed before does not come again.</param>
    /// <param name="landmarks">What Redis knows of.</param>
    public LandmarkWatch(Lsn begin, IEnumerable<Landmark> landmarks)
    {
        expected = new Queue<Landmark>(landmarks.Where(l => l.Commit >= begin && l.Commit != Lsn.None).OrderBy(l => l.Commit));
        isOpen = expected.Count > 0;
    }

    /// <summary>Whether something is still to come.</summary>
    public bool IsOpen => isOpen;

    /// <summary>A transaction begins.</summary>
    /// <returns>What should have come before it, or in its place; null when all is well.</returns>
    public Landmark? Began(Landmark transaction)
    {
        lock (gate)
        {
            while (expected.TryPeek(out var next) && next.Commit <= transaction.Commit)
            {
                if (!next.Is(transaction)) return next;
                expected.Dequeue();
            }
            isOpen = expected.Count > 0;
            return null;
        }
    }

    /// <summary>All that PostgreSQL has sent up to <paramref name="received"/> was looked at.</summary>
    /// <returns>What should have come before that; null when all is well.</returns>
    public Landmark? Passed(Lsn received)
    {
        lock (gate) return expected.TryPeek(out var next) && next.Commit < received ? next : null;
    }
}
