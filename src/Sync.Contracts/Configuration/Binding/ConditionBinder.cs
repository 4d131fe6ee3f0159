using Sync.Contracts.Configuration.Keys;
using Sync.Contracts.Configuration.Nodes;

namespace Sync.Contracts.Configuration.Binding;

/// <summary>Reads tests on a row: a comparison, or <c>all</c>, <c>any</c> or <c>not</c> around others.</summary>
static class ConditionBinder
{
    const int MaximumDepth = 20;

    static readonly string[] Combinators = ["all", "any", "not"];

    public static Condition? Bind(ConfigNode node, BindContext context, int depth = 0)
    {
        if (node is not MapNode map)
        {
            context.Issues.Error(node.Position, $"a condition must be {ConfigKeys.At(TableKeys.Condition).Expectation}, not {node.KindName}");
            return null;
        }
        if (depth > MaximumDepth)
        {
            context.Issues.Error(map.Position, $"conditions may be nested {MaximumDepth} deep");
            return null;
        }
        int before = context.Issues.ErrorCount;
        var section = new SectionReader(map, TableKeys.Condition, map.Position, context);
        // What a misspelt key lacks elsewhere is no second mistake.
        if (context.Issues.ErrorCount > before) return null;
        var combinators = map.Entries.Where(e => Combinators.Contains(e.Key)).ToList();
        if (combinators.Count == 0) return Comparison(map, section, context);
        if (combinators.Count > 1 || map.Entries.Count > combinators.Count)
        {
            context.Issues.Error(map.Position, "a condition is either one comparison or one of 'all', 'any' and 'not'");
            return null;
        }
        var (name, _, inner) = combinators[0];
        if (name == "not") return Bind(inner, context, depth + 1) is { } negated ? new NotCondition(negated, map.Position) : null;
        if (inner is not ListNode { Items.Count: > 0 } list)
        {
            context.Issues.Error(inner.Position, $"'{name}' must be a list of conditions, not {(inner is ListNode ? "an empty list" : inner.KindName)}");
            return null;
        }
        var conditions = list.Items.Select(i => Bind(i, context, depth + 1)).ToList();
        if (conditions.Contains(null)) return null;
        return name == "all" ? new AllCondition(conditions!, map.Position) : new AnyCondition(conditions!, map.Position);
    }

    static ComparisonCondition? Comparison(MapNode map, SectionReader section, BindContext context)
    {
        int before = context.Issues.ErrorCount;
        string? column = section.Text("column");
        if (column is null && section.Node("column") is null or ScalarNode) context.Issues.Error(map.Position, "a condition needs the key 'column'");
        var op = Operator(map, section, context);
        if (op is null || context.Issues.ErrorCount > before) return null;
        var values = Values(map, section, op.Value, context);
        return values is null ? null : new ComparisonCondition(column!, op.Value, values, map.Position);
    }

    static ComparisonOperator? Operator(MapNode map, SectionReader section, BindContext context)
    {
        if (section.Text("op") is not { } text)
        {
            if (section.Node("op") is null or ScalarNode) context.Issues.Error(map.Position, "a condition needs the key 'op', such as \"=\"");
            return null;
        }
        string spelling = text.Trim().ToLowerInvariant();
        for (int i = 0; i < TableKeys.Operators.Length; i++)
            if (TableKeys.Operators[i].Contains(spelling)) return (ComparisonOperator)i;
        context.Issues.Error(
            section.PositionOf("op"),
            $"unknown operator '{Shown.Short(text)}'{Nearest.Hint(text, TableKeys.Operators.SelectMany(o => o))}; "
            + $"the operators are {string.Join(' ', TableKeys.Operators.Select(o => o[0]))}");
        return null;
    }

    static List<string?>? Values(MapNode map, SectionReader section, ComparisonOperator op, BindContext context)
    {
        string name = TableKeys.Operators[(int)op][0];
        bool one = map.Find("value") is not null;
        bool many = map.Find("values") is not null;
        bool isSet = op is ComparisonOperator.In or ComparisonOperator.NotIn;
        if (op is ComparisonOperator.IsNull or ComparisonOperator.IsNotNull)
            return one || many ? Refuse(section.PositionOf(one ? "value" : "values"), $"operator '{name}' takes no value") : [];
        if (one && many) return Refuse(section.PositionOf("values"), "a condition has 'value' or 'values', not both");
        if (!one && !many) return Refuse(map.Position, $"operator '{name}' needs {(isSet ? "'values'" : "'value'")}");

        var nodes = (map.Find("value") ?? map.Find("values"))!.Value switch { ListNode list => list.Items, var single => [single] };
        if (isSet && nodes.Count == 0) return Refuse(section.PositionOf("values"), $"operator '{name}' needs at least one value");
        if (!isSet && nodes.Count != 1) return Refuse(section.PositionOf(one ? "value" : "values"), $"operator '{name}' takes one value, not {nodes.Count}");
        var values = new List<string?>();
        foreach (var node in nodes)
            if (node is not ScalarNode scalar)
                return Refuse(node.Position, $"a value must be a text, not {node.KindName}; quote placeholders, as in \"{{old:status}}\"");
            else if (scalar.Text is null && op != ComparisonOperator.IsDistinctFrom)
                return Refuse(
                    node.Position,
                    $"operator '{name}' can't compare with null; use is_null, is_not_null or is_distinct_from, or write \"\" for an empty text");
            else
                values.Add(scalar.Text);
        return values;

        List<string?>? Refuse(SourcePosition position, string message)
        {
            context.Issues.Error(position, message);
            return null;
        }
    }
}
