using Akka.Actor;

namespace Sync.Actors.Status;

/// <summary>What is asked of lanes, and how long.</summary>
/// <param name="Questions">For each lane whom to ask and what.</param>
/// <param name="Repeat">How often a lane that has not answered is asked again, above 0: a message may be lost on its way.</param>
/// <param name="Limit">How long answers are waited for, above 0.</param>
sealed record LaneInquiry(IReadOnlyDictionary<int, (IActorRef To, object Question)> Questions, TimeSpan Repeat, TimeSpan Limit);

/// <summary>
/// Asks lanes one question each, again while they don't answer, and ends when all have, or the time is over. Owns the answers; a crash of it loses them, and
/// whoever asked hears nothing.
/// </summary>
/// <typeparam name="TAnswer">What lanes answer.</typeparam>
/// <param name="inquiry">What is asked.</param>
/// <param name="laneOf">The lane of an answer; null for one that does not count, so that the lane is asked again.</param>
/// <param name="tell">Gets the answers, and the lanes that gave none; runs as part of the actor.</param>
sealed class LaneGatherActor<TAnswer>(LaneInquiry inquiry, Func<TAnswer, int?> laneOf, Action<IReadOnlyList<TAnswer>, IReadOnlyList<int>> tell) : UntypedActor, IWithTimers
{
    sealed record Repeat;

    sealed record Over;

    readonly SortedDictionary<int, TAnswer> answers = [];

    public ITimerScheduler Timers { get; set; } = null!;

    protected override void PreStart()
    {
        Timers.StartPeriodicTimer(nameof(Repeat), new Repeat(), inquiry.Repeat);
        Timers.StartSingleTimer(nameof(Over), new Over(), inquiry.Limit);
        Ask();
        EndWhenComplete();
    }

    protected override void OnReceive(object message)
    {
        switch (message)
        {
            case TAnswer answer: Add(answer); break;
            case Repeat: Ask(); break;
            case Over: End(); break;
            default: Unhandled(message); break;
        }
    }

    void Ask()
    {
        foreach (var (lane, (to, question)) in inquiry.Questions)
            if (!answers.ContainsKey(lane)) to.Tell(question, Self);
    }

    void Add(TAnswer answer)
    {
        if (laneOf(answer) is not { } lane || !inquiry.Questions.ContainsKey(lane)) return;
        answers[lane] = answer;
        EndWhenComplete();
    }

    void EndWhenComplete()
    {
        if (answers.Count == inquiry.Questions.Count) End();
    }

    void End()
    {
        tell([.. answers.Values], [.. inquiry.Questions.Keys.Where(lane => !answers.ContainsKey(lane)).Order()]);
        Context.Stop(Self);
    }
}
