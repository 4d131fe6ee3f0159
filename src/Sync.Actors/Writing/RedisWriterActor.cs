using Akka.Actor;
using Sync.Actors.Ports;

namespace Sync.Actors.Writing;

/// <summary>
/// Owns one connection to Redis (<see cref="ILaneWriter"/>) and brings the flights of its lanes home: while one transaction is under way the flights of
/// other lanes wait, and all that waits goes into the next one, up to the bounds of <see cref="WriterOptions"/>. What waits is bounded by the number
/// of lanes, because each has one flight under way at most.
/// <para>Gets its work from <see cref="RedisWriterPool"/> and answers the lanes. A crash of it loses what it had, with an outcome nobody knows: the pool
/// tells the lanes, who ask Redis by taking themselves over again.</para>
/// </summary>
sealed class RedisWriterActor(int index, ILaneWriterFactory factory, WriterOptions options) : UntypedActor, IWithTimers
{
    readonly record struct Waiting(LaneWork Work, IActorRef Lane);

    sealed record Written(IReadOnlyList<LaneOutcome> Outcomes);

    sealed record Ordered(DeadLetterOutcome Outcome);

    sealed class LookAtCircuit
    {
        public static readonly LookAtCircuit Instance = new();
    }

    readonly Queue<Waiting> waiting = new();
    readonly Queue<(HandleDeadLetters Order, IActorRef Lane)> orders = new();
    readonly List<Waiting> underWay = [];
    readonly CancellationTokenSource ending = new();
    (HandleDeadLetters Order, IActorRef Lane)? orderUnderWay;
    ILaneWriter? writer;
    bool isCircuitOpen;

    public ITimerScheduler Timers { get; set; } = null!;

    protected override void PreStart()
    {
        writer = factory.Create(index);
        Timers.StartPeriodicTimer(nameof(LookAtCircuit), LookAtCircuit.Instance, options.CircuitLook);
    }

    protected override void PostStop()
    {
        ending.Cancel();
        // Nobody waits for it: what the connection may still do is fenced off.
        _ = writer?.DisposeAsync().AsTask().ContinueWith(t => t.Exception, TaskScheduler.Default);
    }

    protected override void OnReceive(object message)
    {
        switch (message)
        {
            case WriteFlight flight: Queue(flight.Work); break;
            case HandleDeadLetters order: Queue(order); break;
            case Written written: End(written.Outcomes); break;
            case Ordered ordered: End(ordered.Outcome); break;
            case LookAtCircuit: Look(); break;
            case Akka.Actor.Status.Failure failure: throw new WriterCrashedException(index, failure.Cause);
            default: Unhandled(message); break;
        }
    }

    void Queue(LaneWork work)
    {
        waiting.Enqueue(new Waiting(work, Sender));
        Begin();
    }

    void Queue(HandleDeadLetters order)
    {
        orders.Enqueue((order, Sender));
        Begin();
    }

    void Begin()
    {
        if (underWay.Count > 0 || orderUnderWay is not null) return;
        if (orders.TryDequeue(out var order)) Handle(order);
        else if (waiting.Count > 0) Write();
    }

    void Handle((HandleDeadLetters Order, IActorRef Lane) next)
    {
        orderUnderWay = next;
        writer!.HandleDeadLettersAsync(next.Order.Lane, next.Order.Claim, next.Order.Order, ending.Token).AsTask()
            .PipeTo(Self, success: outcome => new Ordered(outcome));
    }

    void Write()
    {
        int rows = 0;
        long bytes = 0;
        while (waiting.TryPeek(out var next))
        {
            foreach (var batch in next.Work.Flight.Batches)
            {
                rows += batch.Count;
                bytes += batch.Bytes;
            }
            if (underWay.Count > 0 && (rows > options.Rows || bytes > options.Bytes)) break;
            underWay.Add(waiting.Dequeue());
        }
        var work = underWay.ConvertAll(w => w.Work);
        writer!.WriteAsync(work, ending.Token).AsTask().PipeTo(Self, success: outcomes => new Written(outcomes));
    }

    void End(IReadOnlyList<LaneOutcome> outcomes)
    {
        for (int i = 0; i < underWay.Count; i++) underWay[i].Lane.Tell(new FlightEnded(underWay[i].Work.Claim, outcomes[i]));
        underWay.Clear();
        Look();
        Begin();
    }

    void End(DeadLetterOutcome outcome)
    {
        if (orderUnderWay is { } order) order.Lane.Tell(new OrderEnded(order.Order.Claim, outcome));
        orderUnderWay = null;
        Begin();
    }

    void Look()
    {
        if (writer!.IsCircuitOpen == isCircuitOpen) return;
        isCircuitOpen = !isCircuitOpen;
        Context.Parent.Tell(new CircuitChanged(index, isCircuitOpen));
    }
}

/// <summary>A writer has ended in a way it should not.</summary>
public sealed class WriterCrashedException(int writer, Exception cause) : Exception($"Writer {writer} has crashed: {cause.Message}", cause);
