using Sync.Contracts.Configuration;

namespace Sync.Contracts.Tests.Configuration;

public class TableConfigTests
{
    [Theory]
    [InlineData("- public.orders", "public", "orders")]
    [InlineData("- orders", "public", "orders")]
    [InlineData("- sales.Orders:", "sales", "Orders")]
    [InlineData("- sales.orders: {}", "sales", "orders")]
    [InlineData("- '\"My Schema\".\"t.x\"'", "My Schema", "t.x")]
    [InlineData("- '\"My Schema\".\"t.x\"': {ttl: 1h}", "My Schema", "t.x")]
    [InlineData("- '\"a\"\"b\"'", "public", "a\"b")]
    [InlineData("- name: sales.orders", "sales", "orders")]
    [InlineData("- {name: sales.orders, ttl: 1h}", "sales", "orders")]
    [InlineData("- name: {ttl: 1h}", "public", "name")]
    [InlineData("- name:", "public", "name")]
    public void Table_should_be_named_in_every_form(string entry, string schema, string name)
    {
        var table = Given.Config($"{Given.Head}tables:\n  {entry}\n").Tables.ShouldHaveSingleItem();
        (table.Schema, table.Name).ShouldBe((schema, name));
        table.Position.Line.ShouldBe(8);
        table.Commands.ShouldBeNull();
        table.IsPerOperation.ShouldBeFalse();
    }

    [Theory]
    [InlineData("")]
    [InlineData(".")]
    [InlineData("a.")]
    [InlineData(".a")]
    [InlineData("a.b.c")]
    [InlineData("\"a")]
    [InlineData("\"a\"b")]
    [InlineData("a\"b")]
    [InlineData("\"\"")]
    [InlineData("a. b")]
    public void Table_name_should_refuse_other_text(string text) => TableName.TryParse(text, out _).ShouldBeFalse();

    [Fact]
    public void Every_key_of_a_table_should_be_read()
    {
        var table = Given.TableWith("""
            ttl: 1h
            ttlJitter: 90
            key: "{customer_id}"
            tags: ["customer:{customer_id}", all]
            action: invalidate
            truncate: resync
            columns:
              include: [id, name, 3]
              exclude: secret
              rename: {name: title}
            when: {column: deleted, op: is_null}
            """);
        (table.Ttl, table.TtlJitter).ShouldBe((TimeSpan.FromHours(1), TimeSpan.FromSeconds(90)));
        table.Key.ShouldBe("{customer_id}");
        table.Tags.ShouldBe(["customer:{customer_id}", "all"]);
        table.Action.ShouldBe(TableAction.Invalidate);
        table.Truncate.Mode.ShouldBe(TruncateMode.Resync);
        table.Columns.Include.ShouldBe(["id", "name", "3"]);
        table.Columns.Exclude.ShouldBe(["secret"]);
        table.Columns.Rename.ShouldNotBeNull().ShouldHaveSingleItem().ShouldBe(new("name", "title"));
        table.When.ShouldBeOfType<ComparisonCondition>().Operator.ShouldBe(ComparisonOperator.IsNull);
    }

    [Theory]
    [InlineData("commands: [[hset, 'orders:{id}', '{pairs:*}']]", "HSET orders:{id} {pairs:*}")]
    [InlineData("commands:\n  - [SET, 'o:{id}', 1.50, ex, 007]", "SET o:{id} 1.50 ex 007")]
    [InlineData("commands:\n  - - SADD\n    - true\n    - ''", "SADD true ")]
    [InlineData("commands: [HSET, 'orders:{id}', a, null_]", "HSET orders:{id} a null_")]
    [InlineData("commands: {command: [DEL, k]}", "DEL k")]
    [InlineData("commands: [{command: [DEL, k]}, [INCR, n]]", "DEL k; INCR n")]
    [InlineData("commands: [{command: [[DEL, k], [INCR, n]]}]", "DEL k + INCR n")]
    [InlineData("commands: [[[DEL, k], [INCR, n]], [INCR, m]]", "DEL k + INCR n; INCR m")]
    public void Commands_should_be_read_in_every_form(string body, string expected) =>
        Text(Given.TableWith(body).Commands).ShouldBe(expected);

