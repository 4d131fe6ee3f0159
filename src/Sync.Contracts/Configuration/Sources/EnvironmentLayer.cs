using System.Globalization;
using Sync.Contracts.Configuration.Keys;
using Sync.Contracts.Configuration.Nodes;

namespace Sync.Contracts.Configuration.Sources;

/// <summary>One environment variable of ours, without its prefix.</summary>
/// <param name="Name">The full name, for messages.</param>
/// <param name="Suffix">The name after the prefix.</param>
/// <param name="Value">Its value.</param>
sealed record Variable(string Name, string Suffix, string Value)
{
    public SourcePosition Position => new(Name);
    public ScalarNode Node => new(Position, Value);
}

/// <summary>
/// Lays environment variables over the tree of the file. A variable's name is its key's path in upper case, joined by
/// underscores; a name in camel case may also be split (FLUSHINTERVAL, FLUSH_INTERVAL). Tables are read by <see cref="TableVariables"/>.
/// </summary>
static class EnvironmentLayer
{
    public const string Prefix = "ACTORSYNC_";
    const string ReferencePrefix = "PG2REDIS_";
    const string PathSuffix = "CONFIG_PATH";

    static readonly Dictionary<string, ConfigKey> ByName = NamesOfKeys();

    /// <summary>The name of the file to read, or null.</summary>
    public static (string Variable, string Path)? ConfigPath(IReadOnlyDictionary<string, string> environment)
    {
        foreach (string prefix in (ReadOnlySpan<string>)[Prefix, ReferencePrefix])
            if (environment.TryGetValue(prefix + PathSuffix, out string? path) && path.Length > 0) return (prefix + PathSuffix, path);
        return null;
    }

    /// <summary>Our variables in the order of their names; of two for the same key, ours beats the reference's.</summary>
    public static IReadOnlyList<Variable> Collect(IReadOnlyDictionary<string, string> environment, IssueList issues)
    {
        var found = new SortedDictionary<string, Variable>(StringComparer.Ordinal);
        foreach (string prefix in (ReadOnlySpan<string>)[Prefix, ReferencePrefix])
            foreach (var (name, value) in environment.OrderBy(e => e.Key, StringComparer.Ordinal))
            {
                if (!name.StartsWith(prefix, StringComparison.Ordinal)) continue;
                string suffix = name[prefix.Length..];
                if (suffix is PathSuffix || IsServiceLink(suffix)) continue;
                if (value.Length == 0 && !TableVariables.TakesEmptyText(suffix)) continue;
                var variable = new Variable(name, suffix, value);
                if (!found.TryAdd(Normal(suffix), variable) && found[Normal(suffix)].Value != value)
                    issues.Warning(variable.Position, $"{name} is ignored because {found[Normal(suffix)].Name} is set as well.");
            }
        return [.. found.Values];
    }

    /// <summary>The tree with every variable that is not about a table; an unknown one is an issue.</summary>
    public static MapNode Apply(MapNode root, IReadOnlyList<Variable> variables, IssueList issues)
    {
        // Sections before what is in them: POSTGRES_CONN_TLS=true must not wipe out POSTGRES_CONN_TLS_CERT.
        foreach (var variable in variables.Where(v => !TableVariables.IsOne(v.Suffix)).OrderBy(v => v.Suffix.Count(c => c == '_')))
        {
            if (ByName.TryGetValue(variable.Suffix, out var key)) root = Set(root, key.Path, variable.Node);
            else if (SnapshotEntry(variable.Suffix) is not null) continue;
            else if (ListItem(variable) is not { } item) issues.Error(variable.Position, Unknown(variable));
            else if (variables.FirstOrDefault(v => ByName.GetValueOrDefault(v.Suffix) == item.Key) is { } whole)
                issues.Error(variable.Position, $"this variable and {whole.Name} contradict each other");
            else root = Set(root, item.Key.Path, Items(variables, variable, item.Key));
        }
        return SnapshotEntries(root, variables);
    }

    /// <summary>What to say of a variable nobody knows.</summary>
    public static string Unknown(Variable variable)
    {
        string? near = Nearest.Of(variable.Suffix, ByName.Keys.Where(n => !n.Contains('[')));
        string prefix = variable.Name[..^variable.Suffix.Length];
        return near is null ? $"unknown variable '{variable.Name}'" : $"unknown variable '{variable.Name}' (did you mean '{prefix}{near}'?)";
    }

