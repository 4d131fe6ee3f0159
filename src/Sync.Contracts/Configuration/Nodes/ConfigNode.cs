namespace Sync.Contracts.Configuration.Nodes;

/// <summary>
/// A value before anybody knows what it means: file and environment are both brought into this form, laid over each other
/// and then read once, so that both are checked by the same rules. Immutable, because anchors make nodes stand in many places.
/// </summary>
abstract record ConfigNode(SourcePosition Position)
{
    /// <summary>For "expected x, not …".</summary>
    public abstract string KindName { get; }

    /// <summary>Nodes in this tree, counting one that stands in two places twice.</summary>
    public abstract long Size { get; }

    /// <summary>Nothing was written, or an unquoted null.</summary>
    public bool IsNull => this is ScalarNode { Text: null };
}

/// <param name="Position">Where it stands.</param>
/// <param name="Text">As written, whatever type YAML would give it; null for an unquoted null or nothing.</param>
sealed record ScalarNode(SourcePosition Position, string? Text) : ConfigNode(Position)
{
    public override string KindName => Text is null ? "nothing" : "a text";
    public override long Size => 1;
}

sealed record ListNode(SourcePosition Position, IReadOnlyList<ConfigNode> Items) : ConfigNode(Position)
{
    public override string KindName => "a list";
    public override long Size { get; } = Items.Aggregate(1L, (sum, item) => sum + item.Size);
}

sealed record MapEntry(string Key, SourcePosition Position, ConfigNode Value);

sealed record MapNode(SourcePosition Position, IReadOnlyList<MapEntry> Entries) : ConfigNode(Position)
{
    public override string KindName => "a map";
    public override long Size { get; } = Entries.Aggregate(1L, (sum, entry) => sum + entry.Value.Size);

    public MapEntry? Find(string key) => Entries.FirstOrDefault(e => e.Key == key);

    /// <summary>A copy with this key set; one that was there keeps its place in the order.</summary>
    public MapNode With(string key, ConfigNode value)
    {
        var entry = new MapEntry(key, value.Position, value);
        return Find(key) is null
            ? new MapNode(Position, [.. Entries, entry])
            : new MapNode(Position, [.. Entries.Select(e => e.Key == key ? entry : e)]);
    }

    public MapNode Without(params ReadOnlySpan<string> keys)
    {
        var left = new List<MapEntry>(Entries);
        foreach (string key in keys) left.RemoveAll(e => e.Key == key);
        return new MapNode(Position, left);
    }
}
