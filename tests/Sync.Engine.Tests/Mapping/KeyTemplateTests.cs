using FsCheck;
using FsCheck.Fluent;
using Sync.Contracts.Rows;
using Sync.Engine.Mapping;
using static Sync.Engine.Tests.Mapping.Rows;

namespace Sync.Engine.Tests.Mapping;

public class KeyTemplateTests
{
    static readonly Relation Lines = Relation("order_id/Integer line/Integer sku status", "order_id,line");
    static readonly Relation Names = Relation("first last age/Integer", "first,last");

    [Theory]
    [InlineData("line:{%pk%}", "line:7:2", "order_id=7 line=2")]
    [InlineData("line:{line}/{order_id}", "line:2/7", "line=2 order_id=7")]
    [InlineData("{%schema%}.{%table%}:{order_id}:{{x}}:{line}", "public.orders:7:{x}:2", "order_id=7 line=2")]
    [InlineData("s:{status}:{order_id}:{line}", "s:a:b:c:-7:0", "status=a:b:c order_id=-7 line=0")]
    [InlineData("{order_id}:{order_id}:{line}", "7:7:2", "order_id=7 line=2")]
    [InlineData("last:{status}", "last:", "status=")]
    [InlineData("last:{status}", "last:ü\n*", "status=ü\n*")]
    public void Template_should_give_back_the_columns(string template, string key, string expected)
    {
        Key(template, Lines).TryExtract(key, out var values).ShouldBeTrue();
        string.Join(' ', values!.Select(v => $"{v.Key}={v.Value}")).ShouldBe(expected);
    }

    [Theory]
    [InlineData("line:{%pk%}", "line:7")]
    [InlineData("line:{%pk%}", "line:7:2:1")]
    [InlineData("line:{%pk%}", "line:07:2")]
    [InlineData("line:{%pk%}", "line:7:2 ")]
    [InlineData("line:{%pk%}", "Line:7:2")]
    [InlineData("{order_id}:{order_id}:{line}", "7:8:2")]
    public void Template_should_refuse_what_it_did_not_make(string template, string key)
    {
        Key(template, Lines).TryExtract(key, out _).ShouldBeFalse();
        Key(template, Lines).Readings(key).ShouldBeEmpty();
    }

    [Fact]
    public void Texts_beside_each_other_should_be_taken_only_where_one_reading_is_left()
    {
        var key = Key("n:{first}:{last}", Names);
        key.TryExtractPrimaryKey("n:Ada:Lovelace", out var one).ShouldBeTrue();
        one.ShouldBe(["Ada", "Lovelace"]);
        key.TryExtractPrimaryKey("n:a:b:c", out _).ShouldBeFalse();
        key.Readings("n:a:b:c").Select(r => $"{r[0]}|{r[1]}").ShouldBe(["a|b:c", "a:b|c"]);
    }

    [Fact]
    public void Key_with_endless_readings_should_end_undecided()
    {
        var relation = Relation("a b c d e", "a,b,c,d,e");
        var key = Key("{a}{b}{c}{d}{e}", relation);
        KeyTemplate.IsComplete(key.Readings(new string('x', 400)).Count).ShouldBeFalse();
        Key("{a}:{b}:{c}:{d}:{e}!", relation).TryExtract(string.Join(':', Enumerable.Repeat("x", 300)), out _).ShouldBeFalse();
    }

    [Fact]
    public void What_is_no_column_should_be_skipped()
    {
        var key = Key("log:{%xid%}:{order_id}:{line}", Lines);
        key.TryExtractPrimaryKey("log:77:7:2", out var found).ShouldBeTrue();
        found.ShouldBe(["7", "2"]);
    }

    [Theory]
    [InlineData("line:{%pk%}", true)]
    [InlineData("line:{line}:{order_id}", true)]
    [InlineData("line:{order_id}", false)]
    [InlineData("all", false)]
    public void Template_should_know_whether_it_leads_to_one_row(string template, bool expected)
    {
        Key(template, Lines).HoldsPrimaryKey.ShouldBe(expected);
        if (!expected) Key(template, Lines).TryExtractPrimaryKey("line:7", out _).ShouldBeFalse();
    }

    [Theory]
    [InlineData("TimestampTz", "2026-01-02 03:04:05.25+00")]
    [InlineData("Timestamp", "0044-03-15 00:00:00 BC")]
    [InlineData("Date", "-infinity")]
    [InlineData("Numeric", "-0.50")]
    [InlineData("Float", "1e-07")]
    [InlineData("Numeric", "NaN")]
    [InlineData("Boolean", "true")]
    [InlineData("Bytea", "\\x00ff")]
    public void Types_with_a_shape_should_be_told_apart_from_text_beside_them(string kind, string value)
    {
        var key = Key("k:{id}:{note}", Relation($"id/{kind} note"));
        key.TryExtractPrimaryKey($"k:{value}:x", out var found).ShouldBeTrue();
        found.ShouldBe([value]);
        key.TryExtractPrimaryKey("k:nothing:x", out _).ShouldBeFalse();
    }

    [Fact]
    public void Every_key_that_a_plan_makes_should_be_read_back_to_its_row() =>
        Prop.ForAll<int, NonNull<string>, int>((id, text, line) =>
        {
            string status = text.Get.Replace("\0", "", StringComparison.Ordinal);
            if (status.Any(char.IsSurrogate)) return;
            var plan = Compile(Table(["SET", "x:{status}:{order_id}:{line}", "1"]), Lines);
            string key = plan.Insert($"{id}", $"{line}", "s", status).Commands.Single().Split('|')[^2];
            if (status.Contains('|')) return;
            var template = plan.KeyTemplates.Single();
            template.Pattern.Matches(key).ShouldBeTrue();
            template.TryExtract(key, out var values).ShouldBeTrue();
            values!["status"].ShouldBe(status);
            template.TryExtractPrimaryKey(key, out var found).ShouldBeTrue();
            found.ShouldBe([$"{id}", $"{line}"]);
        }).QuickCheckThrowOnFailure();

    static KeyTemplate Key(string template, Relation relation) => Compile(Table(["SET", template, "1"]), relation).KeyTemplates.Single();
}