    /// <summary>NODES_0, NODES_1 … as an alternative to one text with commas.</summary>
    static (ConfigKey Key, int Index)? ListItem(Variable variable)
    {
        int underscore = variable.Suffix.LastIndexOf('_');
        if (underscore < 0 || !IsIndex(variable.Suffix.AsSpan(underscore + 1))) return null;
        return ByName.TryGetValue(variable.Suffix[..underscore], out var key) && key.Kind == ConfigKind.CommaList
            ? (key, int.Parse(variable.Suffix.AsSpan(underscore + 1), CultureInfo.InvariantCulture))
            : null;
    }

    static ListNode Items(IReadOnlyList<Variable> variables, Variable first, ConfigKey key)
    {
        var items = variables.Select(v => (v.Node, Item: ListItem(v))).Where(v => v.Item?.Key == key).OrderBy(v => v.Item!.Value.Index);
        return new ListNode(first.Position, [.. items.Select(v => v.Node)]);
    }

    static MapNode SnapshotEntries(MapNode root, IReadOnlyList<Variable> variables)
    {
        var groups = variables.Select(v => (Variable: v, Entry: SnapshotEntry(v.Suffix))).Where(v => v.Entry is not null)
            .GroupBy(v => v.Entry!.Value.Index).OrderBy(g => g.Key).ToList();
        if (groups.Count == 0) return root;
        var entries = (root.Find("snapshot")?.Value as MapNode)?.Find("config")?.Value is ListNode list ? list.Items.ToList() : [];
        foreach (var group in groups)
        {
            var entry = new MapNode(group.First().Variable.Position, []);
            foreach (var (variable, place) in group) entry = entry.With(place!.Value.Key, variable.Node);
            if (NameOf(entry) is { } name) entries.RemoveAll(e => NameOf(e) == name);
            entries.Add(entry);
        }
        return Set(root, "snapshot.config", new ListNode(groups[0].First().Variable.Position, entries));
    }

    static TableName? NameOf(ConfigNode entry) =>
        (entry as MapNode)?.Find("name")?.Value is ScalarNode { Text: { } text } && TableName.TryParse(text, out var name) ? name : null;

    static (int Index, string Key)? SnapshotEntry(string suffix)
    {
        string[] parts = suffix.Split('_');
        return parts is ["SNAPSHOT", "CONFIG", var index, "NAME" or "TYPE" or "QUERY"] && IsIndex(index)
            ? (int.Parse(index, CultureInfo.InvariantCulture), parts[3].ToLowerInvariant())
            : null;
    }

    internal static bool IsIndex(ReadOnlySpan<char> text) => text.Length is > 0 and <= 5 && !text.ContainsAnyExceptInRange('0', '9');

    static MapNode Set(MapNode map, string path, ConfigNode value, string parent = "")
    {
        int dot = path.IndexOf('.');
        if (dot < 0) return map.With(path, value);
        string name = path[..dot];
        string here = ConfigKeys.Join(parent, name);
        var inner = map.Find(name)?.Value switch
        {
            MapNode existing => existing,
            null or { IsNull: true } => new MapNode(value.Position, []),
            ScalarNode when ConfigKeys.At(here).Kind is ConfigKind.Tls or ConfigKind.FilesOrNone => new MapNode(value.Position, []),
            _ => null,
        };
        // Something else than a map in the file: left as it is, for its own error message.
        return inner is null ? map : map.With(name, Set(inner, path[(dot + 1)..], value, here));
    }

    /// <summary>Kubernetes puts such variables into every pod when a service is called actorsync; they are not meant for us.</summary>
    static bool IsServiceLink(string suffix) =>
        suffix is "PORT" or "SERVICE_HOST" || suffix.StartsWith("SERVICE_PORT", StringComparison.Ordinal)
        || (suffix.StartsWith("PORT_", StringComparison.Ordinal) && suffix.Length > 5 && char.IsAsciiDigit(suffix[5]));

    /// <summary>Both spellings of a key under one name, so that they are seen as the same variable.</summary>
    static string Normal(string suffix) => ByName.TryGetValue(suffix, out var key) ? key.Path : suffix;

    static Dictionary<string, ConfigKey> NamesOfKeys()
    {
        var names = new Dictionary<string, ConfigKey>();
        foreach (var key in ConfigKeys.All)
        {
            if (key.Path.Contains("[]", StringComparison.Ordinal)) continue;
            if (key.Kind is ConfigKind.Section or ConfigKind.EntryList or ConfigKind.Tables) continue;
            string[] parts = key.Path.Split('.');
            names[string.Join('_', parts).ToUpperInvariant()] = key;
            names[string.Join('_', parts.Select(Split)).ToUpperInvariant()] = key;
        }
        return names;
    }

    /// <summary>flushInterval becomes flush_Interval.</summary>
    static string Split(string camel) => string.Concat(camel.Select((c, i) => i > 0 && char.IsAsciiLetterUpper(c) ? "_" + c : c.ToString()));
}
