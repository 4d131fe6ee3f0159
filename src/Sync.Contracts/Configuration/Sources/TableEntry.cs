using Sync.Contracts.Configuration.Keys;
using Sync.Contracts.Configuration.Nodes;

namespace Sync.Contracts.Configuration.Sources;

/// <summary>One entry under <c>tables</c>, in whichever of its forms it was written.</summary>
/// <param name="Name">The parsed name.</param>
/// <param name="Position">Where the name stands.</param>
/// <param name="Body">The keys of the table, without its name.</param>
sealed record TableEntry(TableName Name, SourcePosition Position, MapNode Body)
{
    /// <summary>Reads the list; entries that can't be understood are issues and left out.</summary>
    public static List<TableEntry> ReadAll(ConfigNode? node, IssueList issues)
    {
        var entries = new List<TableEntry>();
        switch (node)
        {
            case null or { IsNull: true }:
                break;
            case ListNode list:
                foreach (var item in list.Items)
                    if (Read(item, issues) is { } entry) entries.Add(entry);
                break;
            default:
                issues.Error(node.Position, $"'tables' must be a list, not {node.KindName}; write each table as '- public.orders:'");
                break;
        }
        return entries;
    }

    static TableEntry? Read(ConfigNode item, IssueList issues)
    {
        switch (item)
        {
            case ScalarNode { Text: { } name }:
                return Named(name, item.Position, new MapNode(item.Position, []), issues);
            case MapNode { Entries.Count: 0 } or ScalarNode:
                issues.Error(item.Position, "an entry of 'tables' is empty; it names a table, as in '- public.orders:'");
                return null;
            case MapNode map when map.Find("name") is { Value: ScalarNode { Text: { } name } } entry:
                return Named(name, entry.Value.Position, map.Without("name"), issues);
            case MapNode { Entries: [var only] }:
                return Keyed(only, issues);
            case MapNode map:
                return Indented(map, issues);
            default:
                issues.Error(item.Position, $"an entry of 'tables' must name a table, as in '- public.orders:', not be {item.KindName}");
                return null;
        }
    }

    static TableEntry? Keyed(MapEntry only, IssueList issues)
    {
        if (only.Value is MapNode body) return Named(only.Key, only.Position, body, issues);
        if (only.Value.IsNull) return Named(only.Key, only.Position, new MapNode(only.Position, []), issues);
        issues.Error(only.Value.Position, $"table '{Shown.Short(only.Key)}' must hold a map with keys such as 'commands', not {only.Value.KindName}");
        return null;
    }

    /// <summary>Several keys and no name: mostly a table whose keys were not indented under it.</summary>
    static TableEntry? Indented(MapNode map, IssueList issues)
    {
        var first = map.Entries[0];
        issues.Error(
            first.Position,
            first.Value.IsNull && map.Entries.Skip(1).All(e => ConfigKeys.Find(ConfigKeys.Join(TableKeys.Table, e.Key)) is not null)
                ? $"the keys of table '{Shown.Short(first.Key)}' must be indented under its name"
                : "an entry of 'tables' holds one table; begin each with '- ', or give it a 'name'");
        return null;
    }

    static TableEntry? Named(string text, SourcePosition position, MapNode body, IssueList issues)
    {
        if (TableName.TryParse(text, out var name)) return new TableEntry(name, position, body);
        issues.Error(
            position,
            $"'{Shown.Short(text)}' is not a table name; write table, schema.table, or \"Schema\".\"table\" with quotes around names that hold dots");
        return null;
    }
}
