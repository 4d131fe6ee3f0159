using FsCheck;
using FsCheck.Fluent;
using Sync.Contracts.Configuration;
using Sync.Node.Commands.Init;

namespace Sync.Node.Tests.Commands;

public sealed class YamlTextTests
{
    [Theory]
    [InlineData("orders", "orders")]
    [InlineData("/var/run/postgresql", "/var/run/postgresql")]
    [InlineData("no", "\"no\"")]
    [InlineData("NULL", "\"NULL\"")]
    [InlineData("1e5", "\"1e5\"")]
    [InlineData("42", "\"42\"")]
    [InlineData("a: b", "\"a: b\"")]
    [InlineData("", "\"\"")]
    [InlineData("a\"b\\c\nd", "\"a\\\"b\\\\c\\u000ad\"")]
    public void Scalar_should_be_quoted_where_it_must(string text, string expected) => YamlText.Scalar(text).ShouldBe(expected);

    [Fact]
    public void Scalar_should_read_back_as_the_same_text() => Prop.ForAll<NonNull<string>>(given =>
    {
        // Lone surrogates and NUL are in no name that PostgreSQL can hold.
        string text = string.Concat(given.Get.Where(c => c != '\0' && !char.IsSurrogate(c)));
        if (text.Length == 0) return true;
        string yaml = $"postgres: {{ conn: {{ user: {YamlText.Scalar(text)} }}, repl: {{ pub: p, slot: s }} }}\nredis: {{}}\ntables: [orders]\n";
        return ConfigLoader.Load("c.yaml", new Dictionary<string, string>(), "/", _ => yaml).Postgres.Conn.User == text;
    }).QuickCheckThrowOnFailure();
}
