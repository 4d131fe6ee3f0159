using Sync.Contracts.Configuration;
using Sync.Contracts.Rows;
using Sync.Engine.Mapping;
using static Sync.Engine.Tests.Mapping.Rows;

namespace Sync.Engine.Tests.Mapping;

public class ConditionTests
{
    static readonly Relation Orders = Relation("id/Integer status amount/Numeric active/Boolean at/TimestampTz", identity: ReplicaIdentity.Full);

    static bool Holds(Condition condition, params string?[] row) =>
        Compile(Table() with { Insert = [If(condition, ["INCR", "n"])] }, Orders).Insert(row).Outcome == MapOutcome.Mapped;

    [Theory]
    [InlineData("amount", ComparisonOperator.Equal, "10.0", true)]
    [InlineData("amount", ComparisonOperator.Equal, "10.01", false)]
    [InlineData("amount", ComparisonOperator.NotEqual, "10", false)]
    [InlineData("amount", ComparisonOperator.Less, "9.99", false)]
    [InlineData("amount", ComparisonOperator.Less, "1e2", true)]
    [InlineData("amount", ComparisonOperator.LessOrEqual, "10", true)]
    [InlineData("amount", ComparisonOperator.Greater, "9", true)]
    [InlineData("amount", ComparisonOperator.GreaterOrEqual, "10.000000000000000000000000000001", false)]
    [InlineData("amount", ComparisonOperator.Less, "Infinity", true)]
    [InlineData("amount", ComparisonOperator.Less, "NaN", true)]
    [InlineData("status", ComparisonOperator.Equal, "paid", true)]
    [InlineData("status", ComparisonOperator.Greater, "open", true)]
    [InlineData("active", ComparisonOperator.Equal, "true", true)]
    [InlineData("active", ComparisonOperator.Equal, "1", true)]
    [InlineData("active", ComparisonOperator.NotEqual, "f", true)]
    [InlineData("at", ComparisonOperator.Greater, "2026-01-01T00:00:00Z", true)]
    [InlineData("at", ComparisonOperator.Equal, "2026-05-01T14:00:00.5+02:00", true)]
    [InlineData("id", ComparisonOperator.Equal, "{amount}", true)]
    public void Comparison_should_follow_the_type_of_the_column(string column, ComparisonOperator op, string value, bool expected) =>
        Holds(Rows.Compare(column, op, value), "10", "paid", "10.00", "t", "2026-05-01 12:00:00.5+00").ShouldBe(expected);

    [Theory]
    [InlineData(ComparisonOperator.Equal)]
    [InlineData(ComparisonOperator.NotEqual)]
    [InlineData(ComparisonOperator.In)]
    [InlineData(ComparisonOperator.NotIn)]
    public void NULL_should_compare_to_nothing_as_in_SQL(ComparisonOperator op) =>
        Holds(Rows.Compare("status", op, "paid"), "1", null, "1", "t", "").ShouldBeFalse();

    [Fact]
    public void Lists_and_null_tests_should_hold()
    {
        string?[] row = ["1", "paid", null, "t", ""];
        Holds(Rows.Compare("status", ComparisonOperator.In, "open", "paid"), row).ShouldBeTrue();
        Holds(Rows.Compare("status", ComparisonOperator.NotIn, "open", "paid"), row).ShouldBeFalse();
        Holds(Rows.Compare("status", ComparisonOperator.NotIn, "open"), row).ShouldBeTrue();
        Holds(Rows.Compare("status", ComparisonOperator.NotIn, "open", null), row).ShouldBeFalse();
        Holds(Rows.Compare("amount", ComparisonOperator.IsNull), row).ShouldBeTrue();
        Holds(Rows.Compare("amount", ComparisonOperator.IsNotNull), row).ShouldBeFalse();
        Holds(Rows.Compare("amount", ComparisonOperator.IsDistinctFrom, [null]), row).ShouldBeFalse();
        Holds(Rows.Compare("amount", ComparisonOperator.IsDistinctFrom, "1"), row).ShouldBeTrue();
    }

    [Fact]
    public void Distinct_from_the_old_value_should_see_changes_and_NULL()
    {
        var plan = Compile(Table() with { Update = [If(Rows.Compare("status", ComparisonOperator.IsDistinctFrom, "{old:status}"), ["INCR", "n"])] }, Orders);
        plan.Update(["1", "a", "1", "t", ""], "1", "b", "1", "t", "").Outcome.ShouldBe(MapOutcome.Mapped);
        plan.Update(["1", "a", "1", "t", ""], "1", "a", "2", "t", "").Outcome.ShouldBe(MapOutcome.Nothing);
        plan.Update(["1", null, "1", "t", ""], "1", "a", "2", "t", "").Outcome.ShouldBe(MapOutcome.Mapped);
        plan.Update(["1", null, "1", "t", ""], "1", null, "2", "t", "").Outcome.ShouldBe(MapOutcome.Nothing);
    }

