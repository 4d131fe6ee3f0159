using Sync.Contracts.Configuration;
using Sync.Contracts.Configuration.Commands;
using Sync.Engine.Mapping;

namespace Sync.Engine.Verification;

/// <summary>
/// Judges a table's commands. What a row's insert commands say holds for the row as it is now only where its last update said the same, so a
/// command counts when insert and update share it, word for word and under the same condition; or when it uses nothing but columns whose change
/// moves the row, because the insert commands run anew then. What only updates take away counts where inserts write nothing. And the
/// place must be this row's alone, because who wrote last is in no row.
/// </summary>
sealed class VerificationCompiler
{
    const string onlyUpdatesRunIt = "only updates run it";

    readonly TablePlan plan;
    readonly IReadOnlyList<IReadOnlyList<int>> uniqueColumns;
    readonly HashSet<string> updates;
    readonly HashSet<string> inserts;
    readonly HashSet<string> disturbed;

    public VerificationCompiler(TablePlan plan, IReadOnlyList<IReadOnlyList<int>> uniqueColumns)
    {
        this.plan = plan;
        this.uniqueColumns = [.. uniqueColumns.Append(plan.Relation.PrimaryKey).Where(u => u.Count > 0)];
        updates = Texts(plan.Parts.Update);
        inserts = Texts(plan.Parts.Insert);
        disturbed = Disturbed();
    }

    public List<string> NotVerifiable { get; } = [];

    public List<string> NotSearched { get; } = [];

    public StateRule[] Rules()
    {
        var rules = plan.Parts.Insert.Select(rule => new StateRule(rule, LooksBack(rule.Source), [.. rule.Commands.Select(c => Judge(rule, c))]))
            .Concat(plan.Parts.Update.Select(rule => new StateRule(rule, false, [.. rule.Commands.Select(c => JudgeUpdate(rule, c)).OfType<StateCommand>()]))
                .Where(rule => rule.Commands.Length > 0)).ToArray();
        foreach (var command in rules.SelectMany(r => r.Commands))
            if (command.Doubt is { } doubt && command.Command.Nature is not (CommandNature.Remove or CommandNature.Expire)) Note(NotVerifiable, command.Command, doubt);
        foreach (var rule in plan.Parts.Update)
            foreach (var command in rule.Commands)
                if (command.Nature is not (CommandNature.Remove or CommandNature.Expire) && !inserts.Contains(TextOf(rule, command)))
                    Note(NotVerifiable, command, onlyUpdatesRunIt);
        return rules;
    }

    public List<ExtraProbe> Probes()
    {
        var probes = new List<ExtraProbe>();
        var removals = plan.Parts.Delete.SelectMany(rule => rule.Commands).Where(c => c.Nature == CommandNature.Remove).ToList();
        foreach (var command in plan.Parts.Insert.SelectMany(rule => rule.Commands).Where(c => StateCommand.Keeps(c.Nature)).DistinctBy(c => c.Source))
        {
            BoundTemplate[] parts = [.. StateCommand.PartsOf(command)];
            bool whole = parts.Length == 0 || (command.Name == "HSET" && HoldsKey([command.Arguments[0]]));
            if (whole)
                foreach (var key in command.Keys.Take(command.Name == "MSET" ? int.MaxValue : 1))
                {
                    string? doubt = KeyDoubt(key, removals);
                    if (doubt is null) probes.Add(new ExtraProbe(PlaceKind.Key, key.ToKeyTemplate(plan.Relation), null, plan.Relation.PrimaryKey));
                    else Note(NotSearched, command, doubt);
                }
            else
                foreach (var part in parts)
                {
                    string? doubt = PartDoubt(command.Arguments[0], part, removals);
                    if (doubt is null) probes.Add(new ExtraProbe(KindOf(command), command.Arguments[0].ToKeyTemplate(plan.Relation), part.ToKeyTemplate(plan.Relation), plan.Relation.PrimaryKey));
                    else Note(NotSearched, command, doubt);
                }
        }
        return [.. probes.DistinctBy(p => (p.Kind, p.Key.Source, p.Part?.Source))];
    }

    static PlaceKind KindOf(CommandPlan command) => command.Name switch
    {
        "HSET" => PlaceKind.HashField,
        "SADD" => PlaceKind.SetMember,
        _ => PlaceKind.SortedSetMember,
    };

    string? KeyDoubt(BoundTemplate key, List<CommandPlan> removals)
    {
        if (!HoldsKey([key])) return "the primary key can't be read back from its keys";
        if (!removals.Exists(r => r.Name is "DEL" or "UNLINK" or "GETDEL" && r.Keys.Any(k => Same(k, key)))) return "deletes don't remove it";
        bool counts = plan.Parts.Insert.Concat(plan.Parts.Update).SelectMany(r => r.Commands)
            .Any(c => c.Nature == CommandNature.Accumulate && c.Keys.Any(k => Same(k, key)));
        return counts ? "what is counted in the same key may outlive the row" : null;
    }

