using System.Globalization;
using Sync.Contracts.Configuration.Commands;
using Sync.Contracts.Configuration.Nodes;

namespace Sync.Contracts.Configuration.Sources;

/// <summary>
/// Tables from variables <c>T_n_…</c>. Those of one index are brought into the form the file would have, then laid over the
/// table of the same name or added after the others. <c>T_n_COMMANDS</c> also drops what the file says per operation,
/// which would otherwise still be stronger than what the environment asks for.
/// </summary>
static class TableVariables
{
    static readonly string[] Operations = ["INSERT", "UPDATE", "DELETE", "TRUNCATE"];
    static readonly string[] Names = ["NAME", "COMMANDS", .. Operations, "TTL", "TTLJITTER", "KEY", "TAGS", "ACTION", "WHEN", "COLUMNS"];

    public static bool IsOne(string suffix) => suffix.StartsWith("T_", StringComparison.Ordinal);

    /// <summary>Elsewhere an empty variable counts as not set; a condition may well compare with the empty text.</summary>
    public static bool TakesEmptyText(string suffix) =>
        IsOne(suffix) && (suffix.EndsWith("_VALUE", StringComparison.Ordinal) || suffix.Contains("_VALUES_", StringComparison.Ordinal));

    public static void Apply(List<TableEntry> tables, IReadOnlyList<Variable> variables, IssueList issues)
    {
        int inFile = tables.Count;
        var groups = new SortedDictionary<int, List<(Variable Variable, string[] Path)>>();
        foreach (var variable in variables.Where(v => IsOne(v.Suffix)))
        {
            string[] parts = variable.Suffix.Split('_');
            if (parts.Length < 3 || !EnvironmentLayer.IsIndex(parts[1]))
                issues.Error(variable.Position, $"unknown variable '{variable.Name}' (tables are written as T_0_NAME, T_0_COMMANDS_0, …)");
            else if (Add(groups, int.Parse(parts[1], CultureInfo.InvariantCulture)) is var group)
                group.Add((variable, parts[2..]));
        }
        foreach (var (index, group) in groups)
        {
            var body = new Branch();
            foreach (var (variable, path) in group)
                if (KeyPath(path) is { } keys) body.Put(keys, variable);
                else issues.Error(variable.Position, $"unknown variable '{variable.Name}'{Nearest.Hint(path[0], Names)}");
            if (body.IsEmpty) continue;
            Merge(tables, index, index < inFile ? index : -1, body, group[0].Variable, issues);
        }
    }

    static List<(Variable, string[])> Add(SortedDictionary<int, List<(Variable, string[])>> groups, int index)
    {
        if (!groups.TryGetValue(index, out var group)) groups[index] = group = [];
        return group;
    }

    static void Merge(List<TableEntry> tables, int index, int sameIndex, Branch body, Variable first, IssueList issues)
    {
        var keys = (MapNode)body.ToNode(first.Position, issues);
        TableName name;
        SourcePosition position;
        if (keys.Find("name")?.Value is ScalarNode { Text: { } text } node)
        {
            position = node.Position;
            if (!TableName.TryParse(text, out name))
            {
                issues.Error(position, $"'{Shown.Short(text)}' is not a table name; write table or schema.table");
                return;
            }
        }
        else if (sameIndex >= 0)
        {
            (name, position) = (tables[sameIndex].Name, tables[sameIndex].Position);
        }
        else
        {
            issues.Error(first.Position, $"T_{index} has no name; set {first.Name[..^first.Suffix.Length]}T_{index}_NAME");
            return;
        }
        keys = keys.Without("name");
        int at = tables.FindIndex(t => t.Name == name);
        if (at < 0)
        {
            tables.Add(new TableEntry(name, position, keys));
            return;
        }
        var merged = keys.Find("commands") is null ? tables[at].Body : tables[at].Body.Without("insert", "update", "delete");
        foreach (var entry in keys.Entries) merged = merged.With(entry.Key, entry.Value);
        tables[at] = tables[at] with { Body = merged };
    }

    /// <summary>The path of keys and indexes in the file's form for the parts after <c>T_n_</c>; null when there is none.</summary>
    static string[]? KeyPath(string[] parts) => parts switch
    {
        ["NAME"] or ["TTL"] or ["KEY"] or ["ACTION"] or ["TRUNCATE"] or ["TAGS"] => [parts[0].ToLowerInvariant()],
        ["TTLJITTER"] or ["TTL", "JITTER"] => ["ttlJitter"],
        ["PUBLISHWITHOUTIDENTITY"] => ["publishWithoutIdentity"],
        ["ONUNKNOWNOLDVALUE"] => ["onUnknownOldValue"],
        ["TAGS", var index] when EnvironmentLayer.IsIndex(index) => ["tags", index],
        ["COLUMNS", "INCLUDE" or "EXCLUDE" or "RENAME"] => ["columns", parts[1].ToLowerInvariant()],
        ["COLUMNS", "INCLUDE" or "EXCLUDE", var index] when EnvironmentLayer.IsIndex(index) => ["columns", parts[1].ToLowerInvariant(), index],
        ["WHEN", .. var rest] => Condition(rest) is { } path ? ["when", .. path] : null,
        ["COMMANDS", .. var rest] => Command(rest) is { } path ? ["commands", .. path] : null,
        [var operation, "COMMANDS", .. var rest] when Operations.Contains(operation) =>
            Command(rest) is { } path ? [operation.ToLowerInvariant(), "commands", .. path] : null,
        _ => null,
    };

