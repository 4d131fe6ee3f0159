using Sync.Contracts;
using Sync.Engine.Batching;
using Sync.Engine.DeadLetters;

namespace Sync.Engine.Ordering;

/// <summary>
/// Decides how one flight after the other is brought home: what to send, what to ask after an attempt with an unknown outcome, what to park. Whoever
/// has the connection does what <see cref="Next"/> says, tells here what came of it, and asks again until <see cref="FlightStep.Done"/>.
/// The rules it keeps:
/// <list type="number">
/// <item>A flight is repeated only when it is certain that Redis does not have it; the position that Redis recorded with the data tells.</item>
/// <item>A repeated flight is put together from the start, so no attempt leaves a trace in what its successor parks.</item>
/// <item>What is taken out before Redis ran anything is parked in the transaction of the rest: it is applied or parked, never neither and never both.</item>
/// <item>What Redis refused while it ran the flight is parked before the flight is done, so nothing of its keys can be sent before that.</item>
/// </list>
/// Belongs to one writer. A flight without failures allocates nothing per row.
/// </summary>
/// <param name="filter">Takes out what can't be written.</param>
/// <param name="parked">The keys of this writer that have dead letters.</param>
/// <param name="recordsPositions">Whether Redis records how far a flight reached. Without, one with an unknown outcome is repeated.</param>
/// <param name="copies">Tells the flights of a copy apart, whose rows have no position; no other writer, past or present, may have the same.</param>
public sealed class Flight(FlightFilter filter, ParkedKeys parked, bool recordsPositions, Position copies)
{
    enum Stage { Done, Writing, RepliesLost, Refused, Left }

    readonly List<Batch> whole = [], batches = [];
    Position nextCopy = copies;
    Stage stage;
    bool inDoubt, isComposed;

    /// <summary>What to send, and what was sent last. Parts that have to be parked are not in it.</summary>
    public IReadOnlyList<Batch> Batches => batches;

    /// <summary>Changes of the whole flight.</summary>
    public int Rows
    {
        get
        {
            int rows = 0;
            foreach (var batch in whole) rows += batch.Count;
            return rows;
        }
    }

    /// <summary>What was taken out of the flight, to be parked together with it.</summary>
    public IReadOnlyList<DeadLetter> Held { get; private set; } = [];

    /// <summary>What Redis refused while it ran the flight.</summary>
    public IReadOnlyList<DeadLetter> Refused { get; private set; } = [];

    /// <summary>The position that Redis holds once it has the flight.</summary>
    public Position Reached { get; private set; }

    /// <summary>Whether it belongs to a copy, so that <see cref="Reached"/> is no position in the log.</summary>
    public bool IsCopy { get; private set; }

    /// <summary>Begins a flight of one batch or more. The one before must be done.</summary>
    public void Begin(IEnumerable<Batch> flight)
    {
        if (stage is not Stage.Done) throw new InvalidOperationException("The flight before is not done.");
        whole.Clear();
        whole.AddRange(flight);
        Reached = Position.None;
        foreach (var batch in whole)
            if (batch.Last > Reached) Reached = batch.Last;
        IsCopy = Reached == Position.None;
        if (IsCopy)
        {
            Reached = nextCopy;
            nextCopy = nextCopy with { Step = nextCopy.Step + 1 };
        }
        Held = [];
        Refused = [];
        stage = Stage.Writing;
        isComposed = false;
    }

    /// <summary>What to do next. Asking twice gives the same answer.</summary>
    /// <param name="now">For dead letters.</param>
    public FlightStep Next(DateTimeOffset now)
    {
        switch (stage)
        {
            case Stage.Writing when inDoubt && recordsPositions: return FlightStep.AskApplied;
            case Stage.Writing:
                Compose(now);
                return FlightStep.Send;
            case Stage.RepliesLost: return FlightStep.FindRefused;
            case Stage.Refused: return inDoubt ? FlightStep.AskParked : FlightStep.Park;
            case Stage.Left: return FlightStep.Leave;
            default: return FlightStep.Done;
        }
    }

    /// <summary>Redis answered <see cref="FlightStep.Send"/>.</summary>
    public void Written(FlightResult result, DateTimeOffset now)
    {
        switch (result.Outcome)
        {
            case FlightOutcome.Fenced:
                stage = Stage.Left;
                break;
            case FlightOutcome.Rejected:
                // What was taken out before may stand behind what is taken out now, and dead letters of a key are retried in the order of parking.
                Held = [.. Held.Concat(filter.TakeRefused(batches, result.Failures, parked, now)).OrderBy(letter => letter.Position)];
                break;
            default:
                if (result.Failures.Count > 0) Refused = filter.Failed(batches, result.Failures, now);
                AfterRun();
                break;
        }
    }

    /// <summary>The answer to <see cref="FlightStep.AskApplied"/> or <see cref="FlightStep.AskParked"/>. It has to be final: nothing sent before may be applied after it.</summary>
    public void Answered(bool isThere)
    {
        inDoubt = false;
        if (!isThere) return;
        if (stage == Stage.Writing) stage = Stage.RepliesLost;
        else Finish();
    }

    /// <summary>The answer to <see cref="FlightStep.FindRefused"/>: the commands of <see cref="Batches"/> that were refused.</summary>
    public void Found(IReadOnlyList<CommandFailure> failures, DateTimeOffset now)
    {
        inDoubt = false;
        if (failures.Count > 0) Refused = filter.Failed(batches, failures, now);
        AfterRun();
    }

    /// <summary><see cref="FlightStep.Park"/> was done.</summary>
    public void Parked() => Finish();

    /// <summary>What was tried, for the flight or between two, failed for a reason that passes.</summary>
    /// <param name="outcomeUnknown">Whether Redis may have done it all the same.</param>
    public void Failed(bool outcomeUnknown)
    {
        inDoubt |= outcomeUnknown;
        isComposed = false;
    }

    void Compose(DateTimeOffset now)
    {
        if (isComposed) return;
        inDoubt = false;
        parked.Undo();
        batches.Clear();
        batches.AddRange(whole);
        Held = filter.TakeHeld(batches, parked, now);
        isComposed = true;
    }

    void AfterRun()
    {
        if (Refused.Count > 0) stage = Stage.Refused;
        else Finish();
    }

    void Finish()
    {
        foreach (var letter in Refused) parked.Add(letter.Key.Span);
        parked.Keep();
        stage = Stage.Done;
    }
}
