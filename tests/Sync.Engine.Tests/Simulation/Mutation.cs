namespace Sync.Engine.Tests.Simulation;

/// <summary>A mistake built in on purpose, to prove that the simulation sees it.</summary>
enum Mutation
{
    None,
    /// <summary>The position is recorded before the data, in a transaction of its own.</summary>
    ProgressBeforeData,
    /// <summary>Redis runs flights of a node that was replaced.</summary>
    NoFence,
    /// <summary>A flight with an unknown outcome is repeated without asking whether Redis has it.</summary>
    RepeatWithoutAsking,
    /// <summary>After a lost connection the old one is not ended, so what lies in its buffer may run later.</summary>
    OldConnectionLives,
    /// <summary>Only the positions recorded with the present number of workers are read at start.</summary>
    NoFolding,
    /// <summary>What was read is confirmed, not what was applied.</summary>
    ConfirmsWhatWasRead,
    /// <summary>The keys that have dead letters are not loaded at start.</summary>
    ForgetsParkedKeys,
    /// <summary>The second half of a move is sent without waiting for the first.</summary>
    MovesWithoutWaiting,
}
