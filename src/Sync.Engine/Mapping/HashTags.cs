using System.Text;
using Sync.Contracts.Configuration;
using Sync.Contracts.Configuration.Commands;

namespace Sync.Engine.Mapping;

/// <summary>Whether the keys of a row stay together in a Redis Cluster (Redis docs, "Redis cluster specification", "Hash tags"). Pure.</summary>
public static class HashTags
{
    /// <summary>
    /// Whether all keys that one row of the table touches are in one hash slot: there is one key template, or all have the same hash tag. Only then the
    /// commands of a row are one transaction.
    /// </summary>
    public static bool KeepRowsTogether(TableConfig table)
    {
        if (table.Tags.Count > 0) return false;
        var rules = new[] { table.Commands, table.Insert, table.Update, table.Delete }.OfType<IReadOnlyList<CommandRule>>().SelectMany(list => list);
        var places = new HashSet<string>(StringComparer.Ordinal);
        foreach (var command in rules.SelectMany(rule => rule.Commands))
            for (int i = 1; i < command.Arguments.Count; i++)
                if (CommandCatalog.TryGet(command.Arguments[0], out var info) && info.IsKey(i)) places.Add(PlaceOf(command.Arguments[i]));
        return places.Count <= 1;
    }

    /// <summary>What decides the hash slot: the hash tag, or the whole template. Braces of a template are placeholders; doubled ones are text.</summary>
    static string PlaceOf(string template)
    {
        var text = new StringBuilder();
        foreach (var segment in Template.Parse(template).Segments)
            if (segment.Kind == SegmentKind.Literal) text.Append(segment.Text);
            else text.Append('\u0001').Append(segment.Kind is SegmentKind.Old ? SegmentKind.Column : segment.Kind).Append(' ').Append(segment.Text).Append('\u0002');
        string whole = text.ToString();
        int open = whole.IndexOf('{');
        int close = open < 0 ? -1 : whole.IndexOf('}', open + 1);
        return close > open + 1 ? whole[(open + 1)..close] : whole;
    }
}
