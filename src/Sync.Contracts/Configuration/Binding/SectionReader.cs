using System.Globalization;
using Sync.Contracts.Configuration.Keys;
using Sync.Contracts.Configuration.Nodes;

namespace Sync.Contracts.Configuration.Binding;

/// <summary>What every part of the binding needs.</summary>
/// <param name="Issues">Where mistakes go.</param>
/// <param name="FileFolder">Where relative paths of the file start.</param>
/// <param name="WorkingFolder">Where relative paths of variables start.</param>
sealed record BindContext(IssueList Issues, string FileFolder, string WorkingFolder);

/// <summary>
/// Reads the values of one section by the table of keys: unknown names are issues as soon as it is created, wrong kinds and
/// ranges when a value is asked for, and every answer after an issue is the default, so that reading can go on.
/// </summary>
sealed class SectionReader
{
    readonly MapNode? map;
    readonly string path;
    readonly BindContext context;

    /// <summary>Where a missing key is reported.</summary>
    readonly SourcePosition position;

    public SectionReader(ConfigNode? node, string path, SourcePosition fallback, BindContext context)
    {
        this.path = path;
        this.context = context;
        map = node as MapNode;
        position = node?.Position ?? fallback;
        if (map is not null) CheckNames(map);
        else if (node is { IsNull: false }) context.Issues.Error(node.Position, $"'{path}' must be a map, not {node.KindName}");
    }

    /// <summary>Whether the key stands there with anything but null.</summary>
    public bool Has(string name) => Node(name) is not null;

    /// <summary>The value; null when the key is absent or null.</summary>
    public ConfigNode? Node(string name) => map?.Find(name)?.Value is { IsNull: false } node ? node : null;

    /// <summary>Where the key's value stands, or else the section.</summary>
    public SourcePosition PositionOf(string name) => map?.Find(name)?.Value.Position ?? position;

    public SectionReader Section(string name) => new(Node(name), Path(name), position, context);

    public TimeSpan Duration(string name, TimeSpan otherwise) => DurationOrNull(name) ?? otherwise;

    public TimeSpan? DurationOrNull(string name)
    {
        if (Scalar(name) is not { } scalar) return null;
        var key = ConfigKeys.At(Path(name));
        if (DurationText.TryParse(scalar.Text!, key.Unit, out var value) && InRange(value.TotalMilliseconds, key)) return value;
        return Wrong<TimeSpan>(scalar, key);
    }

    public int Integer(string name, int otherwise) => IntegerOrNull(name) ?? otherwise;

    public int? IntegerOrNull(string name)
    {
        if (Scalar(name) is not { } scalar) return null;
        var key = ConfigKeys.At(Path(name));
        if (int.TryParse(scalar.Text!.Trim(), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int value) && InRange(value, key)) return value;
        return Wrong<int>(scalar, key);
    }

    public double Number(string name, double otherwise)
    {
        if (Scalar(name) is not { } scalar) return otherwise;
        var key = ConfigKeys.At(Path(name));
        const NumberStyles Style = NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint;
        if (double.TryParse(scalar.Text!.Trim(), Style, CultureInfo.InvariantCulture, out double value) && InRange(value, key)) return value;
        return Wrong<double>(scalar, key) ?? otherwise;
    }

    public bool Flag(string name, bool otherwise) => FlagOrNull(name) ?? otherwise;

    public bool? FlagOrNull(string name) =>
        Scalar(name) is not { } scalar ? null : FlagOf(scalar.Text!) ?? Wrong<bool>(scalar, ConfigKeys.At(Path(name)));

    /// <summary>Null when it is absent, null or empty.</summary>
    public string? Text(string name) => Scalar(name)?.Text is { Length: > 0 } text ? text : null;

    public Secret Secret(string name) => new(Scalar(name)?.Text);

    public string Required(string name)
    {
        if (Text(name) is { } text) return text;
        // A wrong kind was reported by Text already.
        if (Node(name) is null or ScalarNode) context.Issues.Error(PositionOf(name), Missing(name));
        return "";
    }

    public string Missing(string name) =>
        path.Contains('[') || ConfigKeys.At(Path(name)).Kind == ConfigKind.Tables
            ? $"'{Path(name)}' is required"
            : $"'{Path(name)}' is required (variable {Sources.EnvironmentLayer.Prefix}{Path(name).Replace('.', '_').ToUpperInvariant()})";