    string? PartDoubt(BoundTemplate key, BoundTemplate part, List<CommandPlan> removals)
    {
        if (part.Expands) return "list forms can't be read back";
        if (!HoldsKey([key, part])) return "the primary key can't be read back from it";
        if (!removals.Exists(r => Same(r.Arguments[0], key) && (r.Name is "DEL" or "UNLINK" || r.Arguments.Skip(1).Any(a => Same(a, part))))) return "deletes don't remove it";
        int[] moving = [.. plan.Parts.MovingColumns, .. plan.Relation.PrimaryKey];
        return part.CurrentColumns.All(moving.Contains) ? null : "an update leaves what stood there before";
    }

    bool HoldsKey(BoundTemplate[] place) => plan.Relation.PrimaryKey.Count > 0
        && place.All(t => !t.DependsOnHistory) && plan.Relation.PrimaryKey.All(column => place.Any(t => t.CurrentColumns.Contains(column)));

    StateCommand Judge(RulePlan rule, CommandPlan command)
    {
        bool isOwn = command.Keys.Take(1).All(key => IsUnique([key]));
        return new StateCommand(command, Doubt(rule, command), isOwn);
    }

    string? Doubt(RulePlan rule, CommandPlan command)
    {
        if (command.Nature == CommandNature.Accumulate) return "its effect depends on what was there before";
        if (command.Nature == CommandNature.Publish) return "a message leaves nothing behind";
        if (LooksBack(rule.Source)) return "its condition looks at the row before the change";
        BoundTemplate[] parts = [.. StateCommand.PartsOf(command)];
        if (command.Keys.Concat(parts).Any(t => t.DependsOnHistory)) return "its place depends on more than the row as it is";
        if (!updates.Contains(TextOf(rule, command)) && !IsSettled(rule, command)) return plan.Parts.Update.Length == 0 ? "updates don't run it" : "updates write otherwise";
        if (!StateCommand.Keeps(command.Nature)) return null;
        if (command.Keys.Any(key => disturbed.Contains(Now(key)))) return "updates also change its key in another way";
        if (command.Arguments.Any(a => a.Expands) && command.Name != "HSET") return "list forms are compared in hashes only";
        if (StateCommand.Options(command).FirstOrDefault(o => o is "XX" or "INCR") is { } option) return $"{option} makes it depend on what was there before";
        var places = parts.Length > 0
            ? parts.Select(part => new[] { command.Arguments[0], part })
            : command.Keys.Take(command.Name == "MSET" ? int.MaxValue : 1).Select(key => new[] { key });
        if (IsTag(command)) places = [[command.Arguments[1]]];
        return places.All(IsUnique) ? null : "several rows may write the same place";
    }

    /// <summary>The set of a tag: both of its arguments are keys, and the second one is what it lists.</summary>
    static bool IsTag(CommandPlan command) => command.Name == "SADD" && command.Keys.Count() == 2;

    bool IsUnique(BoundTemplate[] place) => uniqueColumns.Any(unique => unique.All(column => place.Any(t => t.CurrentColumns.Contains(column))));

    /// <summary>Keys that updates write to in a way inserts don't. What only takes the old place away, before the new one is written, does no harm.</summary>
    HashSet<string> Disturbed()
    {
        var found = new HashSet<string>(StringComparer.Ordinal);
        var rules = plan.Parts.Update.Where(rule => !rule.IsConditional || rule.Source is not null).ToList();
        var commands = rules.SelectMany(rule => rule.Commands, (rule, command) => (Rule: rule, Command: command)).ToList();
        for (int i = 0; i < commands.Count; i++)
        {
            var (rule, command) = commands[i];
            if (command.Nature is CommandNature.Publish or CommandNature.Expire || inserts.Contains(TextOf(rule, command))) continue;
            if (CountsPart(command) || IsPlainRemoval(rule, command)) continue;
            foreach (var key in command.Keys)
            {
                bool rewritten = commands.Skip(i + 1).Any(c => StateCommand.Keeps(c.Command.Nature) && c.Command.Keys.Any(k => Now(k) == Now(key)));
                bool leaves = key.OldColumns.Any() || command.Arguments.Any(a => a.OldColumns.Any());
                if (command.Nature == CommandNature.Remove && leaves && (rewritten || LooksBack(rule.Source))) continue;
                found.Add(Now(key));
            }
        }
        return found;
    }

    /// <summary>What only updates run, as far as it says something of the row's places: null when it does not.</summary>
    StateCommand? JudgeUpdate(RulePlan rule, CommandPlan command)
    {
        if (IsPlainRemoval(rule, command)) return new StateCommand(command, null, IsUnique([command.Arguments[0]]), onlyUpdates: true);
        return CountsPart(command) && !inserts.Contains(TextOf(rule, command)) ? new StateCommand(command, onlyUpdatesRunIt, isOwn: false, onlyUpdates: true) : null;
    }

