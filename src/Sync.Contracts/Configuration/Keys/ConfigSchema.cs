using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Sync.Contracts.Configuration.Commands;

namespace Sync.Contracts.Configuration.Keys;

/// <summary>
/// The JSON schema of the configuration file (draft 2020-12), by which editors complete and check it. Made from
/// <see cref="ConfigKeys"/>; it accepts what the loader accepts, except that the loader also knows arity, options and names.
/// </summary>
public static class ConfigSchema
{
    const string DurationPattern = @"^\s*([0-9]+(\.[0-9]*)?|\.[0-9]+)((ms|s|m|h)(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ms|s|m|h))*)?\s*$";

    static readonly JsonSerializerOptions Layout = new() { WriteIndented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>The schema's text, ending in a line feed; committed as docs/actorsync.schema.json.</summary>
    public static string Generate()
    {
        var root = new JsonObject
        {
            ["$schema"] = "https://json-schema.org/draft/2020-12/schema",
            ["title"] = "ActorSync configuration",
        };
        foreach (var (name, value) in Section("")) root[name] = value?.DeepClone();
        root["$defs"] = new JsonObject
        {
            ["table"] = Section(TableKeys.Table, omit: "name"),
            ["namedTable"] = Required(Section(TableKeys.Table), "name"),
            ["command"] = Command(),
            ["group"] = AnyOf(Reference("command"), new JsonObject { ["type"] = "array", ["items"] = Reference("command"), ["minItems"] = 1 }),
            ["rule"] = AnyOf(Reference("group"), Section(TableKeys.Rule)),
            ["commands"] = AnyOf(new JsonObject { ["type"] = "array", ["items"] = Reference("rule") }, Reference("rule")),
            ["condition"] = Condition(),
            ["scalar"] = Types("string", "number", "boolean"),
        };
        return root.ToJsonString(Layout) + "\n";
    }

    static JsonObject Section(string path, string? omit = null)
    {
        var properties = new JsonObject();
        var required = new List<string>();
        foreach (var key in ConfigKeys.Under(path).Where(k => k.Name != omit))
        {
            properties[key.Name] = Property(key);
            // What a file leaves out may come from the environment; only entries of lists have to be complete.
            if (key.Required && path.EndsWith("[]", StringComparison.Ordinal)) required.Add(key.Name);
        }
        var section = new JsonObject { ["type"] = "object", ["properties"] = properties, ["additionalProperties"] = false };
        return Required(section, [.. required]);
    }

    static JsonObject Required(JsonObject section, params string[] names)
    {
        if (names.Length > 0) section["required"] = new JsonArray([.. names.Select(n => JsonValue.Create(n))]);
        return section;
    }

    static JsonObject Property(ConfigKey key)
    {
        var property = Shape(key);
        var described = new JsonObject { ["description"] = key.Description };
        foreach (var (name, value) in property) described[name] = value?.DeepClone();
        if (Default(key) is { } value2) described["default"] = value2;
        return described;
    }

    static JsonObject Shape(ConfigKey key) => key.Kind switch
    {
        ConfigKind.Section => Optional(Section(key.Path)),
        ConfigKind.Tls => AnyOf(Types("boolean", "null"), Section(key.Path)),
        ConfigKind.FilesOrNone => AnyOf(new JsonObject { ["enum"] = new JsonArray("none", null) }, Section(key.Path)),
        ConfigKind.Flag => Optional(Types("boolean")),
        ConfigKind.Integer => Ranged(Types("integer", "null"), key),
        ConfigKind.Number => Ranged(Types("number", "null"), key),
        ConfigKind.Duration => new JsonObject { ["type"] = Names("string", "number", "null"), ["pattern"] = DurationPattern, ["minimum"] = 0 },
        ConfigKind.Choice => new JsonObject { ["enum"] = Names([.. key.Choices]) },
        ConfigKind.Address => new JsonObject { ["type"] = Names("string", "null"), ["pattern"] = "^https?://" },
        ConfigKind.TextList or ConfigKind.Values => AnyOf(Reference("scalar"), List(Reference("scalar"))),
        ConfigKind.CommaList => AnyOf(Types("string", "integer", "null"), List(Types("string", "integer"))),
        ConfigKind.TextMap => new JsonObject { ["type"] = "object", ["additionalProperties"] = Reference("scalar") },
        ConfigKind.EntryList => List(Section(key.Path + "[]")),
        ConfigKind.Tables => List(AnyOf(
            Types("string"),
            Reference("namedTable"),
            new JsonObject
            {
                ["type"] = "object",
                ["minProperties"] = 1,
                ["maxProperties"] = 1,
                ["additionalProperties"] = AnyOf(Reference("table"), Types("null")),
            })),
        ConfigKind.CommandList => Reference("commands"),
        ConfigKind.Command => Reference("group"),
        ConfigKind.Truncate => AnyOf(new JsonObject { ["enum"] = Names("ignore", "resync") }, Section(key.Path)),
        ConfigKind.Condition => Reference("condition"),
        ConfigKind.Conditions => new JsonObject { ["type"] = "array", ["items"] = Reference("condition"), ["minItems"] = 1 },
        ConfigKind.Value => AnyOf(Reference("scalar"), Types("null")),
        _ => Types("string", "number", "boolean", "null"),
    };

    /// <summary>An array whose first item is the name of a command, in any case.</summary>
    static JsonObject Command() => new()
    {
        ["type"] = "array",
        ["prefixItems"] = new JsonArray(new JsonObject
        {
            ["anyOf"] = new JsonArray(
                new JsonObject { ["enum"] = Names([.. CommandCatalog.All.Select(c => c.Name)]) },
                new JsonObject { ["type"] = "string", ["pattern"] = "^(" + string.Join('|', CommandCatalog.All.Select(c => AnyCase(c.Name))) + ")$" }),
        }),
        ["items"] = Reference("scalar"),
        ["minItems"] = 2,
    };

    static JsonObject Condition()
    {
        var condition = Section(TableKeys.Condition);
        condition["oneOf"] = new JsonArray(
            [.. new string[][] { ["column", "op"], ["all"], ["any"], ["not"] }.Select(names => Required([], names))]);
        return condition;
    }

    static JsonNode? Default(ConfigKey key) => key switch
    {
        { Default: null } or { DefaultIsComputed: true } or { Kind: ConfigKind.CommandList } => null,
        { Kind: ConfigKind.Flag or ConfigKind.Tls } => JsonValue.Create(bool.Parse(key.Default)),
        { Kind: ConfigKind.Integer } => JsonValue.Create(int.Parse(key.Default, CultureInfo.InvariantCulture)),
        { Kind: ConfigKind.Number } => JsonValue.Create(decimal.Parse(key.Default, CultureInfo.InvariantCulture)),
        _ => JsonValue.Create(key.Default),
    };

    static JsonObject Ranged(JsonObject shape, ConfigKey key)
    {
        if (key.Minimum is { } low) shape["minimum"] = low;
        if (key.Maximum is { } high) shape["maximum"] = high;
        return shape;
    }

    static JsonObject Optional(JsonObject shape)
    {
        shape["type"] = Names(shape["type"]!.GetValue<string>(), "null");
        return shape;
    }

    static JsonObject Types(params string[] names) => new() { ["type"] = names.Length == 1 ? JsonValue.Create(names[0]) : Names(names) };

    static JsonObject List(JsonObject items) => new() { ["type"] = "array", ["items"] = items };

    static JsonObject AnyOf(params JsonObject[] shapes) => new() { ["anyOf"] = new JsonArray([.. shapes]) };

    static JsonObject Reference(string name) => new() { ["$ref"] = $"#/$defs/{name}" };

    static JsonArray Names(params string[] names) => new([.. names.Select(n => JsonValue.Create(n))]);

    static string AnyCase(string name) => string.Concat(name.Select(c => char.IsAsciiLetter(c) ? $"[{c}{char.ToLowerInvariant(c)}]" : @"\."));
}
