using FsCheck;
using FsCheck.Fluent;
using Sync.Contracts.Rows;
using static Sync.Engine.Tests.Mapping.Rows;

namespace Sync.Engine.Tests.Mapping;

/// <summary>Rows ('x:y', 'z') and ('x', 'y:z') shared one key, and deleting the one removed the other.</summary>
public class CompositeKeyTests
{
    static readonly Relation Pairs = Relation("a b v/Integer", "a,b", name: "public.c");

    static Relation Typed(params (string Name, uint Oid)[] key) => new()
    {
        Oid = 1,
        Schema = "public",
        Name = "c",
        Identity = ReplicaIdentity.Default,
        Columns = [.. key.Select(k => new RelationColumn(k.Name, k.Oid, ColumnType.Text, InIdentity: true))],
        PrimaryKey = [.. Enumerable.Range(0, key.Length)],
    };

    [Fact]
    public void Rows_whose_texts_join_alike_should_have_keys_of_their_own()
    {
        var plan = Compile(Table() with { Name = "c" }, Pairs);
        plan.Insert("x:y", "z", "1").Commands.ShouldBe([@"HSET|public.c:x\:y:z|a|x:y|b|z|v|1"]);
        plan.Insert("x", "y:z", "2").Commands.ShouldBe(["HSET|public.c:x:y:z|a|x|b|y:z|v|2"]);
        plan.Delete("x:y", "z", Missing).Commands.ShouldBe([@"DEL|public.c:x\:y:z"]);
        plan.Insert("x:y", "z", "1").Parts[0].Key.ShouldNotBe(plan.Insert("x", "y:z", "2").Parts[0].Key);
    }