    public T Choice<T>(string name, T otherwise) where T : struct, Enum
    {
        if (Scalar(name) is not { } scalar) return otherwise;
        var key = ConfigKeys.At(Path(name));
        for (int i = 0; i < key.Choices.Count; i++)
            if (key.Choices[i].Equals(scalar.Text!.Trim(), StringComparison.OrdinalIgnoreCase)) return Enum.GetValues<T>()[i];
        return Wrong<T>(scalar, key, Nearest.Hint(scalar.Text!, key.Choices)) ?? otherwise;
    }

    /// <summary>An absolute path; null when absent.</summary>
    public string? File(string name) =>
        Scalar(name) is { Text.Length: > 0 } scalar && !scalar.Text.Contains('\0')
            ? System.IO.Path.GetFullPath(scalar.Text, scalar.Position.Line > 0 ? context.FileFolder : context.WorkingFolder)
            : null;

    /// <summary>Texts with their positions; a scalar counts as one, or, for keys that allow it, is split at commas.</summary>
    public IReadOnlyList<ScalarNode> Texts(string name)
    {
        var key = ConfigKeys.At(Path(name));
        switch (Node(name))
        {
            case null: return [];
            case ScalarNode scalar when key.Kind == ConfigKind.CommaList:
                return [.. scalar.Text!.Split(',').Select(t => scalar with { Text = t.Trim() })];
            case ScalarNode scalar: return [scalar];
            case ListNode list:
                foreach (var item in list.Items)
                    if (item is not ScalarNode { Text.Length: > 0 })
                        context.Issues.Error(item.Position, $"an entry of '{Path(name)}' must be a text, not {Kind(item)}");
                return [.. list.Items.OfType<ScalarNode>().Where(i => i.Text?.Length > 0)];
            case { } other:
                context.Issues.Error(other.Position, $"'{Path(name)}' must be {key.Expectation}, not {other.KindName}");
                return [];
        }
    }

    string Path(string name) => ConfigKeys.Join(path, name);

    ScalarNode? Scalar(string name)
    {
        var node = Node(name);
        if (node is null or ScalarNode) return (ScalarNode?)node;
        context.Issues.Error(node.Position, $"'{Path(name)}' must be {ConfigKeys.At(Path(name)).Expectation}, not {node.KindName}");
        return null;
    }

    T? Wrong<T>(ScalarNode scalar, ConfigKey key, string hint = "") where T : struct
    {
        context.Issues.Error(scalar.Position, $"'{key.Path}' must be {key.Expectation}, not '{Shown.Short(scalar.Text!)}'{hint}");
        return null;
    }

    void CheckNames(MapNode node)
    {
        foreach (var entry in node.Entries)
            if (ConfigKeys.Find(Path(entry.Key)) is null || entry.Key.Contains('.') || entry.Key.Contains('['))
                context.Issues.Error(entry.Position, Unknown(entry.Key, path));
    }

    /// <summary>Names the nearest key of the section, or else the one place where the same name is known.</summary>
    internal static string Unknown(string name, string path)
    {
        string message = $"unknown key '{Shown.Short(name)}'" + (path.Length == 0 ? "" : $" in '{path}'");
        string hint = Nearest.Hint(name, ConfigKeys.Under(path).Select(k => k.Name));
        if (hint.Length > 0) return message + hint;
        var elsewhere = ConfigKeys.All.Where(k => k.Name == name && !k.Path.StartsWith(TableKeys.Condition + ".", StringComparison.Ordinal)).ToList();
        return elsewhere.Count == 1 ? $"{message} (it belongs to '{(elsewhere[0].Parent.Length == 0 ? "the top level" : elsewhere[0].Parent)}')" : message;
    }

    internal static bool? FlagOf(string text) => text.Trim().ToLowerInvariant() switch
    {
        "true" or "yes" or "on" or "1" => true,
        "false" or "no" or "off" or "0" => false,
        _ => null,
    };

    static string Kind(ConfigNode node) => node is ScalarNode { Text: "" } ? "empty" : node.KindName;

    static bool InRange(double value, ConfigKey key) =>
        !(key.MinimumExcluded ? value <= key.Minimum : value < key.Minimum) && !(value > key.Maximum) && !double.IsNaN(value);
}
