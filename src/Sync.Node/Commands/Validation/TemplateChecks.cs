using Sync.Contracts.Configuration;
using Sync.Contracts.Configuration.Commands;
using Sync.Engine.Mapping;

namespace Sync.Node.Commands.Validation;

/// <summary>What can be said of a table's templates without knowing the table.</summary>
static class TemplateChecks
{
    /// <summary>Every template that can't be read, or stands where it can't; by position.</summary>
    public static IReadOnlyList<ConfigIssue> Find(TableConfig table)
    {
        var issues = new List<ConfigIssue>();
        var rules = new[] { table.Commands, table.Insert, table.Update, table.Delete }.Where(list => list is not null).SelectMany(list => list!);
        foreach (var rule in rules) Rule(rule, issues);
        foreach (var rule in table.Truncate.Commands)
        {
            Rule(rule, issues);
            foreach (var command in rule.Commands)
                if (command.Arguments.Skip(1).Select(TryParse).Any(t => t is { DependsOnRow: true }))
                    issues.Add(new ConfigIssue(command.Position, "a truncate command has no row, so only text, {%schema%} and {%table%} can stand in it"));
        }
        if (table.When is { } when) Test(when, issues);
        if (table.Key is { } key && Parse(key, table.Position, issues) is { Expands: true })
            issues.Add(new ConfigIssue(table.Position, "'key' must be one text; list forms can't stand in it"));
        foreach (string tag in table.Tags) Parse(tag, table.Position, issues);
        return [.. issues.Distinct()];
    }

    static void Rule(CommandRule rule, List<ConfigIssue> issues)
    {
        foreach (var command in rule.Commands)
        {
            CommandCatalog.TryGet(command.Arguments[0], out var info);
            for (int i = 1; i < command.Arguments.Count; i++)
                if (Parse(command.Arguments[i], command.Position, issues) is { Expands: true } && info?.IsKey(i) == true)
                    issues.Add(new ConfigIssue(command.Position, $"{info.Name}: '{command.Arguments[i]}' stands where a key is expected; list forms can't be keys"));
        }
        if (rule.Condition is { } condition) Test(condition, issues);
    }

    static void Test(Condition condition, List<ConfigIssue> issues)
    {
        switch (condition)
        {
            case ComparisonCondition comparison:
                foreach (string? value in comparison.Values)
                    if (value is not null && Parse(value, comparison.Position, issues) is { Expands: true })
                        issues.Add(new ConfigIssue(comparison.Position, $"'{value}' becomes several values; a condition compares one"));
                break;
            case AllCondition all:
                foreach (var one in all.Conditions) Test(one, issues);
                break;
            case AnyCondition any:
                foreach (var one in any.Conditions) Test(one, issues);
                break;
            case NotCondition not:
                Test(not.Inner, issues);
                break;
        }
    }

    static Template? Parse(string text, SourcePosition position, List<ConfigIssue> issues)
    {
        try
        {
            return Template.Parse(text);
        }
        catch (TemplateException e)
        {
            issues.Add(new ConfigIssue(position, e.Message));
            return null;
        }
    }

    static Template? TryParse(string text)
    {
        try { return Template.Parse(text); }
        catch (TemplateException) { return null; }
    }
}
