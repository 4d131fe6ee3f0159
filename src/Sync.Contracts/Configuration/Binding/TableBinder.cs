using Sync.Contracts.Configuration.Keys;
using Sync.Contracts.Configuration.Nodes;
using Sync.Contracts.Configuration.Sources;

namespace Sync.Contracts.Configuration.Binding;

/// <summary>Reads the keys of each table.</summary>
static class TableBinder
{
    public static List<TableConfig> Bind(IReadOnlyList<TableEntry> entries, BindContext context)
    {
        var tables = new List<TableConfig>();
        var places = new Dictionary<TableName, SourcePosition>();
        foreach (var entry in entries)
        {
            if (!places.TryAdd(entry.Name, entry.Position))
                context.Issues.Error(entry.Position, $"table '{entry.Name}' stands here twice, first at {places[entry.Name]}");
            tables.Add(Table(entry, context));
        }
        return tables;
    }

    static TableConfig Table(TableEntry entry, BindContext context)
    {
        var section = new SectionReader(entry.Body, TableKeys.Table, entry.Position, context);
        var table = new TableConfig
        {
            Schema = entry.Name.Schema,
            Name = entry.Name.Name,
            Position = entry.Position,
            // An empty list at this level is no list: the default command then applies, as if the key were absent.
            Commands = section.Node("commands") is { } commands && CommandBinder.Rules(commands, context) is { Count: > 0 } rules ? rules : null,
            Insert = Operation(section, entry.Body, "insert", context),
            Update = Operation(section, entry.Body, "update", context),
            Delete = Operation(section, entry.Body, "delete", context),
            Truncate = Truncate(section, context),
            Ttl = WholeMilliseconds(section, "ttl", context),
            TtlJitter = WholeMilliseconds(section, "ttlJitter", context) ?? TimeSpan.Zero,
            Key = section.Text("key"),
            Tags = [.. section.Texts("tags").Select(t => t.Text!)],
            Action = section.Choice("action", TableAction.Write),
            PublishWithoutIdentity = section.Flag("publishWithoutIdentity", false),
            OnUnknownOldValue = section.Choice("onUnknownOldValue", UnknownOldValue.Count),
            Columns = Columns(section.Section("columns"), context),
            When = section.Node("when") is { } when ? ConditionBinder.Bind(when, context) : null,
        };
        if (table.Ttl is null && table.TtlJitter > TimeSpan.Zero && !section.Has("ttl"))
            context.Issues.Error(section.PositionOf("ttlJitter"), "'ttlJitter' needs 'ttl': without it keys live for ever");
        return table;
    }

    /// <summary>Null when the operation is not named; empty when it is named without commands, which means that nothing is done.</summary>
    static IReadOnlyList<CommandRule>? Operation(SectionReader table, MapNode body, string name, BindContext context)
    {
        if (body.Find(name) is null) return null;
        var section = table.Section(name);
        return section.Node("commands") is { } commands ? CommandBinder.Rules(commands, context) : [];
    }

    static TruncateConfig Truncate(SectionReader table, BindContext context)
    {
        switch (table.Node("truncate"))
        {
            case null:
                return new TruncateConfig(TruncateMode.Unset, []);
            case ScalarNode scalar when scalar.Text!.Equals("ignore", StringComparison.OrdinalIgnoreCase):
                return new TruncateConfig(TruncateMode.Ignore, []);
            case ScalarNode scalar when scalar.Text!.Equals("resync", StringComparison.OrdinalIgnoreCase):
                return new TruncateConfig(TruncateMode.Resync, []);
            case MapNode map:
                var section = table.Section("truncate");
                if (section.Node("commands") is { } commands && CommandBinder.Rules(commands, context) is { Count: > 0 } rules)
                    return new TruncateConfig(TruncateMode.Commands, rules);
                if (section.Node("commands") is null or ListNode { Items.Count: 0 })
                    context.Issues.Error(map.Position, "'truncate' names no commands; write 'truncate: ignore' to do nothing");
                break;
            case { } other:
                string shown = other is ScalarNode text ? $"'{Shown.Short(text.Text!)}'{Nearest.Hint(text.Text!, ["ignore", "resync"])}" : other.KindName;
                context.Issues.Error(other.Position, $"'truncate' must be {ConfigKeys.At("tables[].truncate").Expectation}, not {shown}");
                break;
        }
        return new TruncateConfig(TruncateMode.Unset, []);
    }

    /// <summary>Redis counts the life of keys in milliseconds (Redis docs, PEXPIRE).</summary>
    static TimeSpan? WholeMilliseconds(SectionReader section, string name, BindContext context)
    {
        var value = section.DurationOrNull(name);
        if (value is not { } time || time.Ticks % TimeSpan.TicksPerMillisecond == 0) return value;
        context.Issues.Error(section.PositionOf(name), $"'{name}' must be whole milliseconds, not {DurationText.Format(time)}");
        return null;
    }

    static ColumnFilter Columns(SectionReader section, BindContext context) => new(
        section.Has("include") ? [.. section.Texts("include").Select(t => t.Text!)] : null,
        section.Has("exclude") ? [.. section.Texts("exclude").Select(t => t.Text!)] : null,
        section.Node("rename") is { } rename ? Rename(rename, context) : null);

    static Dictionary<string, string>? Rename(ConfigNode node, BindContext context)
    {
        if (node is not MapNode map)
        {
            context.Issues.Error(node.Position, $"'rename' must be a map from column to field, not {node.KindName}");
            return null;
        }
        var fields = new Dictionary<string, string>();
        foreach (var entry in map.Entries)
            if (entry.Value is not ScalarNode { Text: { Length: > 0 } field })
                context.Issues.Error(entry.Value.Position, $"column '{Shown.Short(entry.Key)}' must be renamed to a text, not {entry.Value.KindName}");
            else if (fields.ContainsValue(field))
                context.Issues.Error(entry.Value.Position, $"two columns are renamed to '{Shown.Short(field)}'");
            else
                fields[entry.Key] = field;
        return fields;
    }
}