    [Fact]
    public void Operations_should_have_commands_of_their_own()
    {
        var table = Given.TableWith("""
            insert: {commands: [[INCR, n]]}
            update: {commands: []}
            delete:
            truncate: {commands: [[DEL, n]]}
            """);
        Text(table.Insert).ShouldBe("INCR n");
        table.Update.ShouldNotBeNull().ShouldBeEmpty();
        table.Delete.ShouldNotBeNull().ShouldBeEmpty();
        table.Commands.ShouldBeNull();
        table.Truncate.Mode.ShouldBe(TruncateMode.Commands);
        Text(table.Truncate.Commands).ShouldBe("DEL n");
        table.IsPerOperation.ShouldBeTrue();
    }

    [Fact]
    public void Commands_may_stand_beside_those_of_one_operation()
    {
        var table = Given.TableWith("commands: [[INCR, n]]\ndelete: {commands: [[DECR, n]]}");
        (Text(table.Commands), Text(table.Delete), table.Insert).ShouldBe(("INCR n", "DECR n", null));
    }

    [Fact]
    public void Empty_commands_of_a_table_should_mean_the_default() => Given.TableWith("commands: []").Commands.ShouldBeNull();

    [Theory]
    [InlineData("=", ComparisonOperator.Equal)]
    [InlineData("==", ComparisonOperator.Equal)]
    [InlineData("<>", ComparisonOperator.NotEqual)]
    [InlineData("!=", ComparisonOperator.NotEqual)]
    [InlineData("<", ComparisonOperator.Less)]
    [InlineData(">", ComparisonOperator.Greater)]
    [InlineData("<=", ComparisonOperator.LessOrEqual)]
    [InlineData(">=", ComparisonOperator.GreaterOrEqual)]
    [InlineData("is_distinct_from", ComparisonOperator.IsDistinctFrom)]
    [InlineData("IS_DISTINCT_FROM", ComparisonOperator.IsDistinctFrom)]
    public void Operator_with_one_value_should_be_read(string op, ComparisonOperator expected)
    {
        var condition = Comparison($"{{column: a, op: '{op}', value: '{{old:a}}'}}");
        (condition.Column, condition.Operator).ShouldBe(("a", expected));
        condition.Values.ShouldBe(["{old:a}"]);
        Comparison($"{{column: a, op: '{op}', values: [5]}}").Values.ShouldBe(["5"]);
    }

    [Theory]
    [InlineData("{column: a, op: in, values: [x, 1, true]}", ComparisonOperator.In, "x 1 true")]
    [InlineData("{column: a, op: Not_In, values: x}", ComparisonOperator.NotIn, "x")]
    [InlineData("{column: a, op: in, value: [x, y]}", ComparisonOperator.In, "x y")]
    [InlineData("{column: a, op: in, value: x}", ComparisonOperator.In, "x")]
    public void Operator_with_many_values_should_be_read(string condition, ComparisonOperator op, string values)
    {
        var read = Comparison(condition);
        read.Operator.ShouldBe(op);
        string.Join(' ', read.Values).ShouldBe(values);
    }

    [Theory]
    [InlineData("value: null")]
    [InlineData("value:")]
    [InlineData("value: ~")]
    public void Distinct_from_null_should_keep_null(string value) =>
        Comparison($"\n        column: a\n        op: is_distinct_from\n        {value}").Values.ShouldBe([null]);

    [Fact]
    public void Quoted_null_should_be_a_text() => Comparison("{column: a, op: '=', value: 'null'}").Values.ShouldBe(["null"]);

    [Theory]
    [InlineData("is_null", ComparisonOperator.IsNull)]
    [InlineData("is_not_null", ComparisonOperator.IsNotNull)]
    public void Null_tests_should_have_no_value(string op, ComparisonOperator expected)
    {
        var condition = Comparison($"{{column: a, op: {op}}}");
        condition.Operator.ShouldBe(expected);
        condition.Values.ShouldBeEmpty();
    }

