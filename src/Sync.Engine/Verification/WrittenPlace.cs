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