    [Fact]
    public void All_any_and_not_should_combine()
    {
        var paid = Rows.Compare("status", ComparisonOperator.Equal, "paid");
        var large = Rows.Compare("amount", ComparisonOperator.Greater, "100");
        string?[] row = ["1", "paid", "10", "t", ""];
        Holds(All(paid, large), row).ShouldBeFalse();
        Holds(Any(paid, large), row).ShouldBeTrue();
        Holds(All(paid, Not(large)), row).ShouldBeTrue();
        Holds(Not(Rows.Compare("amount", ComparisonOperator.Greater, "100")), "1", "paid", null, "t", "").ShouldBeFalse();
    }

    [Fact]
    public void Blanks_at_the_end_of_char_should_not_count()
    {
        var relation = Relation("id/Integer code");
        var padded = new Relation
        {
            Oid = 1,
            Schema = "public",
            Name = "orders",
            Identity = relation.Identity,
            PrimaryKey = relation.PrimaryKey,
            Columns = [relation.Columns[0], relation.Columns[1] with { TypeOid = 1042 }],
        };
        var table = Table() with { Insert = [If(Rows.Compare("code", ComparisonOperator.Equal, "ab"), ["INCR", "n"])] };
        Compile(table, padded).Insert("1", "ab   ").Outcome.ShouldBe(MapOutcome.Mapped);
        Compile(table, relation).Insert("1", "ab   ").Outcome.ShouldBe(MapOutcome.Nothing);
    }

    [Theory]
    [InlineData(ComparisonOperator.Equal, "x", MapOutcome.NeedsReread)]
    [InlineData(ComparisonOperator.In, "x", MapOutcome.NeedsReread)]
    [InlineData(ComparisonOperator.IsDistinctFrom, "x", MapOutcome.NeedsReread)]
    [InlineData(ComparisonOperator.IsDistinctFrom, "{old:status}", MapOutcome.Nothing)]
    [InlineData(ComparisonOperator.IsNotNull, null, MapOutcome.Mapped)]
    [InlineData(ComparisonOperator.IsNull, null, MapOutcome.Nothing)]
    public void A_value_left_alone_should_be_read_again_where_it_decides(ComparisonOperator op, string? value, MapOutcome expected)
    {
        var condition = value is null ? Rows.Compare("status", op) : Rows.Compare("status", op, value);
        var thin = Relation("id/Integer status amount/Numeric");
        Compile(Table() with { Update = [If(condition, ["INCR", "n"])] }, thin).Update(null, "1", Unchanged, "1").Outcome.ShouldBe(expected);
    }

    [Fact]
    public void A_row_that_may_enter_the_filter_should_be_whole()
    {
        var plan = Compile(Table() with { When = Rows.Compare("id", ComparisonOperator.Greater, "0") }, Relation("id/Integer status"));
        plan.Update(null, "1", Unchanged).Outcome.ShouldBe(MapOutcome.NeedsReread);
        plan.Reread(["1", "long"], "1", Unchanged).Commands.ShouldBe(["HSET|public.orders:1|id|1|status|long"]);
    }

    [Fact]
    public void A_word_against_a_number_should_be_refused() =>
        Issues(Table() with { Insert = [If(Rows.Compare("amount", ComparisonOperator.Greater, "lots"), ["INCR", "n"])] }, Orders)
            .ShouldContain(i => i.Contains("'lots' is no value for column 'amount' of public.orders, which is numeric"));

    /// <summary>A filter on dates took 10000-01-01 for less than 2026-01-01 and removed the key of a row that it wants.</summary>
    [Theory]
    [InlineData("2026-05-01", "10000-01-01")]
    [InlineData("10000-01-01", "294276-12-31")]
    [InlineData("2026-05-01", "infinity")]
    public void A_row_that_stays_in_a_filter_on_dates_should_stay(string before, string now)
    {
        var dated = Relation("id/Integer d/Date", identity: ReplicaIdentity.Full);
        Compile(Table() with { When = Rows.Compare("d", ComparisonOperator.Greater, "2026-01-01") }, dated)
            .Update(["1", before], "1", now).Commands.ShouldBe([$"HSET|public.orders:1|id|1|d|{now}"]);
    }

    [Fact]
    public void A_row_of_before_Christ_should_leave_a_filter_on_dates()
    {
        var dated = Relation("id/Integer d/Date", identity: ReplicaIdentity.Full);
        Compile(Table() with { When = Rows.Compare("d", ComparisonOperator.Greater, "0001-01-01") }, dated)
            .Update(["1", "2026-05-01"], "1", "0044-03-15 BC").Commands.ShouldBe(["DEL|public.orders:1"]);
    }

    [Theory]
    [InlineData("amount", "{status}")]
    [InlineData("amount", "{id}0")]
    [InlineData("active", "{id}")]
    [InlineData("at", "{status}")]
    public void What_PostgreSQL_does_not_compare_without_a_cast_should_be_refused(string column, string value) =>
        Issues(Table() with { Insert = [If(Rows.Compare(column, ComparisonOperator.Equal, value), ["INCR", "n"])] }, Orders)
            .ShouldContain(i => i.Contains("PostgreSQL does not compare the two without a cast"));
}
