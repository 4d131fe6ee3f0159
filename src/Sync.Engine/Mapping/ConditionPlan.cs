using Sync.Contracts.Configuration;
using Sync.Engine.Mapping.Conditions;
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
                return ComparisonPlan.Bind(comparison, binder, purpose);
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
}
