using Sync.Contracts.Schema;

namespace Sync.Engine.Schema;

/// <summary>What a difference between two shapes of a table calls for, from the least to the most.</summary>
public enum ShapeEffect
{
    /// <summary>Values in Redis may be outdated: rows are to be read again.</summary>
    Reread,
    /// <summary>Changes of rows were missed: besides, what is counted is to be counted again.</summary>
    Gap,
    /// <summary>The publication has to be settled, or the stream begun anew, before rows are read again.</summary>
    Reconnect,
    /// <summary>It is another table, or none: nothing that Redis holds of it can be relied on.</summary>
    Replace,
}

/// <param name="Effect">What it calls for.</param>
/// <param name="Text">What is different, as the end of a sentence that begins with the table's name.</param>
public sealed record ShapeDifference(ShapeEffect Effect, string Text);

/// <summary>
/// Finds what happened to a table, or to its place in the publication, that the stream does not tell or tells too late. Pure. The rules for what
/// rewrites a table are those of
/// PostgreSQL docs, ALTER TABLE, "Notes"; those for what a publication sends, CREATE PUBLICATION.
/// </summary>
public static class ShapeDifferences
{
    /// <summary>Everything that may have made Redis' content wrong; empty when nothing did.</summary>
    /// <param name="before">The shape that Redis was filled with.</param>
    /// <param name="now">The shape that the catalog shows; null when there is no such table.</param>
    public static IReadOnlyList<ShapeDifference> Find(TableShape before, TableShape? now)
    {
        if (now is null) return [new(ShapeEffect.Replace, "does not exist any more under this name")];
        if (now.Oid != before.Oid) return [new(ShapeEffect.Replace, "is another table of this name now (dropped and made again, or exchanged)")];
        var found = new List<ShapeDifference>();
        if (now.Member == 0) found.Add(Reconnect("was taken out of the publication"));
        else if (now.Member != before.Member && before.Member != 0) found.Add(Gap("was out of the publication for a time"));
        AddOperations(before, now, found);
        AddColumns(before, now, found);
        if (!now.Key.SequenceEqual(before.Key))
            found.Add(Reread($"has the primary key ({string.Join(", ", now.Key)}) instead of ({string.Join(", ", before.Key)})"));
        if (now.Filter != before.Filter) found.Add(Gap($"is published {Filter(now.Filter)}, not any more {Filter(before.Filter)}"));
        AddPublished(before, now, found);
        AddLeaves(before, now, found);
        return found;
    }

    static ShapeDifference Reread(string text) => new(ShapeEffect.Reread, text);

    static ShapeDifference Gap(string text) => new(ShapeEffect.Gap, text);

    static ShapeDifference Reconnect(string text) => new(ShapeEffect.Reconnect, text);

    static string Filter(string? filter) => filter is null ? "with all rows" : $"with the row filter {filter}";

    static void AddOperations(TableShape before, TableShape now, List<ShapeDifference> found)
    {
        string[] fewer = [.. before.Operations.Except(now.Operations)];
        if (fewer.Length > 0) found.Add(Reconnect($"is published without {string.Join(", ", fewer)}"));
        else if (now.Settings != before.Settings && before.Settings.Length > 0)
            found.Add(Gap("may lack changes, because the settings of its publication were changed"));
    }

    static void AddColumns(TableShape before, TableShape now, List<ShapeDifference> found)
    {
        bool isRewritten = now.File != before.File || before.Leaves.Any(leaf => now.Leaves.Any(other => other.Oid == leaf.Oid && other.File != leaf.File));
        var known = before.Columns.ToDictionary(c => c.Number);
        foreach (var column in now.Columns)
        {
            if (!known.Remove(column.Number, out var was)) found.Add(Reread($"has the new column {column.Name}"));
            else if (column.Name != was.Name) found.Add(Reread($"calls its column {was.Name} {column.Name} now"));
            else if (column.Type != was.Type) found.Add(Reread($"has another type for its column {column.Name}"));
            // An ALTER TABLE that gives a column other values writes the whole table anew. VACUUM FULL and TRUNCATE do so, too, but leave the
            // column's definition alone.
            else if (isRewritten && column.Version != was.Version) found.Add(Reread($"was rewritten, with other values in its column {column.Name}"));
            else if (Renamed(was, column) is { } label)
                found.Add(Reread($"has a new name for the value {label} of the enum in its column {column.Name}"));
        }
        foreach (var column in known.Values) found.Add(Reread($"has no column {column.Name} any more"));
    }

    /// <summary>
    /// A label of an enum that has another name now (PostgreSQL docs, ALTER TYPE, RENAME VALUE); rows show the new one without having changed.
    /// </summary>
    static string? Renamed(ColumnShape before, ColumnShape now)
    {
        var labels = now.Labels.Select(Split).ToDictionary(l => l.Oid, l => l.Label);
        return before.Labels.Select(Split).FirstOrDefault(l => labels.TryGetValue(l.Oid, out string? label) && label != l.Label).Label;

        static (string Oid, string Label) Split(string text) => text.IndexOf(':') is var at && at < 0 ? (text, "") : (text[..at], text[(at + 1)..]);
    }

    /// <summary>
    /// Of the columns that were and are there; PostgreSQL names all columns where a publication has no list, so others come and go with the table.
    /// </summary>
    static void AddPublished(TableShape before, TableShape now, List<ShapeDifference> found)
    {
        int[] both = [.. before.Columns.Select(c => c.Number).Intersect(now.Columns.Select(c => c.Number))];
        if (both.All(number => IsPublished(before, number) == IsPublished(now, number))) return;
        found.Add(Reread($"is published with {(now.Published is null ? "all columns" : $"the columns {string.Join(", ", now.Published)}")}"));
    }

    static bool IsPublished(TableShape shape, int number) => shape.Published?.Contains(shape.Columns.First(c => c.Number == number).Name) ?? true;

    static void AddLeaves(TableShape before, TableShape now, List<ShapeDifference> found)
    {
        var known = before.Leaves.ToDictionary(l => l.Oid);
        foreach (var leaf in now.Leaves)
        {
            if (!known.Remove(leaf.Oid, out var was))
            {
                if (leaf.IsAttached) found.Add(Gap($"has the partition {leaf.Name}, which was attached with its rows"));
            }
            else if (leaf.Place != was.Place && was.Place.Length > 0) found.Add(Gap($"has the partition {leaf.Name}, which was detached for a time"));
            // With publish_via_partition_root a TRUNCATE of a partition is not sent.
            else if (leaf.File != was.File) found.Add(Gap($"has the partition {leaf.Name}, which was truncated or rewritten"));
        }
        foreach (var leaf in known.Values) found.Add(Gap($"has no partition {leaf.Name} any more"));
    }
}
