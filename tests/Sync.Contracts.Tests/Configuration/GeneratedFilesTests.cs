using System.Text;
using System.Text.Json;
using Sync.Contracts.Configuration.Commands;
using Sync.Contracts.Configuration.Keys;

namespace Sync.Contracts.Tests.Configuration;

/// <summary>
/// docs/actorsync.schema.json and the tables of docs/configuration.md are made from the table of keys.
/// <c>UPDATE_GENERATED=1 dotnet test tests/Sync.Contracts.Tests --filter GeneratedFiles</c> writes them anew.
/// </summary>
public class GeneratedFilesTests
{
    const string Hint = "run: UPDATE_GENERATED=1 dotnet test tests/Sync.Contracts.Tests --filter GeneratedFiles";

    static bool Update => Environment.GetEnvironmentVariable("UPDATE_GENERATED") == "1";

    static readonly (string Marker, string[] Paths)[] Sections =
    [
        ("top", [""]),
        ("retryPolicy", ["retryPolicy"]),
        ("deadLetters", ["deadLetters"]),
        ("postgres", ["postgres", "postgres.conn", "postgres.conn.tls", "postgres.repl"]),
        ("redis", ["redis", "redis.conn", "redis.conn.tls", "redis.sentinel"]),
        ("snapshot", ["snapshot", "snapshot.config[]"]),
        ("tables", ["tables[]", "tables[].insert", "tables[].update", "tables[].delete", "tables[].truncate", "tables[].columns"]),
        ("commands", ["tables[].commands[]"]),
        ("conditions", ["tables[].when"]),
        ("cluster", ["cluster", "cluster.tls", "cluster.downing", "petabridge"]),
        ("http", ["http", "telemetry"]),
    ];

    [Fact]
    public void Schema_should_be_generated_from_the_keys()
    {
        string path = Given.RepositoryFile("docs/actorsync.schema.json");
        string schema = ConfigSchema.Generate();
        if (Update) File.WriteAllText(path, schema);
        File.ReadAllText(path).ShouldBe(schema, Hint);
    }

    [Fact]
    public void Schema_should_know_every_key_and_command()
    {
        using var schema = JsonDocument.Parse(ConfigSchema.Generate());
        var names = new HashSet<string>();
        Collect(schema.RootElement, names);
        foreach (var key in ConfigKeys.All) names.ShouldContain(key.Name);
        foreach (var command in CommandCatalog.All) ConfigSchema.Generate().ShouldContain($"\"{command.Name}\"");
    }

    [Fact]
    public void References_of_the_schema_should_lead_somewhere()
    {
        using var schema = JsonDocument.Parse(ConfigSchema.Generate());
        var definitions = schema.RootElement.GetProperty("$defs").EnumerateObject().Select(d => $"#/$defs/{d.Name}").ToList();
        References(schema.RootElement).Distinct().ShouldBe(definitions, ignoreOrder: true);
    }

    [Fact]
    public void Documentation_should_hold_the_generated_tables()
    {
        string path = Given.RepositoryFile("docs/configuration.md");
        string text = File.ReadAllText(path);
        string expected = text;
        foreach (var (marker, paths) in Sections) expected = Replace(expected, marker, Table(paths));
        if (Update) File.WriteAllText(path, expected);
        File.ReadAllText(path).ShouldBe(expected, Hint);
    }

    [Fact]
    public void Documentation_should_name_every_key_with_its_default()
    {
        string text = File.ReadAllText(Given.RepositoryFile("docs/configuration.md"));
        foreach (var key in ConfigKeys.All) text.ShouldContain($"\n| `{key.Path}` | {Default(key)} |", customMessage: Hint);
    }

    [Fact]
    public void Examples_of_the_documentation_should_load()
    {
        string[] blocks = File.ReadAllText(Given.RepositoryFile("docs/configuration.md")).Split("```yaml\n").Skip(1).Select(b => b.Split("```")[0]).ToArray();
        blocks.Length.ShouldBeGreaterThan(5);
        foreach (string block in blocks)
        {
            string yaml = (block.Contains("repl:") ? "" : "postgres: {repl: {pub: p, slot: s}}\n") + block + (block.Contains("tables:") ? "" : "tables: [orders]\n");
            Given.Try(yaml).Errors.Select(e => e.ToString()).ShouldBeEmpty(block);
        }
    }

    static string Replace(string text, string marker, string table)
    {
        string open = $"<!-- keys: {marker} -->\n";
        int start = text.IndexOf(open, StringComparison.Ordinal);
        start.ShouldBeGreaterThanOrEqualTo(0, $"docs/configuration.md has no marker for {marker}");
        int end = text.IndexOf("<!-- /keys -->", start, StringComparison.Ordinal);
        return text[..(start + open.Length)] + table + text[end..];
    }

    static string Table(string[] paths)
    {
        var table = new StringBuilder("| key | default | value | meaning |\n|---|---|---|---|\n");
        foreach (var key in paths.SelectMany(ConfigKeys.Under))
        {
            string unit = key.Kind == ConfigKind.Duration ? $"; a bare number is {(key.Unit == TimeSpan.FromSeconds(1) ? "seconds" : "milliseconds")}" : "";
            string expectation = key.Kind == ConfigKind.Duration ? key.Expectation.Replace(" such as 500ms, 2s, 1m30s or 1h", "") : key.Expectation;
            table.Append($"| `{key.Path}` | {Default(key)} | {Escape(expectation)}{unit} | {(key.Required ? "Required. " : "")}{Escape(key.Description)} |\n");
        }
        return table.ToString();
    }

    static string Default(ConfigKey key) =>
        key.Default is null ? "none" : key.DefaultIsComputed ? key.Default : $"`{key.Default}`";

    static string Escape(string text) => text.Replace("|", "\\|").Replace("<", "&lt;");

    static void Collect(JsonElement element, HashSet<string> names)
    {
        if (element.ValueKind == JsonValueKind.Array)
            foreach (var item in element.EnumerateArray()) Collect(item, names);
        if (element.ValueKind != JsonValueKind.Object) return;
        foreach (var property in element.EnumerateObject())
        {
            if (property.Name == "properties") names.UnionWith(property.Value.EnumerateObject().Select(p => p.Name));
            Collect(property.Value, names);
        }
    }

    static IEnumerable<string> References(JsonElement element) => element.ValueKind switch
    {
        JsonValueKind.Array => element.EnumerateArray().SelectMany(References),
        JsonValueKind.Object => element.EnumerateObject().SelectMany(p => p.Name == "$ref" ? [p.Value.GetString()!] : References(p.Value)),
        _ => [],
    };
}