    [Theory]
    [InlineData(@"x\", "z", @"x\\:z")]
    [InlineData("x", @"y\:z", @"x:y\:z")]
    [InlineData("", "", ":")]
    [InlineData("new york", "a/b", "new york:a/b")]
    [InlineData("order", "http://shop:80/", "order:http://shop:80/")]
    public void Only_what_another_text_follows_should_be_escaped(string a, string b, string key) =>
        Compile(Table(["SET", "{%pk%}", "{v}"]), Pairs).Insert(a, b, "1").Commands.ShouldBe([$"SET|{key}|1"]);

    [Fact]
    public void Types_whose_end_is_known_should_stay_as_they_are()
    {
        string Key(Relation relation, params string[] values) => Compile(Table(["SET", "{%pk%}", "1"]), relation).Insert(values).Commands.Single().Split('|')[1];
        Key(Typed(("id", 23), ("b", 25)), "7", "y:z").ShouldBe("7:y:z");
        Key(Typed(("a", 25), ("at", 1184)), "x:y", "2026-01-01 12:00:00+00").ShouldBe("x:y:2026-01-01 12:00:00+00");
        Key(Typed(("at", 1083), ("mac", 829), ("b", 25)), "12:00:00", "08:00:2b:01:02:03", "x:y").ShouldBe("12:00:00:08:00:2b:01:02:03:x:y");
        Key(Typed(("a", 25), ("id", 23), ("b", 869), ("c", 1043)), "x:y", "7", "::1", "z:").ShouldBe(@"x\:y:7:\:\:1:z:");
    }

    [Fact]
    public void Two_rows_should_never_share_a_key_and_a_key_should_lead_back_to_its_row()
    {
        var plan = Compile(Table(["SET", "{%pk%}", "1"]), Relation("a b/Integer c d", "a,b,c"));
        var text = Gen.Elements(':', '\\', '1').ListOf().Select(c => string.Concat(c.Take(4)));
        var row = Gen.Choose(-1, 1).SelectMany(b => text.SelectMany(a => text.Select(c => (string[])[a, $"{b}", c])));
        Prop.ForAll(Arb.From(row), Arb.From(row), (one, other) =>
        {
            string Key(string[] r) => plan.Insert(r[0], r[1], r[2], "d").Commands.Single().Split('|')[1];
            string Order(string[] r) => plan.Insert(r[0], r[1], r[2], "d").Parts[0].Key;
            (Key(one) == Key(other)).ShouldBe(one.SequenceEqual(other));
            (Order(one) == Order(other)).ShouldBe(one.SequenceEqual(other));
            plan.KeyTemplates.Single().Pattern.Matches(Key(one)).ShouldBeTrue();
            plan.KeyTemplates.Single().TryExtractPrimaryKey(Key(one), out var found).ShouldBeTrue();
            found.ShouldBe(one);
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(3000));
    }

    [Fact]
    public void Ordering_keys_of_two_tables_should_differ()
    {
        string Order(string schema, string table, params string[] row) => Compile(Table(["SET", "{a}", "1"]), Typed(("a", 25), ("b", 25)) switch
        {
            var r => new Relation { Oid = 1, Schema = schema, Name = table, Identity = r.Identity, Columns = r.Columns, PrimaryKey = r.PrimaryKey },
        }).Insert(row).Parts[0].Key;
        Order("a", "b.c", "x", "y").ShouldNotBe(Order("a.b", "c", "x", "y"));
        Order("public", "orders", "x", "y").ShouldBe("public.orders:x:y");
    }

    [Theory]
    [InlineData("k:{a}:{b}", "'a' and 'b' may hold any text")]
    [InlineData("k:{a}:{v}:{b}", "'a' and 'b' may hold any text")]
    [InlineData("{a}{v}", "nothing separates 'a' and 'v'")]
    [InlineData("{v}{w}", "nothing separates 'v' and 'w'")]
    [InlineData("{v}0{w}", "the '0' between 'v' and 'w' may belong to either")]
    public void Templates_whose_keys_may_be_equal_should_be_named(string template, string why) =>
        Issues(Table(["SADD", template, "{v}"]), Relation("a b v/Integer w/Integer", "v"))
            .ShouldContain(i => i.StartsWith($"Warning: public.orders: different rows may give '{template}' the same text, because {why}; ", StringComparison.Ordinal));

    [Theory]
    [InlineData("k:{%pk%}")]
    [InlineData("k:{%pk%}:{v}")]
    [InlineData("k:{v}:{a}:{w}")]
    [InlineData("k:{v}-{w}")]
    [InlineData("k:{a}")]
    [InlineData("k:{a}:{a}")]
    public void Templates_that_lead_back_to_their_values_should_not_be_named(string template) =>
        Issues(Table(["SADD", template, "{v}"]), Relation("a b v/Integer w/Integer", "a,b")).ShouldNotContain(i => i.Contains("the same text"));

    [Fact]
    public void A_template_should_not_be_named_when_it_leads_to_the_row_all_the_same() =>
        Issues(Table(["SET", "k:{a}:{b}:{v}", "1"]), Relation("a b v/Integer", "v")).ShouldNotContain(i => i.Contains("the same text"));

    [Theory]
    [InlineData("SET|u:{email}|{v}", "key: \"u:{email}\"")]
    [InlineData("HSET|u:{email}|{pairs:*}", "key: \"u:{email}\"")]
    [InlineData("HSET|stats|{email}|{v}", "key: \"stats:{email}\"")]
    [InlineData("ZADD|board|{v}|{email}", "key: \"board:{email}\"")]
    [InlineData("SET|last|{id}", "key: \"last\"")]
    public void A_place_that_rows_share_without_an_order_should_be_named_with_the_line_that_helps(string command, string line)
    {
        string[] arguments = command.Split('|');
        var relation = Relation("id/Integer email v/Integer");
        Issues(Table(arguments), relation).ShouldContain(i => i.Contains("several rows may write") && i.EndsWith(line, StringComparison.Ordinal));
        Issues(Table(arguments) with { Key = line[6..^1] }, relation).ShouldNotContain(i => i.Contains("several rows may write"));
    }

    [Theory]
    [InlineData("SET|u:{email}:{id}|{v}")]
    [InlineData("HSET|stats|{id}|{v}")]
    [InlineData("SADD|u:{email}|{id}")]
    [InlineData("ZADD|board|{v}|{id}")]
    [InlineData("INCRBY|sum:{email}|{v}")]
    [InlineData("XADD|log|*|id|{id}")]
    [InlineData("SET|touched|1")]
    public void A_place_of_one_row_and_a_command_that_needs_no_order_should_not_be_named(string command) =>
        Issues(Table(command.Split('|')), Relation("id/Integer email v/Integer")).ShouldNotContain(i => i.Contains("several rows may write"));
}
