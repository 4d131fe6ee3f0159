using System.Globalization;
using System.Text;
using Sync.Contracts.Configuration;
using Sync.Contracts.Rows;
using Sync.Engine.Resp;

namespace Sync.Engine.Mapping;

/// <summary>SQL's three values. Unknown stands for a comparison with NULL and for a value that PostgreSQL did not send.</summary>
enum Truth { False, Unknown, True }

/// <summary>A condition resolved against a relation. NULL behaves as in SQL; only True lets a command run.</summary>
abstract class ConditionPlan
{
    public abstract Truth Evaluate(in RowImage row, RespWriter scratch);

    /// <summary>Whether the answer depends on an unchanged TOASTed value that PostgreSQL did not send.</summary>
    public abstract bool Lacks(in RowImage row);

    /// <summary>Null when the condition is wrong; the cause is among the binder's issues then.</summary>
    public static ConditionPlan? Bind(Condition condition, TemplateBinder binder, Purpose purpose)
    {
        switch (condition)
        {
            case ComparisonCondition comparison:
                return Comparison.Bind(comparison, binder, purpose);
            case NotCondition not:
                return Bind(not.Inner, binder, purpose) is { } inner ? new Not(inner) : null;
            case AllCondition or AnyCondition:
                var members = condition is AllCondition all ? all.Conditions : ((AnyCondition)condition).Conditions;
                var plans = members.Select(c => Bind(c, binder, purpose)).ToArray();
                return Array.Exists(plans, p => p is null) ? null : new Several(plans!, condition is AllCondition);
            default:
                throw new ArgumentOutOfRangeException(nameof(condition), condition, "unknown kind of condition");
        }
    }

    sealed class Not(ConditionPlan inner) : ConditionPlan
    {
        public override Truth Evaluate(in RowImage row, RespWriter scratch) => Truth.True - (int)inner.Evaluate(row, scratch);

        public override bool Lacks(in RowImage row) => inner.Lacks(row);
    }

    sealed class Several(ConditionPlan[] members, bool all) : ConditionPlan
    {
        public override Truth Evaluate(in RowImage row, RespWriter scratch)
        {
            var result = all ? Truth.True : Truth.False;
            foreach (var member in members)
            {
                var truth = member.Evaluate(row, scratch);
                result = all ? (Truth)Math.Min((int)result, (int)truth) : (Truth)Math.Max((int)result, (int)truth);
            }
            return result;
        }

        public override bool Lacks(in RowImage row)
        {
            foreach (var member in members)
                if (member.Lacks(row)) return true;
            return false;
        }
    }

    /// <param name="column">The column that is tested.</param>
    /// <param name="kind">How its values compare.</param>
    /// <param name="padded">char(n): blanks at the end don't count (PostgreSQL docs, "Character Types").</param>
    /// <param name="op">The operator.</param>
    /// <param name="values">What it is compared with.</param>
    sealed class Comparison(int column, ValueKind kind, bool padded, ComparisonOperator op, BoundTemplate?[] values) : ConditionPlan
    {
        /// <summary>pg_type.oid of char(n), which PostgreSQL calls bpchar.</summary>
        const uint CharOid = 1042;

