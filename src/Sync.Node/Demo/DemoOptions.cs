namespace Sync.Node.Demo;

/// <summary>What <c>actorsync demo</c> was asked to do.</summary>
public sealed record DemoOptions
{
    /// <summary>Unattended: change rows for a while, verify every key, end. False: stay up until Ctrl-C.</summary>
    public bool Check { get; init; }

    /// <summary>How long rows are changed, 1 to 3600 s; null takes 15 s for a check and no end otherwise.</summary>
    public int? Seconds { get; init; }

    /// <summary>Changes a second, over 0 to 200; null takes 20 for a check and 3 otherwise.</summary>
    public double? Rate { get; init; }

    /// <summary>A cluster of so many nodes, 2 to 5; null takes one that works alone.</summary>
    public int? Nodes { get; init; }

    /// <summary>Program and first arguments of the node to show, before <c>run --config FILE</c>; null takes this program.</summary>
    public IReadOnlyList<string>? NodeCommand { get; init; }
}
