namespace Sync.Contracts.Cluster;

/// <summary>
/// To the control actor: carry a command out. Answered with <see cref="OperatorOutcome"/> when it has come to its end; whoever does not wait that long asks again with the same
/// name. A <see cref="DeadLetterDecision"/> is given and answered in the same way.
/// </summary>
/// <param name="Id">Names the command. One that is known is not carried out again.</param>
/// <param name="Command">Its verb, such as <c>resync</c>.</param>
/// <param name="Argument">What it is for, such as a table; may be empty.</param>
/// <param name="By">Who gave it, for people.</param>
public sealed record OperatorCommand(string Id, string Command, string Argument, string By) : IClusterMessage;

/// <summary>How far a command is. Numbers are on the wire; never renumber.</summary>
public enum OperatorStage
{
    /// <summary>It was accepted, and will be carried out even if the node dies that does so.</summary>
    UnderWay = 0,
    /// <summary>It did what it should.</summary>
    Done = 1,
    /// <summary>It was carried out and did not succeed.</summary>
    Failed = 2,
    /// <summary>It was not accepted, so nothing is kept of it.</summary>
    Refused = 3,
}

/// <summary>What became of a command.</summary>
/// <param name="Id">Which.</param>
/// <param name="Command">Its verb.</param>
/// <param name="Argument">What it was for; for dead letters the key.</param>
/// <param name="By">Who gave it, for people.</param>
/// <param name="AcceptedTicks">When, in UTC ticks.</param>
/// <param name="Stage">How far it is.</param>
/// <param name="Message">How it ended, for people; empty while it is under way.</param>
/// <param name="EndedTicks">When it ended, in UTC ticks; 0 while it is under way.</param>
/// <param name="Letters">What became of dead letters, if it was about them.</param>
public sealed record OperatorOutcome(
    string Id, string Command, string Argument, string By, long AcceptedTicks, OperatorStage Stage, string Message, long EndedTicks,
    DeadLetterCount Letters = default) : IClusterMessage;

/// <summary>To the node that it is about: hand over what you have and leave. Comes back as the answer, before the node begins.</summary>
/// <param name="Node">Which, as host and port.</param>
/// <param name="By">The node that asks.</param>
/// <param name="Down">Hand over nothing: you are taken out.</param>
public sealed record NodeLeave(string Node, string By, bool Down) : IClusterMessage;

/// <summary>To the control actor: which commands do you know?</summary>
/// <param name="Request">Comes back with the answer.</param>
public sealed record OperatorOutcomesRequest(string Request) : IClusterMessage;

/// <summary>Answers <see cref="OperatorOutcomesRequest"/>.</summary>
/// <param name="Request">That of the question.</param>
/// <param name="Outcomes">The commands in the order in which they were accepted: all under way, and the last ones that have ended.</param>
public sealed record OperatorOutcomes(string Request, IReadOnlyList<OperatorOutcome> Outcomes) : IClusterMessage;

/// <summary>All that the control actor knows; persisted, so its form may only be extended.</summary>
/// <param name="Outcomes">The commands and decisions it knows, in the order in which they were accepted.</param>
/// <param name="Decisions">The decisions among them that are under way.</param>
public sealed record ControlSnapshot(IReadOnlyList<OperatorOutcome> Outcomes, IReadOnlyList<DeadLetterDecision> Decisions) : IClusterMessage;