        public static Comparison? Bind(ComparisonCondition condition, TemplateBinder binder, Purpose purpose)
        {
            int column = binder.Column(condition.Column, condition.Position);
            var values = condition.Values.Select(v => v is null ? null : binder.Bind(v, condition.Position, purpose)).ToArray();
            if (column < 0) return null;
            if (purpose == Purpose.Delete) binder.NeedsOld(column);
            var kind = binder.Relation.Columns[column].Type.Kind;
            bool numeric = kind is ValueKind.Integer or ValueKind.Float or ValueKind.Numeric;
            bool valid = true;
            for (int i = 0; i < values.Length; i++)
            {
                valid &= values[i] is not null || condition.Values[i] is null;
                if (numeric && values[i]?.Template.Constant is { } text && !DecimalText.IsNumber(Encoding.UTF8.GetBytes(text)))
                {
                    binder.Error(condition.Position, $"'{text}' is no number, but {condition.Column} is {kind.ToString().ToLowerInvariant()}");
                    valid = false;
                }
            }
            bool padded = binder.Relation.Columns[column].TypeOid == CharOid;
            return valid ? new Comparison(column, kind, padded, condition.Operator, values) : null;
        }

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
                _ => Compare(row, values[0], scratch) is not { } order ? Truth.Unknown : Holds(order) ? Truth.True : Truth.False,
            };
        }

        public override bool Lacks(in RowImage row)
        {
            if (op is ComparisonOperator.IsNull or ComparisonOperator.IsNotNull) return false;
            bool againstItself = op == ComparisonOperator.IsDistinctFrom && values[0]?.OldColumn == column;
            if (row.State(column) == CellState.Unchanged && !againstItself) return true;
            foreach (var value in values)
                if (value is not null && (value.Check(row) & Obstacles.Unchanged) != 0) return true;
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
            foreach (var value in values)
            {
                var order = Compare(row, value, scratch);
                if (order == 0) return Truth.True;
                unknown |= order is null;
            }
            return unknown ? Truth.Unknown : Truth.False;
        }

        Truth Distinct(in RowImage row, CellState state, RespWriter scratch)
        {
            var value = values[0];
            // What the update left alone is not distinct from what it was, whether or not PostgreSQL sent either.
            if (row.IsLeftAlone(column) && value?.OldColumn == column) return Truth.False;
            bool rightNull = value is null || (value.Check(row) & (Obstacles.Hole | Obstacles.OldHole)) != 0;
            if (state == CellState.Unchanged) return rightNull ? Truth.True : Truth.Unknown;
            bool leftNull = state != CellState.Text;
            if (leftNull || rightNull) return leftNull == rightNull ? Truth.False : Truth.True;
            return Compare(row, value, scratch) == 0 ? Truth.False : Truth.True;
        }

        /// <summary>Null where either side is NULL or the two can't be compared.</summary>
        int? Compare(in RowImage row, BoundTemplate? value, RespWriter scratch)
        {
            if (value is null || (value.Check(row) & (Obstacles.Hole | Obstacles.OldHole | Obstacles.Unchanged)) != 0) return null;
            scratch.Clear();
            value.WriteRaw(scratch, row);
            var left = row.Value(column);
            var right = scratch.Written;
            if (padded) return left.TrimEnd((byte)' ').SequenceCompareTo(right.TrimEnd((byte)' '));
            switch (kind)
            {
                case ValueKind.Integer or ValueKind.Float or ValueKind.Numeric:
                    return DecimalText.Compare(left, right);
                case ValueKind.Boolean:
                    return left.SequenceCompareTo(BooleanLiteral(right));
                case ValueKind.Timestamp or ValueKind.TimestampTz or ValueKind.Date:
                    return Moment(left) is { } a && Moment(right) is { } b ? a.CompareTo(b) : left.SequenceCompareTo(right);
                default:
                    return left.SequenceCompareTo(right);
            }
        }

        /// <summary>The spellings PostgreSQL takes for a boolean (PostgreSQL docs, "Boolean Type").</summary>
        static ReadOnlySpan<byte> BooleanLiteral(ReadOnlySpan<byte> text)
        {
            var word = text[Ascii.Trim(text)];
            static bool Is(ReadOnlySpan<byte> word, ReadOnlySpan<byte> spelling) => Ascii.EqualsIgnoreCase(word, spelling);
            if (Is(word, "true"u8) || Is(word, "t"u8) || Is(word, "yes"u8) || Is(word, "y"u8) || Is(word, "on"u8) || Is(word, "1"u8)) return "true"u8;
            if (Is(word, "false"u8) || Is(word, "f"u8) || Is(word, "no"u8) || Is(word, "n"u8) || Is(word, "off"u8) || Is(word, "0"u8)) return "false"u8;
            return text;
        }

        static DateTimeOffset? Moment(ReadOnlySpan<byte> text) =>
            DateTimeOffset.TryParse(Encoding.UTF8.GetString(text), CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var moment) ? moment : null;
    }
}
