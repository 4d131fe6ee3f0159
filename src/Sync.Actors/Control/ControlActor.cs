using Akka.Actor;
using Akka.Event;
using Akka.Persistence;
using Sync.Contracts.Cluster;

namespace Sync.Actors.Control;

/// <summary>
/// Keeps what operators asked for and sees that it is done, once for the whole cluster: a singleton whose journal is on the source, so an accepted command outlives every node.
/// <list type="number">
/// <item>A request is judged by <see cref="ControlState"/>. Accepted, it is persisted before anything else happens; one whose name is known is answered with what became of it.</item>
/// <item>It is carried out by a task of the <see cref="IControlExecutor"/>, beside others that are about something else.</item>
/// <item>Its outcome is persisted, then whoever waits for it is told.</item>
/// <item>A successor reads the journal and begins what has no outcome.</item>
/// </list>
/// A crash loses the answers that are waited for, nothing else; whoever asked asks again with the same name. When the journal can't be written, the actor ends, and its
/// supervisor starts it again after a while.
/// </summary>
public sealed class ControlActor : UntypedPersistentActor
{
    const int eventsBetweenSnapshots = 100, mostWaiters = 1000;

    readonly IControlExecutor executor;
    readonly TimeProvider time;
    readonly CancellationTokenSource stopping = new();
    readonly HashSet<string> running = [];
    readonly List<(string Id, IActorRef Who)> waiters = [];
    readonly ILoggingAdapter log = Context.GetLogger();
    ControlState state = ControlState.Empty;

    /// <summary>The end of a task.</summary>
    sealed record Ended(string Id, ControlResult Result);

    /// <param name="slot">Whose commands they are; names the journal.</param>
    /// <param name="executor">Does the work.</param>
    /// <param name="time">For the times that are kept.</param>
    public ControlActor(string slot, IControlExecutor executor, TimeProvider time)
    {
        this.executor = executor;
        this.time = time;
        PersistenceId = $"control-{slot}";
    }

    public override string PersistenceId { get; }

    protected override void OnCommand(object message)
    {
        switch (message)
        {
            case OperatorCommand command: Judge(command.Id, state.ProcessCommand(command, executor.Verbs, NowTicks)); break;
            case DeadLetterDecision decision: Judge(decision.Request, state.ProcessCommand(decision, NowTicks)); break;
            case OperatorOutcomesRequest request: Sender.Tell(new OperatorOutcomes(request.Request, state.All)); break;
            case Ended ended: Complete(ended); break;
            case SaveSnapshotSuccess saved: Forget(saved.Metadata.SequenceNr); break;
            case SaveSnapshotFailure failed: log.Warning("The commands could not be summed up; they are read one by one: {0}", failed.Cause.Message); break;
            case DeleteMessagesSuccess or DeleteSnapshotsSuccess or DeleteMessagesFailure or DeleteSnapshotsFailure: break;
            default: Unhandled(message); break;
        }
    }

    protected override void OnRecover(object message)
    {
        switch (message)
        {
            case SnapshotOffer { Snapshot: ControlSnapshot snapshot }: state = ControlState.From(snapshot); break;
            case IControlEvent happened: state = state.Apply(happened); break;
            case RecoveryCompleted: Begin(); break;
        }
    }

    protected override void PostStop()
    {
        stopping.Cancel();
        stopping.Dispose();
        base.PostStop();
    }

    long NowTicks => time.GetUtcNow().UtcTicks;

    void Judge(string id, ControlVerdict verdict)
    {
        switch (verdict)
        {
            case ControlVerdict.Accept accept:
                Wait(id, Sender);
                PersistOne(accept.Event);
                break;
            case ControlVerdict.Known { Outcome.Stage: OperatorStage.UnderWay }:
                Wait(id, Sender);
                break;
            case ControlVerdict.Known known:
                Sender.Tell(known.Outcome);
                break;
            case ControlVerdict.Refuse refuse:
                Sender.Tell(refuse.Outcome);
                break;
        }
    }

    // Whoever waited longest has given up.
    void Wait(string id, IActorRef who)
    {
        if (waiters.Count >= mostWaiters) waiters.RemoveAt(0);
        waiters.Add((id, who));
    }

    void Complete(Ended ended)
    {
        running.Remove(ended.Id);
        PersistOne(new OperatorCommandCompleted(ended.Id, ended.Result.Succeeded, ended.Result.Message, NowTicks, ended.Result.Letters));
    }

    void PersistOne(IControlEvent happened) => Persist(happened, persisted =>
    {
        state = state.Apply(persisted);
        if (persisted is OperatorCommandCompleted completed) Tell(completed.Id);
        if (LastSequenceNr % eventsBetweenSnapshots == 0) SaveSnapshot(state.ToSnapshot());
        Begin();
    });

    void Tell(string id)
    {
        if (state.Find(id) is not { } outcome) return;
        log.Info("{0} {1} of {2}: {3}", outcome.Command, outcome.Argument, outcome.By, outcome.Stage == OperatorStage.Done ? "done" : outcome.Message);
        foreach (var (_, who) in waiters.Where(w => w.Id == id)) who.Tell(outcome);
        waiters.RemoveAll(w => w.Id == id);
    }

    void Begin()
    {
        foreach (var order in state.Startable(running).ToList())
        {
            running.Add(order.Outcome.Id);
            RunAsync(order, stopping.Token).PipeTo(Self);
        }
    }

    // Work that was given up because this node stops has no outcome, and nobody is left to hear of it.
    async Task<Ended> RunAsync(ControlOrder order, CancellationToken stop)
    {
        try
        {
            return new Ended(order.Outcome.Id, await Task.Run(() => executor.ExecuteAsync(order, stop), stop));
        }
        catch (Exception e) when (!stop.IsCancellationRequested)
        {
            return new Ended(order.Outcome.Id, new ControlResult(false, e.Message));
        }
    }

    void Forget(long through)
    {
        DeleteMessages(through);
        DeleteSnapshots(new SnapshotSelectionCriteria(through - 1));
    }
}
