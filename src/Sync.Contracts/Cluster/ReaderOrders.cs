namespace Sync.Contracts.Cluster;

/// <summary>What an operator asks of the node that reads. Numbers are on the wire; never renumber.</summary>
public enum ReaderVerb
{
    /// <summary>Read a table again, or all, and put right what differs in Redis.</summary>
    Resync = 0,
    /// <summary>Hold what is under way of that.</summary>
    Pause = 1,
    /// <summary>Go on with what is held.</summary>
    Resume = 2,
    /// <summary>Give up what is under way.</summary>
    Cancel = 3,
    /// <summary>Mend single rows and places.</summary>
    Repair = 4,
}

/// <summary>To every node that may read: the one that does carries it out. The others are silent.</summary>
/// <param name="Request">Names the order. One that comes twice under one name is done once while the reader stays.</param>
/// <param name="Verb">What to do.</param>
/// <param name="Content">To what, in the JSON of the HTTP endpoint.</param>
public sealed record ReaderOrder(string Request, ReaderVerb Verb, string Content) : IClusterMessage;

/// <summary>Answers <see cref="ReaderOrder"/>.</summary>
/// <param name="Request">That of the order.</param>
/// <param name="Code">0 when it was done, else the exit code of what stood in the way.</param>
/// <param name="Content">What came of it, in the JSON of the HTTP endpoint; else what stood in the way, as a sentence.</param>
public sealed record ReaderAnswer(string Request, int Code, string Content) : IClusterMessage;
