using System.Text;
using Sync.Contracts.Configuration;
using Sync.Contracts.Configuration.Commands;
using Sync.Contracts.Rows;
using Sync.Engine.Resp;

namespace Sync.Engine.Mapping;

/// <summary>Turns a table's configuration and its relation into a <see cref="TablePlan"/>. Done once per relation version.</summary>
public sealed class TablePlanCompiler
{
    readonly TableConfig table;
    readonly Relation relation;
    readonly TemplateBinder binder;
    readonly HashSet<int> moving = [];
    readonly HashSet<int> handledByUser = [];

    TablePlanCompiler(TableConfig table, Relation relation, MappingOptions options)
    {
        this.table = table;
        this.relation = relation;
        binder = new TemplateBinder(table, relation, options);
    }

    /// <summary>
    /// Compiles. The plan is null when any issue is an error; warnings say what will be costly or incomplete.
    /// </summary>
    public static (TablePlan? Plan, IReadOnlyList<MappingIssue> Issues) Compile(TableConfig table, Relation relation, MappingOptions options)
    {
        var compiler = new TablePlanCompiler(table, relation, options);
        var plan = compiler.Compile();
        return (compiler.binder.Issues.Any(i => i.Level == IssueLevel.Error) ? null : plan, compiler.binder.Issues);
    }

    TablePlan Compile()
    {
        IReadOnlyList<CommandRule> shared = table.Commands ?? (table.IsPerOperation ? [] : [DefaultRule()]);
        var insert = Rules(table.Insert ?? shared, Purpose.Insert);
        var update = Rules(table.Update ?? shared, Purpose.Update);
        var delete = table.Delete is { } own ? Rules(own, Purpose.Delete) : Undo(shared);
        CheckFilter();
        moving.UnionWith(relation.PrimaryKey);
        moving.ExceptWith(handledByUser);
        foreach (int column in moving.Where(c => !relation.PrimaryKey.Contains(c))) binder.NeedsOld(column);
        var orderingTemplate = table.Key is { } key ? binder.Bind(key, table.Position, Purpose.OrderingKey) : null;
        if (orderingTemplate is { Expands: true }) binder.Error(table.Position, "'key' must be one text; list forms can't stand in it");
        foreach (int column in orderingTemplate?.CurrentColumns ?? []) binder.NeedsOld(column);
        var parts = new PlanParts(
            insert, update, delete, Rules(table.Truncate.Commands, Purpose.Truncate),
            table.When is { } when ? ConditionPlan.Bind(when, binder, Purpose.Insert) : null,
            [.. moving.Order()], OrderingColumns(), orderingTemplate, OrderingPrefix())
        {
            Rewritten = Rewritten(insert, delete),
            IsOldOrderUnknown = orderingTemplate?.CurrentColumns.Any(c => !relation.Columns[c].InIdentity) == true,
        };
        foreach (string warning in KeyWarnings.Find(table, relation, parts)) binder.Warn(table.Position, warning);
        binder.Summarise();
        return new TablePlan(table, relation, parts);
    }

    CommandRule DefaultRule() => new(
        [new CommandTemplate(["HSET", $"{Escape(table.FullName)}:{{%pk%}}", "{pairs:*}"], table.Position)], Condition: null, table.Position);

    static string Escape(string text) => text.Replace("{", "{{", StringComparison.Ordinal).Replace("}", "}}", StringComparison.Ordinal);

    static HashSet<CommandPlan> Rewritten(RulePlan[] insert, RulePlan[] delete)
    {
        var written = insert.Where(rule => !rule.IsConditional).SelectMany(rule => rule.Commands)
            .Where(command => command.Nature == CommandNature.Write).SelectMany(command => command.Keys).Select(key => key.Template.Source).ToHashSet();
        return [.. delete.SelectMany(rule => rule.Commands).Where(command => command.Name is "DEL" or "UNLINK"
            && command.Keys.All(key => written.Contains(key.Template.Source.Replace("{old:", "{", StringComparison.Ordinal))))];
    }

    /// <summary>The identity that PostgreSQL sends with every operation: the primary key, or the index of REPLICA IDENTITY USING INDEX.</summary>
    int[] OrderingColumns() => relation.Identity == ReplicaIdentity.Index
        ? [.. Enumerable.Range(0, relation.Columns.Count).Where(i => relation.Columns[i].InIdentity)]
        : [.. relation.PrimaryKey];

    /// <summary>The table's name. What would make it the name or the key of another table is escaped.</summary>
    byte[] OrderingPrefix()
    {
        static string Escaped(string name) => string.Concat(name.Select(c => c is '.' or ':' or '\\' ? $"\\{c}" : $"{c}"));
        return Encoding.UTF8.GetBytes($"{Escaped(relation.Schema)}.{Escaped(relation.Name)}");
    }