    static string[]? Command(string[] parts) => parts switch
    {
        [var index, .. var rest] when EnvironmentLayer.IsIndex(index) => rest switch
        {
            [] => [index, "/"],
            ["COMMAND"] => [index, "command", "/"],
            ["COMMAND", var member] when EnvironmentLayer.IsIndex(member) => [index, "command", member, "/"],
            ["CONDITION", .. var condition] => Condition(condition) is { } path ? [index, "condition", .. path] : null,
            _ => null,
        },
        _ => null,
    };

    static string[]? Condition(string[] parts) => parts switch
    {
        ["COLUMN"] or ["OP"] or ["VALUE"] => [parts[0].ToLowerInvariant()],
        ["VALUES"] => ["values", ","],
        ["VALUES", var index] when EnvironmentLayer.IsIndex(index) => ["values", index],
        _ => null,
    };

    /// <summary>A tree of variables. Steps that are numbers make a list; the steps <c>/</c> and <c>,</c> split the value.</summary>
    sealed class Branch
    {
        readonly SortedDictionary<string, Branch> children = new(Comparer<string>.Create(Compare));
        Variable? leaf;

        public bool IsEmpty => children.Count == 0;

        public void Put(ReadOnlySpan<string> path, Variable variable)
        {
            if (path.IsEmpty)
            {
                leaf = variable;
                return;
            }
            if (!children.TryGetValue(path[0], out var child)) children[path[0]] = child = new Branch();
            child.Put(path[1..], variable);
        }

        public ConfigNode ToNode(SourcePosition fallback, IssueList issues)
        {
            if (children.Count == 0) return leaf!.Node;
            var position = First(this)?.Position ?? fallback;
            if (Contradiction() is { } other)
                issues.Error(position, $"this variable and {other.Name} contradict each other");
            if (children.TryGetValue("/", out var slashes))
            {
                var command = Parts(slashes.leaf!);
                return children.TryGetValue("condition", out var condition)
                    ? new MapNode(position, [new("command", command.Position, command), Entry("condition", condition, position, issues)])
                    : command;
            }
            if (children.TryGetValue(",", out var commas)) return CommaList(commas.leaf!);
            if (!children.Keys.All(k => EnvironmentLayer.IsIndex(k)))
                return new MapNode(position, [.. children.Select(c => Entry(c.Key, c.Value, position, issues))]);
            return ArgumentsOfOneCommand() ?? new ListNode(position, [.. children.Values.Select(c => c.ToNode(position, issues))]);
        }

        /// <summary>A whole value beside a part of it, as in TAGS and TAGS_0; only a command and its condition go together.</summary>
        Variable? Contradiction()
        {
            bool whole = leaf is not null || children.ContainsKey(",") || (children.ContainsKey("/") && children.Keys.Any(k => k is not ("/" or "condition")));
            return whole && (leaf is not null || children.Count > 1) ? children.Values.Select(First).Last() : null;
        }

        static MapEntry Entry(string key, Branch branch, SourcePosition position, IssueList issues)
        {
            var value = branch.ToNode(position, issues);
            // Variables can't hold a map of names that keep their case, so pairs with colons stand for it.
            if (key == "rename" && value is ScalarNode { Text: { } text })
                value = new MapNode(value.Position, [.. text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)
                    .Select(pair => pair.Split(':', 2, StringSplitOptions.TrimEntries))
                    .Select(pair => new MapEntry(pair[0], value.Position, new ScalarNode(value.Position, pair.ElementAtOrDefault(1))))]);
            else if (key is "include" or "exclude" or "tags" && value is ScalarNode)
                value = CommaList(branch.leaf!);
            return new MapEntry(key, value.Position, value);
        }

        /// <summary>
        /// COMMAND_0, COMMAND_1 … are the commands of a group. A lone command name in the first can't be one, as every command
        /// needs a key: then they are the arguments of a single command.
        /// </summary>
        ListNode? ArgumentsOfOneCommand()
        {
            var leaves = children.Values.Select(c => c.children.TryGetValue("/", out var slash) ? slash.leaf : null).ToList();
            return leaves.Count > 1 && leaves.TrueForAll(l => l is not null) && CommandCatalog.TryGet(leaves[0]!.Value, out _)
                ? new ListNode(leaves[0]!.Position, [.. leaves.Select(l => l!.Node)])
                : null;
        }

        static ListNode Parts(Variable variable) => new(variable.Position, [.. SplitCommand(variable.Value).Select(p => new ScalarNode(variable.Position, p))]);

        static ListNode CommaList(Variable variable) =>
            new(variable.Position, [.. variable.Value.Split(',', StringSplitOptions.TrimEntries).Select(p => new ScalarNode(variable.Position, p))]);

        static Variable? First(Branch branch) => branch.leaf ?? branch.children.Values.Select(First).FirstOrDefault(v => v is not null);

        static int Compare(string? a, string? b) =>
            EnvironmentLayer.IsIndex(a) && EnvironmentLayer.IsIndex(b)
                ? int.Parse(a!, CultureInfo.InvariantCulture).CompareTo(int.Parse(b!, CultureInfo.InvariantCulture))
                : string.CompareOrdinal(a, b);
    }

    /// <summary>Splits at slashes; <c>\/</c> is a slash that stays.</summary>
    internal static List<string> SplitCommand(string text)
    {
        var parts = new List<string>();
        var part = new System.Text.StringBuilder();
        for (int i = 0; i < text.Length; i++)
        {
            if (text[i] == '\\' && i + 1 < text.Length && text[i + 1] == '/') part.Append(text[++i]);
            else if (text[i] == '/')
            {
                parts.Add(part.ToString());
                part.Clear();
            }
            else part.Append(text[i]);
        }
        parts.Add(part.ToString());
        return parts;
    }
}
