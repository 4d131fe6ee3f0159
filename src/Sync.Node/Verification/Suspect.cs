using Sync.Engine.Verification;
using Sync.Postgres.Rows;

namespace Sync.Node.Verification;

/// <summary>Something that looked like drift once, until it is clear what it is.</summary>
/// <param name="rows">The row, or for a place that no row claims all rows that could.</param>
/// <param name="place">What may be too much; null for a row's own keys.</param>
sealed class Suspect(IReadOnlyList<IReadOnlyList<string>> rows, FoundPlace? place)
{
    public IReadOnlyList<IReadOnlyList<string>> Rows => rows;
    public FoundPlace? Place => place;

    /// <summary>The rows that existed when they were read last.</summary>
    public IReadOnlyList<ReadRow> Seen { get; set; } = [];
    public IReadOnlyList<StateDifference> Differences { get; set; } = [];

    /// <summary>Whether the rows were seen to change during a look.</summary>
    public bool HasMoved { get; set; }

    /// <summary>Looks, one behind the other, that found it while the rows stood still.</summary>
    public int Agreed { get; set; }

    public bool HasSame(IReadOnlyList<ReadRow> now) =>
        now.Count == Seen.Count && now.Select(r => r.Version).Order(StringComparer.Ordinal).SequenceEqual(Seen.Select(r => r.Version).Order(StringComparer.Ordinal));
}
