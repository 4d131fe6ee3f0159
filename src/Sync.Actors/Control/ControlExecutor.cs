using Akka.Actor;
using Akka.Cluster;
using Sync.Contracts.Cluster;

namespace Sync.Actors.Control;

/// <summary>What a verb does with its argument.</summary>
public delegate Task<ControlResult> ControlVerb(string argument, CancellationToken stop);

/// <summary>Carries out what every cluster knows, nodes that leave and dead letters, and the verbs that the node adds.</summary>
public sealed class ControlExecutor : IControlExecutor
{
    public const string LeaveVerb = "leave", DownVerb = "down";

    static readonly TimeSpan laneAnswer = TimeSpan.FromSeconds(30);
    static readonly TimeSpan pause = TimeSpan.FromSeconds(1);

    /// <summary>A lane that moves, or whose Redis is away, for longer than this is given up, so that the operator hears of it.</summary>
    const int laneAttempts = 20;

    readonly Cluster cluster;
    readonly Func<ICanTell> lanes;
    readonly Dictionary<string, ControlVerb> verbs;

    /// <param name="cluster">This node's.</param>
    /// <param name="lanes">The shard region of lanes; asked for when it is needed.</param>
    /// <param name="more">Verbs of the node.</param>
    public ControlExecutor(Cluster cluster, Func<ICanTell> lanes, IReadOnlyDictionary<string, ControlVerb> more)
    {
        this.cluster = cluster;
        this.lanes = lanes;
        verbs = new(more)
        {
            [LeaveVerb] = (address, _) => Task.FromResult(ForMember(address, cluster.Leave, "is asked to leave")),
            [DownVerb] = (address, _) => Task.FromResult(ForMember(address, cluster.Down, "is taken out")),
        };
        Verbs = verbs.Keys.ToHashSet();
    }

    public IReadOnlySet<string> Verbs { get; }

    public Task<ControlResult> ExecuteAsync(ControlOrder order, CancellationToken stop) => order.Decision is { } decision
        ? HandleAsync(decision, stop)
        : verbs.TryGetValue(order.Outcome.Command, out var verb)
            ? verb(order.Outcome.Argument, stop)
            : Task.FromResult(new ControlResult(false, $"This version knows no command {order.Outcome.Command}."));

    ControlResult ForMember(string address, Action<Address> act, string done)
    {
        // Done before, if the node is gone: the command may come a second time.
        if (MemberAddress.Find(cluster.State, address) is not { } found) return new ControlResult(true, $"{address} is no member.");
        act(found);
        return new ControlResult(true, $"{address} {done}.");
    }

    async Task<ControlResult> HandleAsync(DeadLetterDecision decision, CancellationToken stop)
    {
        ILaneMessage question = decision.Action == DeadLetterAction.Retry
            ? new DeadLetterRetry(decision.Lane, decision.Request, decision.Key, decision.Force)
            : new DeadLetterDrop(decision.Lane, decision.Request, decision.Key, decision.Ids);
        for (int attempt = 1; attempt <= laneAttempts; attempt++)
        {
            if (attempt > 1) await Task.Delay(pause, stop);
            try
            {
                var answer = await lanes().Ask<DeadLetterAnswer>(question, laneAnswer, stop);
                if (answer.Outcome != DeadLetterOutcome.Moving) return ResultOf(decision, answer);
            }
            catch (AskTimeoutException)
            {
                // The region may have dropped it while the lane moved. A second retry or drop finds nothing left to do.
            }
        }
        return new ControlResult(false, $"Lane {decision.Lane} gives no answer.");
    }

    static ControlResult ResultOf(DeadLetterDecision decision, DeadLetterAnswer answer)
    {
        string did = $"{answer.Handled} {(decision.Action == DeadLetterAction.Retry ? "applied" : "dropped")}, {answer.Left} left";
        return answer.Outcome == DeadLetterOutcome.Done ? new ControlResult(true, did) : new ControlResult(false, $"{did}: {answer.Error}");
    }
}
