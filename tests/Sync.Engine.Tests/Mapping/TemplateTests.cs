using FsCheck;
using FsCheck.Fluent;
using Sync.Engine.Mapping;

namespace Sync.Engine.Tests.Mapping;

public class TemplateTests
{
    [Fact]
    public void Template_should_split_text_and_placeholders()
    {
        var template = Template.Parse("a:{id}:{old:status}{{x}}{%pk%}");
        template.Segments.Select(s => $"{s.Kind}={s.Text}").ShouldBe(["Literal=a:", "Column=id", "Literal=:", "Old=status", "Literal={x}", "PrimaryKey="]);
        template.DependsOnRow.ShouldBeTrue();
    }

    [Fact]
    public void Template_should_put_a_placeholder_between_doubled_braces() =>
        Template.Parse("{{user:{id}}}:x").Segments.Select(s => $"{s.Kind}={s.Text}").ShouldBe(["Literal={user:", "Column=id", "Literal=}:x"]);

    [Fact]
    public void Template_should_read_lists() =>
        Template.Parse("{pairs:a, b}").Segments.Single().Names.ShouldBe(["a", " b"]);

    [Theory]
    [InlineData("{ lead}", "Column= lead")]
    [InlineData("{\"we}ird\"}", "Column=we}ird")]
    [InlineData("{\"a{b\"}", "Column=a{b")]
    [InlineData("{\"say \"\"hi\"\"\"}", "Column=say \"hi\"")]
    [InlineData("{\"%pk%\"}", "Column=%pk%")]
    [InlineData("{\"old:x\"}", "Column=old:x")]
    [InlineData("{old:\"x:y\"}", "Old=x:y")]
    [InlineData("{diff: n }", "Diff= n ")]
    [InlineData("{a.b}", "Column=a.b")]
    public void Template_should_take_any_name(string source, string expected)
    {
        var segment = Template.Parse(source).Segments.ShouldHaveSingleItem();
        $"{segment.Kind}={segment.Text}".ShouldBe(expected);
    }

    [Fact]
    public void Template_should_read_lists_of_any_names() =>
        Template.Parse("{json:a,\"b,c\", \"}\"}").Segments.Single().Names.ShouldBe(["a", "b,c", "}"]);

    [Theory]
    [InlineData("{id", "never closed")]
    [InlineData("id}", "never opened")]
    [InlineData("{}", "without a usable column name")]
    [InlineData("{old:}", "without a usable column name")]
    [InlineData("{\"a\":1}", "without a usable column name")]
    [InlineData("{%key%}", "there are {%schema%}")]
    [InlineData("x{pairs:*}", "has to stand alone")]
    public void Template_should_say_what_is_wrong(string source, string words) =>
        Should.Throw<TemplateException>(() => Template.Parse(source)).Message.ShouldContain(words);

    [Fact]
    public void Any_text_with_doubled_braces_should_stay_itself() =>
        Prop.ForAll<NonNull<string>>(text =>
            Template.Parse(text.Get.Replace("{", "{{").Replace("}", "}}")).Constant.ShouldBe(text.Get)).QuickCheckThrowOnFailure();
}
