using Sync.Contracts.Configuration;
using Sync.Engine.Mapping;
using static Sync.Postgres.Tests.Mapping.ConditionTruth;

namespace Sync.Postgres.Tests.Mapping;

/// <summary>Conditions have to say what PostgreSQL says: every pair of values is compared by both.</summary>
[Collection(PostgresCollection.Name)]
public class ConditionTruthTests(PostgresFixture fixture)
{
    const int RandomValues = 25;

    readonly MappedChange mapped = new();

    public static TheoryData<string> Types => [.. ConditionValues.All.Select(v => v.Type)];

    [Theory]
    [MemberData(nameof(Types))]
    public async Task Constants_should_compare_as_in_PostgreSQL(string type)
    {
        int seed = Random.Shared.Next();
        var values = ConditionValues.All.Single(v => v.Type == type);
        string[] texts = values.Draws(seed, RandomValues);
        await using var database = await Database.CreateAsync(fixture.Server, $"create table t(id int primary key, v {type})");
        var relation = await RelationAsync(database, "t");
        string collate = values.IsCollated ? " collate \"C\"" : "";
        string comparisons = string.Join(", ", Operators.Select(o => $"(a.v{collate} {o.Sql} b.v{collate})"));
        var truth = await QueryAsync(database, $"""
            with l as (select i, s, s::{type} as v, s::{values.ConstantType ?? type} as c from unnest($1::text[]) with ordinality x(s, i))
            select a.i, b.i, format('%s', a.v), {comparisons.Replace("b.v", "b.c", StringComparison.Ordinal)} from l a, l b order by b.i
            """, (object)texts);
        var wrong = new List<string>();
        foreach (var constant in truth.GroupBy(row => (long)row[1]!))
            for (int op = 0; op < Operators.Length; op++)
            {
                string text = texts[constant.Key - 1];
                var (plan, refusal) = Plan(relation, Compare("v", Operators[op].Op, text.Replace("{", "{{", StringComparison.Ordinal).Replace("}", "}}", StringComparison.Ordinal)));
                plan.ShouldNotBeNull($"seed {seed}: {refusal}");
                foreach (var row in constant)
                    if (Holds(plan, mapped, "1", (string)row[2]!) != (bool)row[3 + op]!) wrong.Add($"{row[2]} {Operators[op].Sql} '{text}' is {row[3 + op]} in PostgreSQL");
            }
        truth.Count.ShouldBe(texts.Length * texts.Length);
        wrong.ShouldBeEmpty($"seed {seed}");
    }

