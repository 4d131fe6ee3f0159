using System.Text;
using Sync.Contracts.Configuration;
using Sync.Contracts.Rows;
using Sync.Engine.Resp;

namespace Sync.Engine.Mapping.Conditions;

/// <summary>What a column is compared with. Without constant and template it is SQL NULL.</summary>
/// <param name="Kind">The type by which its text is read.</param>
/// <param name="Constant">Its text, when it is the same for every row.</param>
/// <param name="Template">What makes its text of a row.</param>
readonly record struct Operand(ScalarKind Kind, byte[]? Constant, BoundTemplate? Template)
{
    /// <summary>Whether it is NULL for the row, or not known.</summary>
    public bool IsNull(in RowImage row) =>
        Constant is null && (Template is null || (Template.Check(row) & (Obstacles.Hole | Obstacles.OldHole)) != 0);

    public bool Lacks(in RowImage row) => Template is not null && (Template.Check(row) & Obstacles.Unchanged) != 0;
}

/// <summary>A column against values, as PostgreSQL compares them.</summary>
/// <param name="column">The column that is tested.</param>
/// <param name="kind">Its type.</param>
/// <param name="op">The operator.</param>
/// <param name="operands">What it is compared with.</param>
sealed class ComparisonPlan(int column, ScalarKind kind, ComparisonOperator op, Operand[] operands) : ConditionPlan
{
    /// <summary>Null when the comparison is wrong or can't be done as PostgreSQL does; the cause is among the binder's issues then.</summary>
    public static ComparisonPlan? Bind(ComparisonCondition condition, TemplateBinder binder, Purpose purpose)
    {
        int column = binder.Column(condition.Column, condition.Position);
        var templates = condition.Values.Select(v => v is null ? null : binder.Bind(v, condition.Position, purpose)).ToArray();
        if (column < 0) return null;
        if (purpose == Purpose.Delete) binder.NeedsOld(column);
        if (templates.Zip(condition.Values).Any(pair => pair.First is null && pair.Second is not null)) return null;
        var kind = ScalarKinds.Of(binder.Relation.Columns[column]);
        if (condition.Operator is ComparisonOperator.IsNull or ComparisonOperator.IsNotNull) return new ComparisonPlan(column, kind, condition.Operator, []);
        // Whether an update changed the text can be told of every type.
        bool isOwnChange = condition.Operator == ComparisonOperator.IsDistinctFrom && templates[0] is { } only && only.OldColumn == column;
        if (kind == ScalarKind.None && isOwnChange) kind = ScalarKind.Text;
        if (Refusal(condition, binder.Relation, column, kind) is { } refusal)
        {
            binder.Error(condition.Position, refusal);
            return null;
        }
        var operands = templates.Select(t => BindOperand(t, condition, binder, column, kind)).ToArray();
        return Array.Exists(operands, o => o is null) ? null : new ComparisonPlan(column, kind, condition.Operator, [.. operands.Select(o => o!.Value)]);
    }

    /// <summary>Why the type can't be compared as PostgreSQL does; null when it can.</summary>
    static string? Refusal(ComparisonCondition condition, Relation relation, int column, ScalarKind kind)
    {
        string name = relation.Columns[column].Name;
        string type = ScalarKinds.NameOf(relation.Columns[column]);
        if (kind == ScalarKind.None)
            return $"column '{name}' of {relation.FullName} is {type}, which a condition can't compare as PostgreSQL does; "
                + $"use is_null, is_not_null, or is_distinct_from \"{{old:{name}}}\", which compares the texts";
        bool isOrder = condition.Operator
            is ComparisonOperator.Less or ComparisonOperator.Greater or ComparisonOperator.LessOrEqual or ComparisonOperator.GreaterOrEqual;
        if (!isOrder) return null;
        return kind switch
        {
            ScalarKind.Enum => $"column '{name}' of {relation.FullName} is {type}, and the order of its values stands in PostgreSQL's catalog only; "
                + "list the values with in or not_in",
            ScalarKind.Json => $"column '{name}' of {relation.FullName} is {type}, which a condition can't put in PostgreSQL's order; "
                + "use =, <>, in, not_in or is_distinct_from",
            _ => null,
        };
    }

