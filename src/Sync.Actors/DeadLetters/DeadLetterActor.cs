using Akka.Actor;
using Sync.Actors.Status;
using Sync.Contracts.Cluster;
using Sync.Engine.Ordering;

namespace Sync.Actors.DeadLetters;

/// <summary>How orders about dead letters travel.</summary>
public sealed record DeadLetterOrderOptions
{
    /// <summary>How many lanes there are in the cluster. Default 256.</summary>
    public int Lanes { get; init; } = 256;

    /// <summary>How long lanes may take, above 0. Default 30 s.</summary>
    public TimeSpan Limit { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How often a lane that has not answered, or was moving, is asked again, above 0. Default 1 s.</summary>
    public TimeSpan Repeat { get; init; } = TimeSpan.FromSeconds(1);
}

/// <summary>
/// Brings what operators want done with dead letters to the lanes: to the lane of a key, or to all, and gathers what they say. One on each node, for whoever
/// asks there. Lanes carry an order out once, however often it comes, so it is repeated until it is answered. A crash of it loses the answers, not the work.
/// </summary>
/// <param name="region">The shard region of lanes or its proxy.</param>
/// <param name="options">How it works.</param>
public sealed class DeadLetterActor(Func<IActorRef?> region, DeadLetterOrderOptions options) : UntypedActor
{
    /// <summary>Its name on every node, below the user's guardian.</summary>
    public const string Name = "actorsync-dead-letters";

    readonly LaneRouter router = new(options.Lanes, 1);

    protected override void OnReceive(object message)
    {
        switch (message)
        {
            case RetryDeadLetters retry: Bring(retry.Request, retry.Key, lane => new DeadLetterRetry(lane, retry.Request, retry.Key, retry.Force)); break;
            case DropDeadLetters drop: Bring(drop.Request, drop.Key, lane => new DeadLetterDrop(lane, drop.Request, drop.Key, drop.Ids)); break;
            default: Unhandled(message); break;
        }
    }

    void Bring(string request, ReadOnlyMemory<byte> key, Func<int, object> order)
    {
        var asker = Sender;
        IEnumerable<int> lanes = region() is null ? [] : key.IsEmpty ? Enumerable.Range(0, options.Lanes) : [router.LaneOf(key.Span)];
        var inquiry = new LaneInquiry(lanes.ToDictionary(lane => lane, lane => (region()!, order(lane))), options.Repeat, options.Limit);
        Context.ActorOf(Props.Create(() => new LaneGatherActor<DeadLetterAnswer>(inquiry, LaneOf(request), Tell(request, asker))));
    }

    static Func<DeadLetterAnswer, int?> LaneOf(string request) =>
        answer => answer.Request == request && answer.Outcome != DeadLetterOutcome.Moving ? answer.Lane : null;

    static Action<IReadOnlyList<DeadLetterAnswer>, IReadOnlyList<int>> Tell(string request, IActorRef asker) => (answers, silent) =>
        asker.Tell(new DeadLettersHandled(request, answers.Sum(a => a.Handled), answers.Sum(a => a.Left), answers, silent));
}