    void CheckFilter()
    {
        foreach (string name in (table.Columns.Include ?? []).Concat(table.Columns.Exclude ?? []).Concat(table.Columns.Rename?.Keys ?? []))
            binder.Column(name, table.Position);
    }

    RulePlan[] Rules(IReadOnlyList<CommandRule> rules, Purpose purpose)
    {
        var plans = new List<RulePlan>();
        foreach (var rule in rules)
        {
            var condition = rule.Condition is { } c ? ConditionPlan.Bind(c, binder, purpose) : null;
            var commands = new List<CommandPlan>();
            for (int i = 0; i < rule.Commands.Count; i++)
                Add(commands, rule.Commands[i], i + 1 < rule.Commands.Count ? rule.Commands[i + 1] : null, purpose, HolePolicy.Refuse);
            if (commands.Count > 0) plans.Add(new RulePlan([.. commands], condition, source: rule.Condition));
        }
        if (purpose == Purpose.Update && table.Action == TableAction.Write) AddTagMoves(rules, plans);
        return [.. plans];
    }

    RulePlan[] Undo(IReadOnlyList<CommandRule> shared)
    {
        string[] primaryKey = [.. relation.PrimaryKey.Select(i => relation.Columns[i].Name)];
        var plans = new List<RulePlan>();
        foreach (var rule in shared)
        {
            var undoing = new List<CommandPlan>();
            var running = new List<CommandPlan>();
            foreach (var command in rule.Commands)
            {
                if (!TryInfo(command, out var info) || !Parses(command)) continue;
                if (table.Action == TableAction.Invalidate) { Add(undoing, command, null, Purpose.Delete, HolePolicy.Skip); continue; }
                var undo = DeleteRules.For(command, info, primaryKey);
                if (undo is null) continue;
                if (ReferenceEquals(undo, command)) Add(running, command, null, Purpose.Delete, HolePolicy.Refuse);
                else Add(undoing, undo, null, Purpose.Delete, HolePolicy.Skip);
            }
            if (undoing.Count > 0)
                plans.Add(new RulePlan([.. undoing], rule.Condition is { } c ? ConditionPlan.Bind(c, binder, Purpose.Delete) : null, whenUnknown: true));
            if (running.Count > 0)
                plans.Add(new RulePlan([.. running], rule.Condition is { } d ? ConditionPlan.Bind(d, binder, Purpose.Delete) : null));
        }
        return [.. plans];
    }

    bool TryInfo(CommandTemplate command, out CommandInfo info)
    {
        if (CommandCatalog.TryGet(command.Arguments[0], out info!)) return true;
        binder.Error(command.Position, $"'{command.Arguments[0]}' is no command that can be used here (nearest: {CommandCatalog.Nearest(command.Arguments[0])})");
        return false;
    }

    /// <summary>Whether every argument is a readable template; a wrong one was or will be reported where it is bound.</summary>
    static bool Parses(CommandTemplate command)
    {
        try
        {
            foreach (string argument in command.Arguments) Template.Parse(argument);
            return true;
        }
        catch (TemplateException)
        {
            return false;
        }
    }

    void Add(List<CommandPlan> plans, CommandTemplate command, CommandTemplate? next, Purpose purpose, HolePolicy holes)
    {
        if (!TryInfo(command, out var info)) return;
        var arguments = command.Arguments.Skip(1).Select(a => binder.Bind(a, command.Position, purpose)).ToArray();
        if (Array.Exists(arguments, a => a is null)) return;
        bool[] isKey = [.. arguments.Select((_, i) => info.IsKey(i + 1))];
        for (int i = 0; i < arguments.Length; i++)
            if (isKey[i] && arguments[i]!.Expands)
                binder.Error(command.Position, $"{info.Name}: '{command.Arguments[i + 1]}' stands where a key is expected; list forms can't be keys");
        var plan = new CommandPlan(info.Name, arguments!, isKey, holes, unknown: table.OnUnknownOldValue);
        NoteMoves(plan, info, purpose);
        if (table.Action == TableAction.Invalidate && purpose != Purpose.Truncate)
        {
            AddInvalidation(plans, plan);
            return;
        }
        plans.Add(plan);
        if (purpose is Purpose.Truncate or Purpose.OrderingKey) return;
        AddTags(plans, command, info, purpose);
        bool writes = info.Nature is CommandNature.Write or CommandNature.AddMember or CommandNature.Accumulate;
        bool sameKeyFollows = next is not null && next.Arguments.Count > 1 && command.Arguments.Count > 1 && next.Arguments[1] == command.Arguments[1];
        if (table.Ttl is { } ttl && writes && purpose != Purpose.Delete && !sameKeyFollows && info.Name != "SETEX")
            foreach (var key in plan.Keys)
                plans.Add(new CommandPlan("PEXPIRE", [key], [true], HolePolicy.Skip, (long)ttl.TotalMilliseconds, (long)table.TtlJitter.TotalMilliseconds));
    }

