using Sync.Contracts.Configuration;
using Sync.Contracts.Configuration.Commands;
using Sync.Engine.Mapping;

namespace Sync.Engine.Verification;

/// <summary>Where a table's commands may write: keys, and in them parts.</summary>
/// <param name="Source">Template of the keys, as configured.</param>
/// <param name="Key">What they look like.</param>
/// <param name="Parts">What the fields or members look like; null for the whole key.</param>
public sealed record WrittenPlace(string Source, KeyPattern Key, IReadOnlyList<KeyPattern>? Parts)
{
    /// <summary>Everything a table may write, whatever operation asks for it.</summary>
    public static IReadOnlyList<WrittenPlace> Of(TablePlan plan) =>
    [
        .. plan.Parts.Insert.Concat(plan.Parts.Update).SelectMany(rule => rule.Commands)
            .Where(c => StateCommand.Keeps(c.Nature) || c.Nature == CommandNature.Accumulate)
            .SelectMany(c => c.Keys.Take(c.Name == "MSET" ? int.MaxValue : 1), (c, key) => new WrittenPlace(key.Template.Source, key.ToPattern(plan.Relation), PartsOf(c, plan))),
    ];

    /// <summary>The same for a table whose mapping could not be bound to its columns: anything may stand where a column does, and in any part of the key.</summary>
    public static IReadOnlyList<WrittenPlace> Of(TableConfig table)
    {
        var rules = new[] { table.Commands, table.Insert, table.Update }.Where(list => list is not null).SelectMany(list => list!).ToList();
        if (rules.Count == 0 && !table.IsPerOperation) return [new WrittenPlace("", Pattern(table, "{%schema%}.{%table%}:{%pk%}"), null)];
        return [.. rules.SelectMany(rule => rule.Commands).SelectMany(KeysOf).Select(key => new WrittenPlace(key, Pattern(table, key), null))];
    }

    /// <summary>Templates of the keys that a command writes or counts in.</summary>
    static IEnumerable<string> KeysOf(CommandTemplate command) =>
        CommandCatalog.TryGet(command.Arguments[0], out var info) && (StateCommand.Keeps(info.Nature) || info.Nature == CommandNature.Accumulate)
            ? Enumerable.Range(1, command.Arguments.Count - 1).Where(info.IsKey).Select(i => command.Arguments[i])
            : [];

    static KeyPattern Pattern(TableConfig table, string template)
    {
        var pattern = new KeyPattern.Builder();
        try
        {
            foreach (var segment in Template.Parse(template).Segments)
                switch (segment.Kind)
                {
                    case SegmentKind.Literal: pattern.Literal(segment.Text); break;
                    case SegmentKind.Schema: pattern.Literal(table.Schema); break;
                    case SegmentKind.Table: pattern.Literal(table.Name); break;
                    default: pattern.Value(Contracts.Rows.ValueKind.Text); break;
                }
        }
        catch (TemplateException)
        {
            // It was never written with.
            pattern.Literal(template);
        }
        return pattern.Build();
    }

    static KeyPattern[]? PartsOf(CommandPlan command, TablePlan plan)
    {
        var arguments = command.Arguments;
        BoundTemplate[] parts = command.Name switch
        {
            "HINCRBY" or "HINCRBYFLOAT" => [arguments[1]],
            "ZINCRBY" => [arguments[2]],
            _ => [.. StateCommand.PartsOf(command)],
        };
        if (parts.Length > 0) return Array.Exists(parts, p => p.Expands) ? null : [.. parts.Select(p => p.ToPattern(plan.Relation))];
        if (command.Name != "HSET" || arguments.Skip(1).Any(a => !a.IsPairs)) return null;
        return [.. arguments.Skip(1).SelectMany(a => a.Listed).Select(l => KeyPattern.Of(NameOf(l)))];
    }

    internal static string NameOf(ListedColumn listed) =>
        System.Text.Encoding.UTF8.GetString(listed.FieldBulk.AsSpan()[(Array.IndexOf(listed.FieldBulk, (byte)'\n') + 1)..^2]);

    /// <summary>Whether it may write this part; without a part, anything of the key.</summary>
    public bool Touches(string key, string? part) =>
        Key.Matches(key) && (part is null || Parts is null || Parts.Any(p => p.Matches(part)));

    /// <summary>False when the two can't have a key in common, because both begin with texts that part.</summary>
    public bool MayMeet(WrittenPlace other) =>
        Key.Prefix.StartsWith(other.Key.Prefix, StringComparison.Ordinal) || other.Key.Prefix.StartsWith(Key.Prefix, StringComparison.Ordinal);
}
