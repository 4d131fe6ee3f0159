using Sync.Contracts.Configuration;
using Sync.Contracts.Configuration.Commands;

namespace Sync.Engine.Mapping;

/// <summary>
/// What a DELETE means for commands that were given for all operations: whatever an insert put there is taken away again, and
/// commands that tell or count (XADD, PUBLISH, INCR …) or already remove run as written, with the old row. See docs/adr/0004.
/// </summary>
static class DeleteRules
{
    /// <summary>The command that undoes one; the command itself when it runs as written; null when nothing can be undone.</summary>
    public static CommandTemplate? For(CommandTemplate command, CommandInfo info, IReadOnlyCollection<string> primaryKey)
    {
        switch (info.Nature)
        {
            case CommandNature.Write: return Unwrite(command, info, primaryKey);
            case CommandNature.AddMember: return RemoveMembers(command, info);
            case CommandNature.Expire: return null;
            default: return command;
        }
    }

    static CommandTemplate? Unwrite(CommandTemplate command, CommandInfo info, IReadOnlyCollection<string> primaryKey)
    {
        var arguments = command.Arguments;
        if (info.Name == "MSET")
        {
            string[] keys = [.. arguments.Skip(1).Where((a, i) => i % 2 == 0 && Template.Parse(a) is { DependsOnRow: true, Expands: false })];
            return keys.Length == 0 ? null : command with { Arguments = ["DEL", .. keys] };
        }
        var key = Template.Parse(arguments[1]);
        if (info.Name == "HSET")
        {
            bool whole = arguments.Skip(2).Any(a => Template.Parse(a).Expands);
            if (whole ? key.DependsOnRow : HoldsKey(key, primaryKey)) return command with { Arguments = ["DEL", arguments[1]] };
            return whole ? null : command with { Arguments = ["HDEL", arguments[1], .. arguments.Skip(2).Where((_, i) => i % 2 == 0)] };
        }
        bool part = info.Name is "JSON.SET" or "JSON.MERGE" && arguments[2] is not ("$" or ".");
        if (part && !HoldsKey(key, primaryKey))
            return key.DependsOnRow || Template.Parse(arguments[2]).DependsOnRow ? command with { Arguments = ["JSON.DEL", arguments[1], arguments[2]] } : null;
        if (!key.DependsOnRow) return null;
        return command with { Arguments = ["DEL", arguments[1]] };
    }

    /// <summary>Whether a key belongs to one row alone because the whole primary key stands in it.</summary>
    static bool HoldsKey(Template key, IReadOnlyCollection<string> primaryKey) =>
        key.Segments.Any(s => s.Kind == SegmentKind.PrimaryKey)
        || (primaryKey.Count > 0 && primaryKey.All(column => key.Segments.Any(s => s.Kind == SegmentKind.Column && (s.Text == column || s.Text.Trim() == column))));

    static CommandTemplate? RemoveMembers(CommandTemplate command, CommandInfo info)
    {
        var arguments = command.Arguments;
        if (info.Name == "SADD") return command with { Arguments = ["SREM", .. arguments.Skip(1)] };
        int stride = info.Name == "GEOADD" ? 3 : 2;
        int first = 2;
        while (first < arguments.Count && arguments[first].ToUpperInvariant() is "NX" or "XX" or "GT" or "LT" or "CH" or "INCR") first++;
        string[] members = [.. arguments.Skip(first).Where((_, i) => i % stride == stride - 1)];
        return members.Length == 0 ? null : command with { Arguments = ["ZREM", arguments[1], .. members] };
    }
}