    [Theory]
    [InlineData("date", "timestamp")]
    [InlineData("timestamp", "date")]
    [InlineData("date", "timestamptz")]
    [InlineData("timestamptz", "timestamp")]
    [InlineData("int2", "int8")]
    [InlineData("int4", "numeric")]
    [InlineData("numeric", "int8")]
    [InlineData("int8", "double precision")]
    [InlineData("int4", "real")]
    [InlineData("real", "double precision")]
    [InlineData("double precision", "real")]
    [InlineData("real", "real")]
    [InlineData("time", "timetz")]
    [InlineData("timetz", "time")]
    [InlineData("inet", "cidr")]
    [InlineData("cidr", "inet")]
    [InlineData("bit varying", "bit(9)")]
    [InlineData("char(6)", "text")]
    [InlineData("text", "char(6)")]
    [InlineData("varchar", "char(6)")]
    [InlineData("char(6)", "varchar")]
    [InlineData("char(6)", "char(6)")]
    [InlineData("name", "text")]
    [InlineData("text", "name")]
    [InlineData("boolean", "boolean")]
    [InlineData("interval", "interval")]
    [InlineData("bytea", "bytea")]
    [InlineData("\"char\"", "\"char\"")]
    public async Task Columns_should_compare_as_in_PostgreSQL(string left, string right)
    {
        int seed = Random.Shared.Next();
        string[] a = ConditionValues.All.Single(v => v.Type == left).Draws(seed, RandomValues), b = ConditionValues.All.Single(v => v.Type == right).Draws(seed + 1, RandomValues);
        await using var database = await Database.CreateAsync(fixture.Server, $"create table t(id int primary key, v {left}, w {right})");
        var relation = await RelationAsync(database, "t");
        bool isCollated = left is "text" or "varchar" or "char(6)" or "name";
        string comparisons = string.Join(", ", Operators.Select(o => $"(a.v {o.Sql} b.w{(isCollated ? " collate \"C\"" : "")})"));
        var truth = await QueryAsync(database, $"""
            select format('%s', a.v), format('%s', b.w), {comparisons}
            from (select s::{left} as v from unnest($1::text[]) s) a, (select s::{right} as w from unnest($2::text[]) s) b
            """, a, b);
        var wrong = new List<string>();
        for (int op = 0; op < Operators.Length; op++)
        {
            var (plan, refusal) = Plan(relation, Compare("v", Operators[op].Op, "{w}"));
            plan.ShouldNotBeNull(refusal);
            foreach (var row in truth)
                if (Holds(plan, mapped, "1", (string)row[0]!, (string)row[1]!) != (bool)row[2 + op]!)
                    wrong.Add($"{row[0]} {Operators[op].Sql} {row[1]} is {row[2 + op]} in PostgreSQL");
        }
        truth.Count.ShouldBe(a.Length * b.Length);
        wrong.ShouldBeEmpty($"seed {seed}");
    }

    /// <summary>Three-valued logic: random expressions over columns that are often NULL.</summary>
    [Fact]
    public async Task Expressions_should_hold_as_in_PostgreSQL()
    {
        int seed = Random.Shared.Next();
        var random = new Random(seed);
        await using var database = await Database.CreateAsync(fixture.Server, """
            create table t(id int primary key, a int, b int, c text collate "C");
            insert into t select row_number() over (), a, b, c
            from unnest(array[null, 1, 2, 3]) a, unnest(array[null, 1, 2]) b, unnest(array[null, '', 'x', 'y']) c;
            """);
        var relation = await RelationAsync(database, "t");
        var expressions = Enumerable.Range(0, 400).Select(_ => Expression(random, 3)).ToArray();
        var rows = await QueryAsync(database, $"select id::text, a::text, b::text, c, array[{string.Join(", ", expressions.Select(e => $"({e.Sql}) is true"))}] from t");
        var wrong = new List<string>();
        for (int i = 0; i < expressions.Length; i++)
        {
            var (plan, refusal) = Plan(relation, expressions[i].Condition);
            plan.ShouldNotBeNull($"seed {seed}: {expressions[i].Sql}: {refusal}");
            foreach (var row in rows)
                if (Holds(plan, mapped, [.. row.Take(4).Cast<string?>()]) != ((bool[])row[4]!)[i]) wrong.Add($"({row[1] ?? "NULL"}, {row[2] ?? "NULL"}, {row[3] ?? "NULL"}): {expressions[i].Sql}");
        }
        rows.Count.ShouldBe(48);
        wrong.ShouldBeEmpty($"seed {seed}");
    }

    static (Condition Condition, string Sql) Expression(Random random, int depth)
    {
        if (depth == 0 || random.Next(4) == 0) return Leaf(random);
        if (random.Next(3) == 0)
        {
            var (inner, sql) = Expression(random, depth - 1);
            return (new NotCondition(inner, Nowhere), $"not ({sql})");
        }
        var members = Enumerable.Range(0, random.Next(1, 4)).Select(_ => Expression(random, depth - 1)).ToArray();
        Condition[] conditions = [.. members.Select(m => m.Condition)];
        return random.Next(2) == 0
            ? (new AllCondition(conditions, Nowhere), string.Join(" and ", members.Select(m => $"({m.Sql})")))
            : (new AnyCondition(conditions, Nowhere), string.Join(" or ", members.Select(m => $"({m.Sql})")));
    }

    static (Condition Condition, string Sql) Leaf(Random random)
    {
        bool isText = random.Next(3) == 0;
        string column = isText ? "c" : random.Next(2) == 0 ? "a" : "b";
        string[] constants = isText ? ["", "x", "y"] : ["1", "2", "5"];
        (string Value, string Sql) Operand()
        {
            string constant = constants[random.Next(constants.Length)];
            if (isText || random.Next(3) > 0) return (constant, isText ? $"'{constant}'" : constant);
            string other = random.Next(2) == 0 ? "a" : "b";
            return ($"{{{other}}}", other);
        }
        switch (random.Next(5))
        {
            case 0:
                bool isNull = random.Next(2) == 0;
                return (Compare(column, isNull ? ComparisonOperator.IsNull : ComparisonOperator.IsNotNull), $"{column} is {(isNull ? "" : "not ")}null");
            case 1:
                var against = random.Next(3) == 0 ? (Value: null, Sql: "null") : Operand();
                return (Compare(column, ComparisonOperator.IsDistinctFrom, against.Value), $"{column} is distinct from {against.Sql}");
            case 2:
                var set = Enumerable.Range(0, random.Next(1, 4)).Select(_ => Operand()).ToArray();
                bool isIn = random.Next(2) == 0;
                return (Compare(column, isIn ? ComparisonOperator.In : ComparisonOperator.NotIn, [.. set.Select(s => s.Value)]), $"{column} {(isIn ? "" : "not ")}in ({string.Join(", ", set.Select(s => s.Sql))})");
            default:
                var (op, sql) = Operators[random.Next(Operators.Length)];
                var operand = Operand();
                return (Compare(column, op, operand.Value), $"{column} {sql} {operand.Sql}");
        }
    }

    [Theory]
    [InlineData("json", "{{}}", "json")]
    [InlineData("xml", "<a/>", "xml")]
    [InlineData("int[]", "{{1}}", "an array")]
    [InlineData("int4range", "[1,2)", "a range")]
    [InlineData("money", "1", "money")]
    [InlineData("point", "(1,2)", "point")]
    [InlineData("pair", "(1,x)", "of a type that is not built in (oid ")]
    [InlineData("box", "(1,1),(0,0)", "of PostgreSQL's type with oid 603, which a condition can't compare")]
    [InlineData("tsvector", "a", "of PostgreSQL's type with oid 3614, ")]
    [InlineData("circle", "<(0,0),1>", "of PostgreSQL's type with oid 718, ")]
    public async Task A_type_that_is_not_compared_as_in_PostgreSQL_should_be_refused(string type, string value, string named)
    {
        await using var database = await Database.CreateAsync(fixture.Server, $"create type pair as (a int, b text); create table t(id int primary key, v {type}, w {type})");
        var relation = await RelationAsync(database, "t");
        foreach (var op in Enum.GetValues<ComparisonOperator>())
        {
            var (plan, refusal) = Plan(relation, op is ComparisonOperator.IsNull or ComparisonOperator.IsNotNull ? Compare("v", op) : Compare("v", op, value));
            if (op is ComparisonOperator.IsNull or ComparisonOperator.IsNotNull) plan.ShouldNotBeNull(refusal);
            else refusal.ShouldStartWith($"column 'v' of public.t is {named}");
        }
        Plan(relation, Compare("v", ComparisonOperator.IsDistinctFrom, "{w}")).Plan.ShouldBeNull();
        Plan(relation, Compare("v", ComparisonOperator.IsDistinctFrom, "{old:v}")).Plan.ShouldNotBeNull();
    }

    [Fact]
    public async Task Jsonb_should_be_equal_as_in_PostgreSQL()
    {
        int seed = Random.Shared.Next();
        var random = new Random(seed);
        string[] odd = ["{}", "[]", "null", "1", "1.0", "1.00", "1e2", "100", "-0", "0", "\"1\"", "\"\\u00e4\"", "\"ä\"", " { \"b\" : 1, \"a\":[1.50,null] } ", "{\"a\":[1.5,null],\"b\":1}", "123456789012345678901234567890.10", "123456789012345678901234567890.1"];
        string[] texts = [.. odd, .. Enumerable.Range(0, 40).Select(_ => Document(random, 2))];
        await using var database = await Database.CreateAsync(fixture.Server, "create table t(id int primary key, v jsonb)");
        var relation = await RelationAsync(database, "t");
        var truth = await QueryAsync(database, """
            with l as (select i, s, s::jsonb as v from unnest($1::text[]) with ordinality x(s, i))
            select a.i, b.i, a.v::text, a.v = b.v from l a, l b
            """, (object)texts);
        var wrong = new List<string>();
        foreach (var constant in truth.GroupBy(row => (long)row[1]!))
        {
            string text = texts[constant.Key - 1];
            string escaped = text.Replace("{", "{{", StringComparison.Ordinal).Replace("}", "}}", StringComparison.Ordinal);
            var (equal, refusal) = Plan(relation, Compare("v", ComparisonOperator.Equal, escaped));
            equal.ShouldNotBeNull($"seed {seed}: {refusal}");
            var unequal = Plan(relation, Compare("v", ComparisonOperator.NotIn, escaped)).Plan!;
            foreach (var row in constant)
                if (Holds(equal, mapped, "1", (string)row[2]!) != (bool)row[3]! || Holds(unequal, mapped, "1", (string)row[2]!) == (bool)row[3]!)
                    wrong.Add($"{row[2]} = '{text}' is {row[3]} in PostgreSQL");
        }
        wrong.ShouldBeEmpty($"seed {seed}");
        Plan(relation, Compare("v", ComparisonOperator.Less, "1")).Refusal.ShouldContain("which a condition can't put in PostgreSQL's order");
        Plan(relation, Compare("v", ComparisonOperator.Equal, "{{")).Refusal.ShouldContain("'{' is no value for column 'v' of public.t, which is jsonb");
    }

    static string Document(Random random, int depth) => random.Next(depth == 0 ? 3 : 5) switch
    {
        0 => random.Next(3) switch { 0 => "1", 1 => "1.0", _ => "2" },
        1 => random.Next(2) == 0 ? "\"x\"" : "true",
        2 => "null",
        3 => $"[{string.Join(", ", Enumerable.Range(0, random.Next(3)).Select(_ => Document(random, depth - 1)))}]",
        _ => $"{{{string.Join(",", new[] { "a", "b" }.OrderBy(_ => random.Next()).Take(random.Next(3)).Select(name => $"\"{name}\": {Document(random, depth - 1)}"))}}}",
    };

    [Fact]
    public async Task Enums_and_domains_should_compare_as_what_they_are()
    {
        await using var database = await Database.CreateAsync(fixture.Server, """
            create type mood as enum ('sad', 'ok', 'happy');
            create type other as enum ('ok');
            create domain code as char(4);
            create domain codes as code;
            create domain moods as mood;
            create table t(id int primary key, m mood, n moods, o other, c codes);
            """);
        var relation = await RelationAsync(database, "t");
        string?[] row = ["1", "ok", "ok", "ok", "ab  "];
        Holds(Plan(relation, Compare("m", ComparisonOperator.Equal, "ok")).Plan!, mapped, row).ShouldBeTrue();
        Holds(Plan(relation, Compare("n", ComparisonOperator.NotIn, "sad", "happy")).Plan!, mapped, row).ShouldBeTrue();
        Holds(Plan(relation, Compare("m", ComparisonOperator.Equal, "{n}")).Plan!, mapped, row).ShouldBeTrue();
        Holds(Plan(relation, Compare("c", ComparisonOperator.Equal, "ab")).Plan!, mapped, row).ShouldBeTrue();
        Plan(relation, Compare("m", ComparisonOperator.Less, "happy")).Refusal.ShouldContain("the order of its values stands in PostgreSQL's catalog only");
        Plan(relation, Compare("m", ComparisonOperator.Equal, "{o}")).Refusal.ShouldContain("PostgreSQL does not compare the two without a cast");
    }

    [Theory]
    [InlineData("int4", "lots")]
    [InlineData("oid", "1.5")]
    [InlineData("real", "1e39")]
    [InlineData("double precision", "1e-400")]
    [InlineData("boolean", "maybe")]
    [InlineData("boolean", "o")]
    [InlineData("date", "2026-02-30")]
    [InlineData("date", "0000-01-01")]
    [InlineData("date", "31.12.2026")]
    [InlineData("date", "5874898-01-01")]
    [InlineData("timestamp", "294277-01-01")]
    [InlineData("timestamptz", "2026-01-01 25:00")]
    [InlineData("timestamptz", "2026-01-01 12:00+17")]
    [InlineData("time", "24:00:01")]
    [InlineData("interval", "3 parsecs")]
    [InlineData("uuid", "1")]
    [InlineData("inet", "10.0.0.256")]
    [InlineData("cidr", "10.0.0.1/8")]
    [InlineData("macaddr", "08:00:2b:01:02")]
    [InlineData("bit varying", "012")]
    [InlineData("bytea", @"\x0")]
    public async Task A_constant_that_PostgreSQL_does_not_take_should_be_refused(string type, string text)
    {
        await using var database = await Database.CreateAsync(fixture.Server, $"create table t(id int primary key, v {type})");
        await Should.ThrowAsync<Npgsql.PostgresException>(() => QueryAsync(database, $"select $1::{type}::text", text));
        Plan(await RelationAsync(database, "t"), Compare("v", ComparisonOperator.Equal, text)).Refusal.ShouldStartWith($"'{text}' is no value for column 'v' of public.t");
    }
}