    /// <summary>
    /// An update that changes a column in a key moves the row: what it wrote or counted under the old key has to go there. A log (XADD, a
    /// list) or a count of events has no row of its own, so its key moves nothing. Where the update's own commands look at the old value of
    /// that column, the user handles the move and nothing is added to it.
    /// </summary>
    void NoteMoves(CommandPlan plan, CommandInfo info, Purpose purpose)
    {
        foreach (var key in plan.Keys)
        {
            bool holdsRow = info.Nature is CommandNature.Write or CommandNature.AddMember || plan.CountsDifferences || (purpose == Purpose.Insert && IsCountedBack(key, info));
            if (holdsRow && purpose is (Purpose.Insert or Purpose.Update)) moving.UnionWith(key.CurrentColumns);
            if (purpose == Purpose.Update) handledByUser.UnionWith(key.OldColumns);
        }
    }

    /// <summary>Whether what an insert counts under a key is taken back by the delete commands: then the count is one of rows, not of events.</summary>
    bool IsCountedBack(BoundTemplate key, CommandInfo info) =>
        info.Nature == CommandNature.Accumulate && info.Name is not ("XADD" or "LPUSH" or "RPUSH" or "APPEND")
        && table.Delete?.SelectMany(rule => rule.Commands).Any(c =>
            CommandCatalog.TryGet(c.Arguments[0], out var other) && other.Nature == CommandNature.Accumulate
            && c.Arguments.Count > 1 && c.Arguments[1].Replace("{old:", "{", StringComparison.Ordinal) == key.Template.Source) == true;

    static void AddInvalidation(List<CommandPlan> plans, CommandPlan command)
    {
        foreach (var key in command.Keys)
            if (!plans.Exists(p => p.Keys.First().Template.Source == key.Template.Source))
                plans.Add(new CommandPlan("DEL", [key], [true], HolePolicy.Skip));
    }

    /// <summary>Every key written is listed in the table's tag sets, and taken off them when it goes.</summary>
    void AddTags(List<CommandPlan> plans, CommandTemplate command, CommandInfo info, Purpose purpose)
    {
        bool writes = info.Nature is CommandNature.Write or CommandNature.AddMember or CommandNature.Accumulate;
        bool removes = purpose == Purpose.Delete;
        if (table.Tags.Count == 0 || !(removes ? info.Name is "DEL" or "UNLINK" or "GETDEL" : writes)) return;
        for (int i = 1; i < command.Arguments.Count; i++)
        {
            if (!info.IsKey(i) || binder.Bind(command.Arguments[i], command.Position, purpose) is not { } key) continue;
            foreach (string tag in table.Tags)
                if (binder.Bind(tag, table.Position, purpose) is { } set)
                    plans.Add(new CommandPlan(removes ? "SREM" : "SADD", [set, key], [true, true], HolePolicy.Skip));
        }
    }

    /// <summary>When a column that names a tag changes, the key leaves the old set.</summary>
    void AddTagMoves(IReadOnlyList<CommandRule> rules, List<RulePlan> plans)
    {
        foreach (string tag in table.Tags)
        {
            var template = TryParse(tag);
            if (template?.DependsOnRow != true) continue;
            string old = string.Concat(template.Segments.Select(s => s.Kind switch
            {
                SegmentKind.Column => $"{{old:{Template.NameOf(relation.Columns[Math.Max(0, Template.IndexIn(relation, s.Text))].Name)}}}",
                SegmentKind.Literal => Escape(s.Text),
                SegmentKind.Schema => "{%schema%}",
                SegmentKind.Table => "{%table%}",
                _ => "",
            }));
            if (binder.Bind(old, table.Position, Purpose.Update) is not { } oldSet) continue;
            foreach (var command in rules.SelectMany(r => r.Commands))
            {
                if (!CommandCatalog.TryGet(command.Arguments[0], out var info) || info.Nature is not (CommandNature.Write or CommandNature.AddMember)) continue;
                for (int i = 1; i < command.Arguments.Count; i++)
                    if (info.IsKey(i) && binder.Bind(command.Arguments[i], command.Position, Purpose.Update) is { } key)
                        plans.Insert(0, new RulePlan([new CommandPlan("SREM", [oldSet, key], [true, true], HolePolicy.Skip)], new AnyChanged([.. oldSet.OldColumns])));
            }
        }
    }

    static Template? TryParse(string source)
    {
        try { return Template.Parse(source); }
        catch (TemplateException) { return null; }
    }

    sealed class AnyChanged(int[] columns) : ConditionPlan
    {
        public override bool Lacks(in RowImage row) => false;

        public override Truth Evaluate(in RowImage row, RespWriter scratch)
        {
            foreach (int column in columns)
                if (row.Changed(column)) return Truth.True;
            return Truth.False;
        }
    }
}