    [Fact]
    public void Conditions_should_nest()
    {
        var table = Given.TableWith("""
            when:
              all:
                - {column: a, op: "=", value: 1}
                - any:
                    - {column: b, op: is_null}
                    - not: {column: c, op: in, values: [x]}
            commands:
              - command: [INCR, n]
                condition: {not: {all: [{column: d, op: "<", value: 2}]}}
            """);
        var all = table.When.ShouldBeOfType<AllCondition>();
        all.Conditions[0].ShouldBeOfType<ComparisonCondition>().Column.ShouldBe("a");
        var any = all.Conditions[1].ShouldBeOfType<AnyCondition>();
        any.Conditions[1].ShouldBeOfType<NotCondition>().Inner.ShouldBeOfType<ComparisonCondition>().Column.ShouldBe("c");
        any.Position.ToString().ShouldBe("config.yaml:12:13");
        table.Commands!.Single().Condition.ShouldBeOfType<NotCondition>().Inner.ShouldBeOfType<AllCondition>();
    }

    [Theory]
    [InlineData("comands: []", "9:7: unknown key 'comands' in 'tables[]' (did you mean 'commands'?)")]
    [InlineData("commands: SET a b", "9:17: a command must be an array, as in [\"SET\", \"a\", \"b\"]")]
    [InlineData("commands:\n  - SET a b", "10:11: a command must be an array, as in [\"SET\", \"a\", \"b\"]")]
    [InlineData("commands: [['SET a b']]", "9:19: a command must be an array, as in [\"SET\", \"a\", \"b\"]")]
    [InlineData("commands: [[GET, a]]", "9:19: unknown command 'GET' (did you mean 'SET'?)")]
    [InlineData("commands: [[hst, a, b, c]]", "9:19: unknown command 'HST' (did you mean 'HSET'?)")]
    [InlineData("commands: [[FLUSHALL, a]]", "9:19: unknown command 'FLUSHALL'")]
    [InlineData("commands: [[SET, a]]", "9:19: SET takes at least 2 arguments after its name, not 1")]
    [InlineData("commands: [[SET, a, 1, EXX, 5]]", "9:30: SET doesn't know the option 'EXX' here")]
    [InlineData("commands: [[HSET, k, {pairs:*}]]", "9:28: an argument must be a text, not a map; quote placeholders, as in \"{pairs:*}\"")]
    [InlineData("commands: [[SET, k, null]]", "9:27: an argument is empty; write \"\" for an empty text or \"null\" for the word")]
    [InlineData("commands: [[]]", "9:18: this command is empty; write [\"HSET\", \"orders:{id}\", \"{pairs:*}\"]")]
    [InlineData("commands: [{condition: {column: a, op: is_null}}]", "9:18: a map under 'commands' needs the key 'command'; an array needs no map around it")]
    [InlineData("commands: [{command: [DEL, k], conditon: {}}]", "9:38: unknown key 'conditon' in 'tables[].commands[]' (did you mean 'condition'?)")]
    [InlineData("commands: [{command: [[DEL, k], DEL]}]", "9:29: an argument must be a text, not a list; a group of commands is a list of arrays under 'command'")]
    [InlineData("insert: [[DEL, k]]", "9:15: 'tables[].insert' must be a map, not a list")]
    [InlineData("insert: {command: [DEL, k]}", "9:16: unknown key 'command' in 'tables[].insert' (did you mean 'commands'?)")]
    [InlineData("truncate: ignored", "9:17: 'truncate' must be ignore, resync or a map with commands, not 'ignored' (did you mean 'ignore'?)")]
    [InlineData("truncate: {commands: []}", "9:17: 'truncate' names no commands; write 'truncate: ignore' to do nothing")]
    [InlineData("ttl: 0", "9:12: 'tables[].ttl' must be a duration such as 500ms, 2s, 1m30s or 1h over 0s and up to 876000h, not '0'")]
    [InlineData("ttl: 0.0005s", "9:12: 'ttl' must be whole milliseconds, not 0.5ms")]
    [InlineData("ttlJitter: 1s", "9:18: 'ttlJitter' needs 'ttl': without it keys live for ever")]
    [InlineData("action: delete", "9:15: 'tables[].action' must be write or invalidate, not 'delete'")]
    [InlineData("tags: {a: b}", "9:13: 'tables[].tags' must be a list of texts, not a map")]
    [InlineData("tags: [[a]]", "9:14: an entry of 'tables[].tags' must be a text, not a list")]
    [InlineData("columns: {rename: [a]}", "9:25: 'rename' must be a map from column to field, not a list")]
    [InlineData("columns: {rename: {a: x, b: x}}", "9:35: two columns are renamed to 'x'")]
    [InlineData("columns: {only: [a]}", "9:17: unknown key 'only' in 'tables[].columns'")]
    [InlineData("when: paid", "9:13: a condition must be a map such as {column: status, op: \"=\", value: paid}, not a text")]
    [InlineData("when: {op: '=', value: 1}", "9:13: a condition needs the key 'column'")]
    [InlineData("when: {column: a, value: 1}", "9:13: a condition needs the key 'op', such as \"=\"")]
    [InlineData("when: {column: a, op: like, value: 1}", "9:29: unknown operator 'like'; the operators are = <> < > <= >= in not_in is_null is_not_null is_distinct_from")]
    [InlineData("when: {column: a, op: notin, value: 1}", "9:29: unknown operator 'notin' (did you mean 'not_in'?); the operators are = <> < > <= >= in not_in is_null is_not_null is_distinct_from")]
    [InlineData("when: {column: a, op: '='}", "9:13: operator '=' needs 'value'")]
    [InlineData("when: {column: a, op: in}", "9:13: operator 'in' needs 'values'")]
    [InlineData("when: {column: a, op: in, values: []}", "9:41: operator 'in' needs at least one value")]
    [InlineData("when: {column: a, op: '=', values: [1, 2]}", "9:42: operator '=' takes one value, not 2")]
    [InlineData("when: {column: a, op: is_null, value: 1}", "9:45: operator 'is_null' takes no value")]
    [InlineData("when: {column: a, op: '=', value: 1, values: [1]}", "9:52: a condition has 'value' or 'values', not both")]
    [InlineData("when: {column: a, op: '=', value: null}", "9:41: operator '=' can't compare with null; use is_null, is_not_null or is_distinct_from, or write \"\" for an empty text")]
    [InlineData("when: {column: a, op: '=', value: {old:status}}", "9:41: a value must be a text, not a map; quote placeholders, as in \"{old:status}\"")]
    [InlineData("when: {column: a, op: '=', valu: 1}", "9:34: unknown key 'valu' in 'tables[].when' (did you mean 'value'?)")]
    [InlineData("when: {all: [], any: []}", "9:13: a condition is either one comparison or one of 'all', 'any' and 'not'")]
    [InlineData("when: {all: []}", "9:19: 'all' must be a list of conditions, not an empty list")]
    [InlineData("when: {any: {column: a, op: is_null}}", "9:19: 'any' must be a list of conditions, not a map")]
    public void Table_mistake_should_be_named_with_its_position(string body, string expected) =>
        Given.TableErrors(body).Split('\n')[0].ShouldBe("config.yaml:" + expected);

    [Fact]
    public void Conditions_nested_too_deep_should_be_refused() =>
        Given.TableErrors("when: " + string.Concat(Enumerable.Repeat("{not: ", 25)) + "{column: a, op: is_null}" + new string('}', 25)).ShouldContain("conditions may be nested 20 deep");

    static ComparisonCondition Comparison(string condition) =>
        Given.Config($"{Given.Head}tables:\n  - orders:\n      when: {condition}\n").Tables.Single().When.ShouldBeOfType<ComparisonCondition>();

    internal static string Text(IReadOnlyList<CommandRule>? rules) =>
        string.Join("; ", rules.ShouldNotBeNull().Select(r => string.Join(" + ", r.Commands.Select(c => string.Join(' ', c.Arguments)))));
}
