using Sync.Contracts;

namespace Sync.Engine.DeadLetters;

/// <summary>
/// The order in which the dead letters of one key are retried. It is that of parking but for one case: what Redis refused while it ran a flight is parked
/// behind what had been taken out of that flight, though it may stand before it. Positions tell. The rows of a copy have none; they stay where they
/// were parked, and nothing is moved across them.
/// </summary>
public static class ReplayOrder
{
    /// <summary>Sorts the dead letters of one key, given in the order of parking.</summary>
    public static List<T> Of<T>(IReadOnlyList<T> parked, Func<T, Position> positionOf)
    {
        var ordered = new List<T>(parked.Count);
        int begin = 0;
        for (int i = 0; i <= parked.Count; i++)
        {
            if (i < parked.Count && positionOf(parked[i]) != Position.None) continue;
            ordered.AddRange(parked.Take(i).Skip(begin).OrderBy(positionOf));
            if (i < parked.Count) ordered.Add(parked[i]);
            begin = i + 1;
        }
        return ordered;
    }
}