    static bool CountsPart(CommandPlan command) => command.Name is "HINCRBY" or "HINCRBYFLOAT" or "ZINCRBY" && !command.Keys.Any(key => key.OldColumns.Any());

    /// <summary>Whether only updates run it, it takes away what one row alone writes, and the row as it is says all about it.</summary>
    bool IsPlainRemoval(RulePlan rule, CommandPlan command)
    {
        if (command.Nature != CommandNature.Remove || inserts.Contains(TextOf(rule, command)) || LooksBack(rule.Source) || (rule.IsConditional && rule.Source is null)) return false;
        if (command.Arguments.Any(a => a.DependsOnHistory || a.Expands)) return false;
        bool rewritten = rule.Commands.SkipWhile(c => c != command).Skip(1).Any(c => StateCommand.Keeps(c.Nature) && Same(c.Arguments[0], command.Arguments[0]));
        return !rewritten && command.Name switch
        {
            "DEL" or "UNLINK" => command.Keys.All(key => IsUnique([key])),
            "HDEL" or "SREM" or "ZREM" => command.Arguments.Skip(1).All(part => IsUnique([command.Arguments[0], part])),
            _ => false,
        };
    }

    /// <summary>Whether nothing it writes can change without the row being moved, which runs the insert commands again.</summary>
    bool IsSettled(RulePlan rule, CommandPlan command)
    {
        HashSet<int> moving = [.. plan.Parts.MovingColumns];
        return ColumnsOf(rule.Source).All(name => moving.Contains(Template.IndexIn(plan.Relation, name)))
            && command.Arguments.All(a => a.Template.Segments.All(s => s.Kind is SegmentKind.Literal or SegmentKind.Schema or SegmentKind.Table or SegmentKind.Column or SegmentKind.PrimaryKey)
                && a.CurrentColumns.All(moving.Contains));
    }

    static IEnumerable<string> ColumnsOf(Condition? condition) => condition switch
    {
        ComparisonCondition c => c.Values.Where(v => v is not null).SelectMany(v => Template.Parse(v!).Segments).Where(s => s.Kind != SegmentKind.Literal).Select(s => s.Text).Append(c.Column),
        AllCondition all => all.Conditions.SelectMany(ColumnsOf),
        AnyCondition any => any.Conditions.SelectMany(ColumnsOf),
        NotCondition not => ColumnsOf(not.Inner),
        _ => [],
    };

    static HashSet<string> Texts(RulePlan[] rules) => [.. rules.SelectMany(rule => rule.Commands, TextOf)];

    static string TextOf(RulePlan rule, CommandPlan command) => $"{(rule.Source is { } condition ? Text(condition) : rule.IsConditional ? "own" : "")}\n{command.Source}";

    static string Text(Condition condition) => condition switch
    {
        ComparisonCondition c => $"{c.Column} {c.Operator} {string.Join('\u0001', c.Values.Select(v => v ?? "\u0002"))}",
        AllCondition all => $"all({string.Join(';', all.Conditions.Select(Text))})",
        AnyCondition any => $"any({string.Join(';', any.Conditions.Select(Text))})",
        NotCondition not => $"not({Text(not.Inner)})",
        _ => throw new ArgumentOutOfRangeException(nameof(condition), condition, "unknown kind of condition"),
    };

    static bool LooksBack(Condition? condition) => condition switch
    {
        ComparisonCondition c => c.Values.Any(v => v is not null && Template.Parse(v).Segments.Any(s => s.Kind is SegmentKind.Old or SegmentKind.Diff or SegmentKind.TransactionId)),
        AllCondition all => all.Conditions.Any(LooksBack),
        AnyCondition any => any.Conditions.Any(LooksBack),
        NotCondition not => LooksBack(not.Inner),
        _ => false,
    };

    static bool Same(BoundTemplate a, BoundTemplate b) => Now(a) == Now(b);

    static string Now(BoundTemplate template) => template.Template.Source.Replace("{old:", "{", StringComparison.Ordinal);

    static void Note(List<string> notes, CommandPlan command, string why)
    {
        string note = $"{command.Source}: {why}";
        if (!notes.Contains(note)) notes.Add(note);
    }
}

/// <param name="rule">A rule of the inserts.</param>
/// <param name="looksBack">Whether its condition can't be decided by the row as it is.</param>
/// <param name="commands">Its commands, judged.</param>
sealed class StateRule(RulePlan rule, bool looksBack, StateCommand[] commands)
{
    public RulePlan Rule => rule;
    public bool LooksBack => looksBack;
    public StateCommand[] Commands => commands;
}
