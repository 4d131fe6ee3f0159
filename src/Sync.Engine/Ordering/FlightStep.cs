namespace Sync.Engine.Ordering;

/// <summary>What has to be done next to bring a flight home; see <see cref="Flight"/>.</summary>
public enum FlightStep
{
    /// <summary>Nothing: Redis has it, and what could not be written is parked.</summary>
    Done,
    /// <summary>Ask whether Redis records <see cref="Flight.Reached"/>, because nobody knows what became of the last attempt.</summary>
    AskApplied,
    /// <summary>Redis has it, but its replies are lost: find out what of it was refused.</summary>
    FindRefused,
    /// <summary>Send <see cref="Flight.Batches"/>, what parks <see cref="Flight.Held"/> and the position reached, as one transaction.</summary>
    Send,
    /// <summary>Ask whether <see cref="Flight.Refused"/> was parked, because nobody knows what became of the last attempt.</summary>
    AskParked,
    /// <summary>Park <see cref="Flight.Refused"/> and record that this was done, as one transaction.</summary>
    Park,
    /// <summary>Somebody else owns what it writes: drop it. Nothing of it was applied by the last attempt.</summary>
    Leave,
}
