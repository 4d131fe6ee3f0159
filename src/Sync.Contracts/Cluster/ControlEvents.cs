namespace Sync.Contracts.Cluster;

/// <summary>What the control actor persists: it outlives the cluster, so its form may only be extended.</summary>
public interface IControlEvent : IClusterMessage;

/// <summary>Somebody gave a command, and it will be carried out even if this node dies.</summary>
/// <param name="Id">Names the command; the same when it is sent twice.</param>
/// <param name="Command">Its verb, such as <c>resync</c>.</param>
/// <param name="Argument">What it is for, such as a table; may be empty.</param>
/// <param name="By">Who gave it, for people.</param>
/// <param name="AtTicks">When, in UTC ticks.</param>
public sealed record OperatorCommandAccepted(string Id, string Command, string Argument, string By, long AtTicks) : IControlEvent;

/// <summary>A command has come to its end.</summary>
/// <param name="Id">Which.</param>
/// <param name="Succeeded">Whether it did what it should.</param>
/// <param name="Message">For people.</param>
/// <param name="AtTicks">When, in UTC ticks.</param>
/// <param name="Letters">What became of dead letters, if it was about them.</param>
public sealed record OperatorCommandCompleted(string Id, bool Succeeded, string Message, long AtTicks, DeadLetterCount Letters = default) : IControlEvent;

/// <summary>What became of the dead letters that a decision was about.</summary>
/// <param name="Handled">Letters applied or dropped, 0 or more.</param>
/// <param name="Left">Ordering keys whose letters Redis refused again, 0 or more.</param>
/// <param name="Silent">Lanes that did not answer in time, 0 or more.</param>
public readonly record struct DeadLetterCount(int Handled, int Left, int Silent);

/// <summary>What is to be done with dead letters. Numbers are on the wire; never renumber.</summary>
public enum DeadLetterAction
{
    Retry = 0,
    Drop = 1,
}

/// <summary>Somebody decided about the dead letters of a key.</summary>
/// <param name="Request">Names the decision; its lane gets it under this name.</param>
/// <param name="Lane">The key's lane.</param>
/// <param name="Key">The ordering key.</param>
/// <param name="Action">What is to be done.</param>
/// <param name="Force">For a retry: letters that were overtaken as well.</param>
/// <param name="Ids">For a drop: which letters; empty means all.</param>
/// <param name="By">Who decided, for people.</param>
/// <param name="AtTicks">When, in UTC ticks.</param>
public sealed record DeadLetterDecision(
    string Request, int Lane, ReadOnlyMemory<byte> Key, DeadLetterAction Action, bool Force, IReadOnlyList<string> Ids, string By,
    long AtTicks) : IControlEvent;
