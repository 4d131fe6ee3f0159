namespace Sync.Engine.Tests.Simulation.Lanes;

/// <summary>A mistake built in on purpose, to prove that the simulation sees it.</summary>
enum LaneMutation
{
    None,
    /// <summary>A lane takes a batch though one before it is missing.</summary>
    TakesBehindAGap,
    /// <summary>A batch of a reader that was replaced is taken as if it were of the present one.</summary>
    TakesOldEpochs,
    /// <summary>A lane that was just taken over begins at whatever batch comes first.</summary>
    BeginsAnywhere,
    /// <summary>A lane waits for batches that another owner has acknowledged already.</summary>
    WaitsForAcknowledged,
    /// <summary>A batch is acknowledged when it was taken, not when it is in Redis.</summary>
    AcknowledgesBeforeApplied,
    /// <summary>Rows that the position of the takeover covers are written again.</summary>
    KeepsCoveredRows,
    /// <summary>Rows of an earlier epoch that are on their way are not known when they come again, only those in Redis.</summary>
    ForgetsRowsUnderWay,
    /// <summary>Who takes a lane does not raise the token of the owner before.</summary>
    NoFence,
    /// <summary>Who takes a lane from an earlier takeover of the same node does not raise the token.</summary>
    NoFenceOnOneNode,
    /// <summary>The position is read before the owner is replaced, not in the same script.</summary>
    PositionBeforeFence,
    /// <summary>A writer that was refused goes on with the new token and does not ask which lanes are still its own.</summary>
    TokenWithoutLanes,
    /// <summary>A writer that was refused asks which lanes are its own before it reads the token.</summary>
    LanesBeforeToken,
    /// <summary>A writer asks only whether its node owns a lane, not by which takeover.</summary>
    NodeWithoutClaim,
    /// <summary>A lane is given up at the end of the hand-off time though a flight is under way.</summary>
    GivesUpUnderWay,
    /// <summary>Who gives a lane up does not look whether somebody else has taken it meanwhile.</summary>
    GivesUpForOthers,
    /// <summary>A flight that was refused is forgotten though the lane is still ours.</summary>
    ForgetsRefusedFlight,
    /// <summary>A flight records the position of the last row of the lane, not of its own.</summary>
    PositionAheadOfFlight,
    /// <summary>A flight leaves out what it should begin with.</summary>
    FlightWithGaps,
    /// <summary>Rows are compared in a flight that also writes.</summary>
    ComparesAmongChanges,
    /// <summary>A takeover does not load the keys that have dead letters.</summary>
    ForgetsParkedKeys,
    /// <summary>What was sent is confirmed, not what was acknowledged.</summary>
    ConfirmsWhatWasSent,
    /// <summary>A reader that was replaced still records what is confirmed.</summary>
    ReplacedReaderConfirms,
    /// <summary>The second half of a move is sent without waiting for the first.</summary>
    MovesWithoutWaiting,
    /// <summary>What is lost on the way is not sent again.</summary>
    NeverResends,
    /// <summary>A lane does not say that it answers a question.</summary>
    NeverAnswers,
    /// <summary>An owner that was replaced and answers is asked again, and never made to write.</summary>
    OnlyAsks,
    /// <summary>The bound over all lanes is not kept.</summary>
    NoBudget,
}
