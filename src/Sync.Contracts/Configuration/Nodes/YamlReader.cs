using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Sync.Contracts.Configuration.Nodes;

/// <summary>
/// Turns YAML text into nodes that know their line and column. It reads parser events rather than YamlDotNet's own tree,
/// because that one forgets where an alias or a key stood and stops at the first duplicate key.
/// Depth and expanded size are bounded, so that nested aliases can't blow up what reads the nodes.
/// </summary>
sealed class YamlReader
{
    const int MaximumDepth = 60;
    const long MaximumSize = 500_000;

    readonly Dictionary<string, ConfigNode> anchors = [];
    readonly IParser parser;
    readonly string source;
    readonly IssueList issues;

    YamlReader(IParser parser, string source, IssueList issues)
    {
        this.parser = parser;
        this.source = source;
        this.issues = issues;
    }

    /// <summary>The root map, empty for an empty file; null when the text is no YAML or no map, which is then among the issues.</summary>
    public static MapNode? Read(string text, string source, IssueList issues)
    {
        var start = new SourcePosition(source, 1, 1);
        try
        {
            using var characters = new StringReader(text.TrimStart('\uFEFF'));
            var root = new YamlReader(new Parser(characters), source, issues).Document();
            switch (root)
            {
                case MapNode map: return map;
                case null or { IsNull: true }: return new MapNode(start, []);
                default:
                    issues.Error(root.Position, $"the file must hold a map of keys such as 'postgres:', not {root.KindName}");
                    return null;
            }
        }
        catch (YamlException e)
        {
            // A construct is blamed where it begins, except that a tab is found by where it is.
            var mark = e.Message.Contains("tab character", StringComparison.Ordinal) ? e.End : e.Start;
            issues.Error(At(source, mark), $"this is not valid YAML: {Sentence(e.Message)}");
        }
        catch (Exception e) when (e is ArgumentException or InvalidOperationException or FormatException or OverflowException or IndexOutOfRangeException)
        {
            issues.Error(start, "this is not valid YAML: the parser can't read it.");
        }
        return null;
    }

    ConfigNode? Document()
    {
        ConfigNode? root = null;
        bool ended = false;
        while (parser.MoveNext())
        {
            switch (parser.Current)
            {
                case StreamStart or StreamEnd or Comment or DocumentStart:
                    break;
                case DocumentEnd:
                    ended = true;
                    break;
                case { } first:
                    if (ended) throw new YamlException(first.Start, first.End, "The file holds more than one document.");
                    root = Node(0);
                    break;
            }
        }
        return root;
    }

    /// <summary>Reads the node whose first event is the current one; afterwards its last event is.</summary>
    ConfigNode Node(int depth)
    {
        var first = parser.Current!;
        if (depth > MaximumDepth) throw new YamlException(first.Start, first.End, $"It is nested deeper than {MaximumDepth} levels.");
        var node = first switch
        {
            Scalar scalar => Text(scalar),
            SequenceStart => List(depth),
            MappingStart => Map(depth),
            // The name is not repeated: it may be a password that begins with an asterisk and wasn't quoted.
            AnchorAlias alias => anchors.GetValueOrDefault(alias.Value.Value)
                ?? throw new YamlException(first.Start, first.End, "An alias names no anchor before it; quote a text that begins with *."),
            _ => throw new YamlException(first.Start, first.End, "A value was expected here."),
        };
        if (node.Size > MaximumSize) throw new YamlException(first.Start, first.End, "Its aliases expand to too many values.");
        if (first is NodeEvent { Anchor.IsEmpty: false } named) anchors[named.Anchor.Value] = node;
        return node;
    }

    ScalarNode Text(Scalar scalar)
    {
        bool isNull = scalar is { Style: ScalarStyle.Plain, Tag.IsEmpty: true, Value: "" or "~" or "null" or "Null" or "NULL" };
        return new ScalarNode(At(source, scalar.Start), isNull ? null : scalar.Value);
    }

    ListNode List(int depth)
    {
        var position = At(source, parser.Current!.Start);
        var items = new List<ConfigNode>();
        while (Next() is not SequenceEnd) items.Add(Node(depth + 1));
        return new ListNode(position, items);
    }

    MapNode Map(int depth)
    {
        var position = At(source, parser.Current!.Start);
        var entries = new List<MapEntry>();
        var merged = new List<MapEntry>();
        while (Next() is not MappingEnd)
        {
            var keyEvent = parser.Current!;
            var key = Node(depth + 1);
            Next();
            var value = Node(depth + 1);
            var keyPosition = At(source, keyEvent.Start);
            if (key is not ScalarNode scalar)
                issues.Error(keyPosition, "a key must be a text; quote placeholders, as in \"{pairs:*}\"");
            else if (keyEvent is Scalar { Style: ScalarStyle.Plain, Value: "<<" })
                merged.AddRange(Merged(value));
            else if (entries.FirstOrDefault(e => e.Key == (scalar.Text ?? "")) is { } earlier)
                issues.Error(keyPosition, $"the key '{Shown.Short(earlier.Key)}' stands here twice, first at {earlier.Position}");
            else
                entries.Add(new MapEntry(scalar.Text ?? "", keyPosition, value));
        }
        foreach (var entry in merged)
            if (entries.TrueForAll(e => e.Key != entry.Key)) entries.Add(entry);
        return new MapNode(position, entries);
    }

    IEnumerable<MapEntry> Merged(ConfigNode value)
    {
        switch (value)
        {
            case MapNode map: return map.Entries;
            case ListNode list when list.Items.All(i => i is MapNode): return list.Items.SelectMany(i => ((MapNode)i).Entries);
            default:
                issues.Error(value.Position, $"'<<' merges a map or a list of maps, not {value.KindName}");
                return [];
        }
    }

    ParsingEvent Next()
    {
        do
        {
            if (!parser.MoveNext()) throw new YamlException(parser.Current?.End ?? Mark.Empty, Mark.Empty, "The file ends too early.");
        }
        while (parser.Current is Comment);
        return parser.Current!;
    }

    static SourcePosition At(string source, in Mark mark) => new(source, Math.Max(1, (int)mark.Line), Math.Max(1, (int)mark.Column));

    static string Sentence(string message)
    {
        string line = message.ReplaceLineEndings(" ").Trim();
        if (line.Length > 0) line = char.ToLowerInvariant(line[0]) + line[1..];
        return line.EndsWith('.') ? line : line + ".";
    }
}
