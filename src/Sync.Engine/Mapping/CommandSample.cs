using Sync.Contracts.Configuration.Commands;

namespace Sync.Engine.Mapping;

/// <summary>One command as a table may send it, with values that stand for any: to ask Redis whether it may be sent.</summary>
/// <param name="Arguments">The name and the arguments.</param>
/// <param name="Keys">Globs of its keys, as Redis writes them; one for each key.</param>
/// <param name="Channel">Glob of its channel; null when it has none.</param>
public sealed record CommandSample(IReadOnlyList<string> Arguments, IReadOnlyList<string> Keys, string? Channel)
{
    /// <summary>All commands that rows of a table may become: those that are configured and those that follow from them, each once.</summary>
    public static IReadOnlyList<CommandSample> Of(TablePlan plan)
    {
        var parts = plan.Parts;
        var commands = parts.Insert.Concat(parts.Update).Concat(parts.Delete).Concat(parts.Truncate).SelectMany(rule => rule.Commands);
        var samples = new List<CommandSample>();
        foreach (var command in commands)
        {
            samples.Add(Of(command, command.Name, plan));
            // A column that is NULL is removed from the hash beside the HSET.
            if (command.Name == "HSET" && Array.Exists(command.Arguments, a => a.IsPairs)) samples.Add(Of(command, "HDEL", plan));
        }
        return [.. samples.DistinctBy(sample => string.Join('\0', sample.Arguments))];
    }

    static CommandSample Of(CommandPlan command, string name, TablePlan plan)
    {
        CommandCatalog.TryGet(name, out var info);
        int withKeys = 1 + command.Keys.Count() * (info?.KeyPlaces == KeyPlaces.Alternate ? 2 : 1);
        string[] arguments = [name, .. Enumerable.Repeat("1", Math.Max(info?.MinArguments ?? 2, withKeys) - 1)];
        if (info?.KeyPlaces == KeyPlaces.None)
        {
            var channel = command.Arguments[0].ToPattern(plan.Relation);
            arguments[1] = channel.Sample;
            return new CommandSample(arguments, [], channel.Glob);
        }
        var keys = command.Keys.Select(key => key.ToPattern(plan.Relation)).ToList();
        int next = 0;
        for (int i = 1; i < arguments.Length && next < keys.Count; i++)
            if (info is null ? i <= keys.Count : info.IsKey(i)) arguments[i] = keys[next++].Sample;
        return new CommandSample(arguments, [.. keys.Select(key => key.Glob)], null);
    }
}
