using Akka.Actor;
using Akka.Cluster;
using Sync.Actors.DeadLetters;
using Sync.Contracts.Cluster;

namespace Sync.Actors.Control;

/// <summary>What a verb does with its argument.</summary>
public delegate Task<ControlResult> ControlVerb(string argument, CancellationToken stop);

/// <summary>Carries out what every cluster knows, nodes that leave and dead letters, and the verbs that the node adds.</summary>
public sealed class ControlExecutor : IControlExecutor
{
    public const string LeaveVerb = "leave", DownVerb = "down";

    /// <summary>The dead-letter actor answers by itself when lanes don't; this is for one that is gone.</summary>
    static readonly TimeSpan patience = TimeSpan.FromMinutes(2);

    readonly Cluster cluster;
    readonly Func<ICanTell> deadLetters;
    readonly Dictionary<string, ControlVerb> verbs;

    /// <param name="cluster">This node's.</param>
    /// <param name="deadLetters">This node's <see cref="DeadLetterActor"/>; asked for when it is needed.</param>
    /// <param name="more">Verbs of the node.</param>
    public ControlExecutor(Cluster cluster, Func<ICanTell> deadLetters, IReadOnlyDictionary<string, ControlVerb> more)
    {
        this.cluster = cluster;
        this.deadLetters = deadLetters;
        verbs = new(more)
        {
            [LeaveVerb] = (address, _) => ForMemberAsync(address, member => LeavingActor.LeaveAsync(cluster, member), "is asked to leave"),
            [DownVerb] = (address, _) => ForMemberAsync(address, member => LeavingActor.DownAsync(cluster, member), "is taken out"),
        };
        Verbs = verbs.Keys.ToHashSet();
    }

    public IReadOnlySet<string> Verbs { get; }

    public Task<ControlResult> ExecuteAsync(ControlOrder order, CancellationToken stop) => order.Decision is { } decision
        ? HandleAsync(decision, stop)
        : verbs.TryGetValue(order.Outcome.Command, out var verb)
            ? verb(order.Outcome.Argument, stop)
            : Task.FromResult(new ControlResult(false, $"This version knows no command {order.Outcome.Command}."));

    async Task<ControlResult> ForMemberAsync(string address, Func<Address, Task> act, string done)
    {
        // Done before, if the node is gone: the command may come a second time.
        if (MemberAddress.Find(cluster.State, address) is not { } found) return new ControlResult(true, $"{address} is no member.");
        await act(found);
        return new ControlResult(true, $"{address} {done}.");
    }

    async Task<ControlResult> HandleAsync(DeadLetterDecision decision, CancellationToken stop)
    {
        object order = decision.Action == DeadLetterAction.Retry
            ? new RetryDeadLetters(decision.Request, decision.Key, decision.Force)
            : new DropDeadLetters(decision.Request, decision.Key, decision.Ids);
        return ResultOf(decision.Action, await deadLetters().Ask<DeadLettersHandled>(order, patience, stop));
    }

    internal static ControlResult ResultOf(DeadLetterAction action, DeadLettersHandled handled)
    {
        string did = $"{handled.Handled} {(action == DeadLetterAction.Retry ? "applied" : "dropped")}, {handled.Left} left";
        var letters = new DeadLetterCount(handled.Handled, handled.Left, handled.Silent.Count);
        if (letters.Silent > 0) return new ControlResult(false, $"{did}; no answer of {Lanes(handled.Silent)}, which may be moving: ask again.", letters);
        string errors = string.Join("; ", handled.Answers.Where(a => a.Outcome != DeadLetterOutcome.Done).Select(a => a.Error).Distinct());
        return errors.Length == 0 ? new ControlResult(true, $"{did}.", letters) : new ControlResult(false, $"{did}: {errors}.", letters);
    }

    static string Lanes(IReadOnlyList<int> silent) => silent.Count switch
    {
        1 => $"lane {silent[0]}",
        <= 8 => $"lanes {string.Join(", ", silent)}",
        _ => $"{silent.Count} lanes",
    };
}