    static Operand? BindOperand(BoundTemplate? template, ComparisonCondition condition, TemplateBinder binder, int column, ScalarKind kind)
    {
        var tested = binder.Relation.Columns[column];
        if (template is null) return new Operand(kind, null, null);
        if (template.ConstantText is { } text)
        {
            if (ScalarLiteral.Read(kind, text) is { } constant) return new Operand(kind, constant, null);
            binder.Error(condition.Position,
                $"'{Encoding.UTF8.GetString(text)}' is no value for column '{tested.Name}' of {binder.Relation.FullName}, which is {ScalarKinds.NameOf(tested)}; "
                    + $"write {ScalarLiteral.Example(kind)}");
            return null;
        }
        int other = template.SingleColumn;
        var otherKind = other == column ? kind
            : other >= 0 ? ScalarKinds.Of(binder.Relation.Columns[other])
            : template.IsNumber ? ScalarKind.Numeric
            : ScalarKind.Text;
        bool sameEnum = kind != ScalarKind.Enum || (other >= 0 && Same(tested, binder.Relation.Columns[other]));
        if (ScalarKinds.Meet(kind, otherKind) && sameEnum) return new Operand(otherKind, null, template);
        string shown = other >= 0 ? $"is {ScalarKinds.NameOf(binder.Relation.Columns[other])}" : template.IsNumber ? "is a number" : "is a text";
        binder.Error(condition.Position,
            $"column '{tested.Name}' of {binder.Relation.FullName} is {ScalarKinds.NameOf(tested)} and '{template.Template.Source}' {shown}; "
                + "PostgreSQL does not compare the two without a cast: use a constant or a column of the same type");
        return null;
    }

    static bool Same(RelationColumn a, RelationColumn b) =>
        (a.Type.DomainOf != 0 ? a.Type.DomainOf : a.TypeOid) == (b.Type.DomainOf != 0 ? b.Type.DomainOf : b.TypeOid);

    public override Truth Evaluate(in RowImage row, RespWriter scratch)
    {
        var state = row.State(column);
        if (op is ComparisonOperator.IsNull or ComparisonOperator.IsNotNull)
            return state switch
            {
                CellState.Missing => Truth.Unknown,
                CellState.Null => op == ComparisonOperator.IsNull ? Truth.True : Truth.False,
                _ => op == ComparisonOperator.IsNull ? Truth.False : Truth.True,
            };
        if (op == ComparisonOperator.IsDistinctFrom) return Distinct(row, state, scratch);
        if (state != CellState.Text) return Truth.Unknown;
        return op switch
        {
            ComparisonOperator.In => Among(row, scratch),
            ComparisonOperator.NotIn => Truth.True - (int)Among(row, scratch),
            _ => Compare(row, operands[0], scratch) is not { } order ? Truth.Unknown : Holds(order) ? Truth.True : Truth.False,
        };
    }

    public override bool Lacks(in RowImage row)
    {
        if (op is ComparisonOperator.IsNull or ComparisonOperator.IsNotNull) return false;
        bool againstItself = op == ComparisonOperator.IsDistinctFrom && operands[0].Template?.OldColumn == column;
        if (row.State(column) == CellState.Unchanged && !againstItself) return true;
        foreach (ref readonly var operand in operands.AsSpan())
            if (operand.Lacks(row)) return true;
        return false;
    }

    bool Holds(int order) => op switch
    {
        ComparisonOperator.Equal => order == 0,
        ComparisonOperator.NotEqual => order != 0,
        ComparisonOperator.Less => order < 0,
        ComparisonOperator.Greater => order > 0,
        ComparisonOperator.LessOrEqual => order <= 0,
        _ => order >= 0,
    };

    Truth Among(in RowImage row, RespWriter scratch)
    {
        bool unknown = false;
        foreach (ref readonly var operand in operands.AsSpan())
        {
            var order = Compare(row, operand, scratch);
            if (order == 0) return Truth.True;
            unknown |= order is null;
        }
        return unknown ? Truth.Unknown : Truth.False;
    }

    Truth Distinct(in RowImage row, CellState state, RespWriter scratch)
    {
        ref readonly var operand = ref operands[0];
        // What the update left alone is not distinct from what it was, whether or not PostgreSQL sent either.
        if (row.IsLeftAlone(column) && operand.Template?.OldColumn == column) return Truth.False;
        bool rightNull = operand.IsNull(row);
        if (state == CellState.Unchanged) return rightNull ? Truth.True : Truth.Unknown;
        bool leftNull = state != CellState.Text;
        if (leftNull || rightNull) return leftNull == rightNull ? Truth.False : Truth.True;
        return Compare(row, operand, scratch) == 0 ? Truth.False : Truth.True;
    }

    /// <summary>Null where either side is NULL or the two can't be compared.</summary>
    int? Compare(in RowImage row, in Operand operand, RespWriter scratch)
    {
        if (operand.Constant is { } constant) return ScalarOrder.Compare(kind, row.Value(column), operand.Kind, constant);
        if (operand.Template is not { } template || operand.IsNull(row) || operand.Lacks(row)) return null;
        scratch.Clear();
        if (template.WriteRaw(scratch, row) != Obstacles.None) return null;
        return ScalarOrder.Compare(kind, row.Value(column), operand.Kind, scratch.Written);
    }
}
