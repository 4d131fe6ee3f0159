using System.Diagnostics.CodeAnalysis;
using Sync.Contracts.Rows;

namespace Sync.Engine.Mapping;

/// <summary>
/// A key (or a field, or a member) of a mapping, read backwards: from the text in Redis to the values of the columns it was made of. What a
/// type's values look like is used, so that <c>line:{order_id}:{line}</c> of two integers has one reading only; two texts beside each other
/// may have several, and then all of them are given.
/// </summary>
public sealed class KeyTemplate
{
    /// <summary>More readings than this of one key are not looked at: <see cref="IsComplete(int)"/> is false then.</summary>
    public const int MaxReadings = 8;

    /// <summary>Bounds the search in a key with many separators; reached only by keys that were made to reach it.</summary>
    const int MaxSteps = 20_000;

    readonly Relation relation;
    readonly KeyTemplatePart[] parts;

    internal KeyTemplate(string source, Relation relation, KeyTemplatePart[] parts, KeyPattern pattern)
    {
        Source = source;
        Pattern = pattern;
        this.relation = relation;
        this.parts = parts;
        Columns = [.. parts.Where(p => p.Column >= 0).Select(p => p.Column).Distinct()];
        HoldsPrimaryKey = relation.PrimaryKey.Count > 0 && relation.PrimaryKey.All(Columns.Contains);
    }

    /// <summary>As written in the configuration.</summary>
    public string Source { get; }

    /// <summary>What its texts look like, and the glob to look for them.</summary>
    public KeyPattern Pattern { get; }

    /// <summary>Indexes of the columns whose current value stands in it.</summary>
    public IReadOnlyList<int> Columns { get; }

    /// <summary>Whether the whole primary key stands in it, so that a key leads to one row.</summary>
    public bool HoldsPrimaryKey { get; }

    /// <summary>Whether what a search found is all there is: false when it ended at <see cref="MaxReadings"/>.</summary>
    public static bool IsComplete(int readings) => readings < MaxReadings;

    /// <summary>
    /// Gets back the values of <see cref="Columns"/>, by column name, as PostgreSQL's text (booleans spelt out). False when the text was not
    /// made by this template, or when it can be read in more than one way.
    /// </summary>
    public bool TryExtract(string key, [MaybeNullWhen(false)] out IReadOnlyDictionary<string, string> values)
    {
        var readings = Readings(key);
        values = readings.Count == 1 ? readings[0].ToDictionary(v => relation.Columns[v.Key].Name, v => v.Value, StringComparer.Ordinal) : null;
        return values is not null;
    }

    /// <summary>
    /// As <see cref="TryExtract"/>, but the primary key alone, in the order of its index. False also when not all of it stands in the template.
    /// </summary>
    public bool TryExtractPrimaryKey(string key, [MaybeNullWhen(false)] out string[] primaryKey)
    {
        primaryKey = null;
        if (!HoldsPrimaryKey) return false;
        foreach (var reading in Readings(key))
        {
            string[] found = [.. relation.PrimaryKey.Select(column => reading[column])];
            if (primaryKey is not null && !primaryKey.AsSpan().SequenceEqual(found))
            {
                primaryKey = null;
                return false;
            }
            primaryKey = found;
        }
        return primaryKey is not null;
    }

    /// <summary>
    /// All ways to read a text, each as values by column index; none when the template did not make it, at most <see cref="MaxReadings"/>.
    /// </summary>
    public IReadOnlyList<IReadOnlyDictionary<int, string>> Readings(string key)
    {
        var search = new Search(parts, key);
        search.From(0, 0);
        return search.Found;
    }

    /// <summary>Depth first; a column that stands twice must have the same value at both places.</summary>
    sealed class Search(KeyTemplatePart[] parts, string key)
    {
        readonly Dictionary<int, string> values = [];
        int steps;

        public List<IReadOnlyDictionary<int, string>> Found { get; } = [];

        bool IsOver => Found.Count >= MaxReadings;

        public void From(int part, int at)
        {
            if (IsOver) return;
            if (part == parts.Length)
            {
                if (at == key.Length && !Found.Exists(f => f.All(v => values[v.Key] == v.Value))) Found.Add(new Dictionary<int, string>(values));
                return;
            }
            if (parts[part].Literal is { } literal)
            {
                if (string.CompareOrdinal(key, at, literal, 0, literal.Length) == 0) From(part + 1, at + literal.Length);
                return;
            }
            string? next = part + 1 < parts.Length ? parts[part + 1].Literal : null;
            if (part + 1 == parts.Length) Take(part, at, key.Length);
            else if (next is null) for (int end = at; end <= key.Length && !IsOver; end++) Take(part, at, end);
            else
                for (int end = Find(next, at); end >= 0 && !IsOver; end = Find(next, end + 1)) Take(part, at, end);
        }

        int Find(string literal, int from) => from <= key.Length ? key.IndexOf(literal, from, StringComparison.Ordinal) : -1;

        void Take(int part, int from, int to)
        {
            if (++steps > MaxSteps)
            {
                // Undecided is the same as ambiguous: nobody may act on a reading that might not be the only one.
                while (!IsOver) Found.Add(new Dictionary<int, string>(values));
                return;
            }
            int column = parts[part].Column;
            if (column < 0)
            {
                From(part + 1, to);
                return;
            }
            if ((parts[part].IsEscaped ? CompositeKey.Unescape(key.AsSpan(from, to - from)) : key[from..to]) is not { } value) return;
            if (values.TryGetValue(column, out string? before))
            {
                if (before == value) From(part + 1, to);
            }
            else if (parts[part].Fits(value))
            {
                values.Add(column, value);
                From(part + 1, to);
                values.Remove(column);
            }
        }
    }
}
