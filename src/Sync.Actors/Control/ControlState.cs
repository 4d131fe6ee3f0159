using System.Collections.Immutable;
using Sync.Contracts.Cluster;

namespace Sync.Actors.Control;

/// <summary>What is to be done with a request; a closed set.</summary>
abstract record ControlVerdict
{
    /// <summary>It is persisted, and carried out from then on.</summary>
    public sealed record Accept(IControlEvent Event) : ControlVerdict;

    /// <summary>It was accepted before.</summary>
    public sealed record Known(OperatorOutcome Outcome) : ControlVerdict;

    /// <summary>Nothing is kept of it.</summary>
    public sealed record Refuse(OperatorOutcome Outcome) : ControlVerdict;
}

/// <summary>
/// The commands of operators and their decisions about dead letters: accepted, carried out, ended. A value; the clock, the journal and the work belong to
/// <see cref="ControlActor"/>. Folding the events of the journal gives the state that whoever wrote them had.
/// </summary>
sealed record ControlState
{
    /// <summary>More than this many at once are refused.</summary>
    public const int MostUnderWay = 1000;

    /// <summary>Of those that have ended, so many are remembered. One that is forgotten and given again is carried out again.</summary>
    public const int MostEnded = 1000;

    public const string RetryVerb = "dlq-retry", DropVerb = "dlq-drop";

    public static readonly ControlState Empty = new();

    ImmutableList<OperatorOutcome> Outcomes { get; init; } = [];
    ImmutableDictionary<string, DeadLetterDecision> Decisions { get; init; } = ImmutableDictionary<string, DeadLetterDecision>.Empty;

    /// <summary>In the order in which they were accepted.</summary>
    public IReadOnlyList<OperatorOutcome> All => Outcomes;

    public OperatorOutcome? Find(string id) => Outcomes.Find(o => o.Id == id);

    /// <param name="command">What somebody asks for.</param>
    /// <param name="verbs">What can be asked for.</param>
    /// <param name="nowTicks">UTC ticks.</param>
    public ControlVerdict ProcessCommand(OperatorCommand command, IReadOnlySet<string> verbs, long nowTicks)
    {
        if (Find(command.Id) is { } known) return new ControlVerdict.Known(known);
        var outcome = new OperatorOutcome(command.Id, command.Command, command.Argument, command.By, nowTicks, OperatorStage.UnderWay, "", 0);
        if (Objection(command.Id) is { } objection) return Refused(outcome, objection, nowTicks);
        if (!verbs.Contains(command.Command)) return Refused(outcome, $"There is no command {command.Command}; there are {string.Join(", ", verbs.Order())}.", nowTicks);
        return new ControlVerdict.Accept(new OperatorCommandAccepted(command.Id, command.Command, command.Argument, command.By, nowTicks));
    }

    /// <summary>A decision is persisted as it comes, with the time at which it is accepted.</summary>
    public ControlVerdict ProcessCommand(DeadLetterDecision decision, long nowTicks)
    {
        if (Find(decision.Request) is { } known) return new ControlVerdict.Known(known);
        var accepted = decision with { AtTicks = nowTicks };
        return Objection(decision.Request) is { } objection ? Refused(OutcomeOf(accepted), objection, nowTicks) : new ControlVerdict.Accept(accepted);
    }

    public ControlState Apply(IControlEvent happened) => happened switch
    {
        OperatorCommandAccepted e => Add(new OperatorOutcome(e.Id, e.Command, e.Argument, e.By, e.AtTicks, OperatorStage.UnderWay, "", 0)),
        DeadLetterDecision e => Add(OutcomeOf(e)) with { Decisions = Decisions.SetItem(e.Request, e) },
        OperatorCommandCompleted e => End(e),
        _ => throw new ArgumentOutOfRangeException(nameof(happened), happened, "An event that nobody folds."),
    };

    /// <summary>
    /// What may be begun now, in order. Two that are about the same thing come one after the other: a drop must not overtake a retry that was accepted before it.
    /// A decision without a key is about all of them.
    /// </summary>
    /// <param name="running">Those that were begun and have not ended.</param>
    public IEnumerable<ControlOrder> Startable(IReadOnlySet<string> running)
    {
        const string Keys = "key";
        var busy = new HashSet<(string, string)>();
        bool isAnyKeyBusy = false, areAllKeysBusy = false;
        foreach (var outcome in Outcomes)
        {
            if (outcome.Stage != OperatorStage.UnderWay) continue;
            var decision = Decisions.GetValueOrDefault(outcome.Id);
            bool isFree = busy.Add(decision is null ? (outcome.Command, outcome.Argument) : (Keys, outcome.Argument));
            if (decision is not null)
            {
                isFree &= !areAllKeysBusy && !(decision.Key.IsEmpty && isAnyKeyBusy);
                isAnyKeyBusy = true;
                areAllKeysBusy |= decision.Key.IsEmpty;
            }
            if (isFree && !running.Contains(outcome.Id)) yield return new ControlOrder(outcome, decision);
        }
    }

    public ControlSnapshot ToSnapshot() => new(Outcomes, [.. Decisions.Values]);

    public static ControlState From(ControlSnapshot snapshot) => new()
    {
        Outcomes = [.. snapshot.Outcomes],
        Decisions = snapshot.Decisions.ToImmutableDictionary(d => d.Request),
    };

    string? Objection(string id)
    {
        if (id.Length is 0 or > 200) return "A command needs a name of 1 to 200 characters.";
        return Outcomes.Count(o => o.Stage == OperatorStage.UnderWay) >= MostUnderWay ? $"{MostUnderWay} commands are under way: wait for some of them." : null;
    }

    ControlState Add(OperatorOutcome outcome) => Find(outcome.Id) is null ? this with { Outcomes = Outcomes.Add(outcome) } : this;

    ControlState End(OperatorCommandCompleted end)
    {
        int index = Outcomes.FindIndex(o => o.Id == end.Id);
        if (index < 0) return this;
        var ended = Outcomes[index] with { Stage = end.Succeeded ? OperatorStage.Done : OperatorStage.Failed, Message = end.Message, EndedTicks = end.AtTicks, Letters = end.Letters };
        var outcomes = Outcomes.SetItem(index, ended);
        if (outcomes.Count(o => o.Stage != OperatorStage.UnderWay) > MostEnded) outcomes = outcomes.RemoveAt(outcomes.FindIndex(o => o.Stage != OperatorStage.UnderWay));
        return this with { Outcomes = outcomes, Decisions = Decisions.Remove(end.Id) };
    }

    static OperatorOutcome OutcomeOf(DeadLetterDecision decision) => new(
        decision.Request, decision.Action == DeadLetterAction.Retry ? RetryVerb : DropVerb, System.Text.Encoding.UTF8.GetString(decision.Key.Span), decision.By,
        decision.AtTicks, OperatorStage.UnderWay, "", 0);

    static ControlVerdict.Refuse Refused(OperatorOutcome outcome, string why, long nowTicks) =>
        new(outcome with { Stage = OperatorStage.Refused, Message = why, EndedTicks = nowTicks });
}
