using Sync.Contracts.Cluster;

namespace Sync.Actors.Orders;

/// <summary>Have the node that reads do something, whichever it is; answered with <see cref="ReaderAnswer"/>. Within a node.</summary>
/// <param name="Verb">What to do.</param>
/// <param name="Content">To what, in the JSON of the HTTP endpoint.</param>
public sealed record AskReader(ReaderVerb Verb, string Content);

/// <summary>How orders travel.</summary>
public sealed record ReaderOrderOptions
{
    /// <summary>How often an order that nobody has answered is sent again, above 0. Default 1 s.</summary>
    public TimeSpan Repeat { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>How long nobody may say anything, above 0: longer than it takes another node to become the reader. Default 30 s.</summary>
    public TimeSpan Patience { get; init; } = TimeSpan.FromSeconds(30);
}
