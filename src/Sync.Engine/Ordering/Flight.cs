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
/// <item>A flight that is too large for one transaction goes in parts, each with its own position: what is said of a flight here holds for each part.</item>
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

    /// <summary>
    /// How often Redis has to close the connection over the same part before it is divided, and over the same change before that is taken for too large.
    /// </summary>
    const int Suspicious = 2, Certain = 3;

    readonly List<Batch> whole = [], rest = [], batches = [];
    readonly FlightPart part = new();
    readonly List<DeadLetter> parkedBefore = [];
    Position nextCopy = copies;
    Stage stage;
    bool inDoubt, isComposed;
    int closings;

    /// <summary>What Redis takes at most; as the connection knows it, before <see cref="Next"/> is asked.</summary>
    public RedisLimits Limits { get; set; } = RedisLimits.Default;

    /// <summary>Whether Redis may close the connection over what is sent, so that nothing else should travel with it.</summary>
    public bool IsSuspect => closings >= Suspicious;

    /// <summary>Whether something of the part that is sent now may be too large.</summary>
    public bool IsLarge => part.HasLonger(Limits.SafeBytes);

    /// <summary>What the part that is sent now takes of a transaction; see <see cref="RedisLimits.Cost(Batch)"/>.</summary>
    public long Cost => part.Cost;

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

    /// <summary>How many changes of the flight were parked, by now.</summary>
    public int ParkedCount => parkedBefore.Count + Held.Count + Refused.Count;

    /// <summary>All that was parked of the flight, by now.</summary>
    public IEnumerable<DeadLetter> AllParked => parkedBefore.Concat(Held).Concat(Refused);

    /// <summary>Begins a flight of one batch or more. The one before must be done.</summary>
    public void Begin(IEnumerable<Batch> flight)
    {
        if (stage is not Stage.Done) throw new InvalidOperationException("The flight before is not done.");
        whole.Clear();
        whole.AddRange(flight);
        rest.Clear();
        parkedBefore.Clear();
        Held = [];
        Refused = [];
        BeginPart(whole);
    }

    void BeginPart(List<Batch> content)
    {
        part.Fill(content);
        batches.Clear();
        parkedBefore.AddRange(Held);
        parkedBefore.AddRange(Refused);
        Held = [];
        Refused = [];
        Reached = part.Last;
        IsCopy = Reached == Position.None;
        if (IsCopy)
        {
            Reached = nextCopy;
            nextCopy = nextCopy with { Step = nextCopy.Step + 1 };
        }
        stage = Stage.Writing;
        isComposed = false;
        closings = 0;
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
            case Stage.Refused when inDoubt: return FlightStep.AskParked;
            case Stage.Refused:
                Refused = FlightFilter.Fit(Refused, Limits);
                return FlightStep.Park;
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
                Held = [.. Held.Concat(filter.TakeRefused(batches, result.Failures, parked, Limits, now)).OrderBy(letter => letter.Position)];
                break;
            default:
                if (result.Failures.Count > 0) Refused = filter.Failed(batches, result.Failures, Limits, now);
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

    /// <summary>
    /// The answer to <see cref="FlightStep.AskApplied"/> as Redis recorded it. Where another writer has begun with the flight, it may have divided it
    /// elsewhere: then
    /// Redis has the begin of the part, up to what is recorded.
    /// </summary>
    public void Recorded(Position position)
    {
        bool isThere = position == Reached;
        if (stage == Stage.Writing && !IsCopy && position < Reached && part.CutBehind(position, rest))
        {
            Reached = part.Last;
            isThere = true;
        }
        Answered(isThere);
    }

    /// <summary>The answer to <see cref="FlightStep.FindRefused"/>: the commands of <see cref="Batches"/> that were refused.</summary>
    public void Found(IReadOnlyList<CommandFailure> failures, DateTimeOffset now)
    {
        inDoubt = false;
        if (failures.Count > 0) Refused = filter.Failed(batches, failures, Limits, now);
        AfterRun();
    }

    /// <summary><see cref="FlightStep.Park"/> was done.</summary>
    public void Parked() => Finish();

    /// <summary>What was tried, for the flight or between two, failed for a reason that passes.</summary>
    /// <param name="outcomeUnknown">Whether Redis may have done it all the same.</param>
    /// <param name="isClosed">Whether Redis closed the connection without a word, which it does over what is too large.</param>
    /// <returns>Bytes of the change over which it did so again and again, so that it must be too large; 0 when that can't be said.</returns>
    public long Failed(bool outcomeUnknown, bool isClosed = false)
    {
        bool isParking = stage == Stage.Refused;
        long sent = isParking ? Refused.Sum(letter => (long)letter.Commands.Length) : isComposed && stage == Stage.Writing ? Cost : 0;
        inDoubt |= outcomeUnknown;
        isComposed = false;
        if (!isClosed || sent <= RedisLimits.SmallestBytes) closings = 0;
        else closings++;
        if (closings < Certain) return 0;
        return isParking ? Refused.Max(letter => letter.Commands.Length) : part.AloneBytes;
    }

    /// <summary>Other <see cref="Limits"/> hold: what is to be sent is put together anew.</summary>
    public void Reconsider() => isComposed = false;

    void Compose(DateTimeOffset now)
    {
        if (isComposed) return;
        inDoubt = false;
        parked.Undo();
        // Of a part that is suspect a change alone that may be the cause, or what stands before it.
        part.Fit(IsSuspect ? RedisLimits.SmallestBytes : Limits.FlightCost, rest);
        if (!IsCopy) Reached = part.Last;
        batches.Clear();
        batches.AddRange(part.Batches);
        Held = filter.TakeHeld(batches, parked, Limits, now);
        isComposed = true;
    }

    void AfterRun()
    {
        closings = 0;
        if (Refused.Count > 0) stage = Stage.Refused;
        else Finish();
    }

    void Finish()
    {
        foreach (var letter in Refused) parked.Add(letter.Key.Span);
        parked.Keep();
        stage = Stage.Done;
        if (rest.Count == 0) return;
        var content = rest.ToList();
        rest.Clear();
        BeginPart(content);
    }
}
