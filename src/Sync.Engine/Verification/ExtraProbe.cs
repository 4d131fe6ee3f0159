using Sync.Engine.Mapping;

namespace Sync.Engine.Verification;

/// <summary>Where something may stand that no row put there.</summary>
public enum PlaceKind { Key, HashField, SetMember, SortedSetMember }

/// <summary>
/// How to find what is too much: scan the keys of <paramref name="Key"/> (and their parts), read the row's key back from their texts, and
/// ask PostgreSQL for that row.
/// </summary>
/// <param name="Kind">What is looked at.</param>
/// <param name="Key">Template of the keys.</param>
/// <param name="Part">Template of field or member; null for the key itself.</param>
/// <param name="PrimaryKey">The table's, as column indexes.</param>
public sealed record ExtraProbe(PlaceKind Kind, KeyTemplate Key, KeyTemplate? Part, IReadOnlyList<int> PrimaryKey)
{
    /// <summary>
    /// The rows that can have put it there, each as its primary key in PostgreSQL's text. Empty when the mapping makes no such text; null when there
    /// are too many readings to try.
    /// </summary>
    public IReadOnlyList<string[]>? Rows(string key, string? part)
    {
        var keys = Key.Readings(key);
        var parts = Part is null ? [new Dictionary<int, string>()] : Part.Readings(part!);
        if (!KeyTemplate.IsComplete(keys.Count) || !KeyTemplate.IsComplete(parts.Count)) return null;
        var rows = new List<string[]>();
        foreach (var inKey in keys)
            foreach (var inPart in parts)
            {
                if (inPart.Any(v => inKey.TryGetValue(v.Key, out string? other) && other != v.Value)) continue;
                string[] row = [.. PrimaryKey.Select(column => inKey.GetValueOrDefault(column) ?? inPart[column])];
                if (!rows.Exists(r => r.AsSpan().SequenceEqual(row))) rows.Add(row);
            }
        return rows;
    }
}
