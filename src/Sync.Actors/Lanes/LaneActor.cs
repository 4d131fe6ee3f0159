using Akka.Actor;
using Akka.Cluster.Sharding;
using Akka.Event;
using Sync.Actors.Ports;
using Sync.Actors.Writing;
using Sync.Contracts;
using Sync.Contracts.Cluster;
using Sync.Engine.Retry;

namespace Sync.Actors.Lanes;

/// <summary>
/// One lane: an entity of the shard region <c>lanes</c>, whose id is the lane's number. Owns what the lane holds from one takeover to the next
/// (<see cref="LaneStay"/>) and the actors of its keys.
/// <list type="number">
/// <item>It starts by taking the lane over in Redis, which fences off whoever had it and tells the lane's final position. Until then it keeps the first
/// batches that come, as many as its credit allows; the reader sends the others again.</item>
/// <item>Batches come from <see cref="Reading.ReplicationReaderActor"/>, flights go to the node's <see cref="RedisWriterPool"/>, one at a time.</item>
/// <item>When a writer has crashed, nobody knows what became of the flight: the lane drops all it holds and takes itself over again, and the reader sends
/// what is missing then.</item>
/// <item>When the reader has begun with another history of Redis or PostgreSQL than the takeover knew of, likewise.</item>
/// <item>When the lane is another's, it drops all it holds and ends.</item>
/// <item>When it moves elsewhere, it takes nothing more, brings home what it has within <see cref="LaneOptions.Drain"/>, and gives the lane up, so that the
/// next owner has nobody to fence off. If that takes too long it ends without giving up, and is fenced off.</item>
/// </list>
/// A crash of it, or of a key of it, loses nothing but time: it starts again with a takeover, and rows that are on their way to Redis are either in the
/// position that the takeover tells or refused for good.
/// </summary>
public sealed class LaneActor(int lane, LaneContext context) : UntypedActor, IWithTimers
{
    const int idleSweeps = 2;

    sealed record TakeOver;

    sealed record Taken(int Attempt, LaneTakeover Takeover);

    sealed record NotTaken(int Attempt, Exception Cause);

    sealed record GivenUp;

    sealed record DrainOver;

    sealed record Sweep;

    readonly ILoggingAdapter log = Context.GetLogger();
    readonly CancellationTokenSource ending = new();
    readonly Queue<(LaneBatch Batch, IActorRef Reader)> early = new();
    readonly LaneOrders orders = new(lane);
    (LaneBatch Batch, IActorRef Reader)? question;
    IActorRef reader = ActorRefs.Nobody;
    LaneStay? stay;
    long readerEpoch, earlyBytes;
    int attempt, failures;
    bool isHandedOff, isDraining, hasGivenUp, hasEnded, isCircuitOpen;

    public ITimerScheduler Timers { get; set; } = null!;

    protected override void PreStart()
    {
        context.Status.Tell(new LaneStarted(lane));
        Timers.StartPeriodicTimer(nameof(Sweep), new Sweep(), context.Options.KeyIdle / idleSweeps);
        BeginTakeover();
    }

    protected override void PostStop() => ending.Cancel();

    protected override SupervisorStrategy SupervisorStrategy() => new OneForOneStrategy(_ => Directive.Escalate);

    protected override void OnReceive(object message)
    {
        switch (message)
        {
            case LaneBatch batch: Receive(batch); break;
            case KeyOffer offer: Offered(offer); break;
            case FlightEnded ended: Ended(ended); break;
            case OrderEnded ended: Ended(ended); break;
            case CircuitChanged changed: isCircuitOpen = changed.IsOpen; break;
            case WriterLost: BeginAnew(); break;
            case LaneStatusRequest request: Sender.Tell(StatusNow(request.Request)); break;
            case DeadLetterRetry retry: Order(retry.Request, () => orders.Add(retry, Sender)); break;
            case DeadLetterDrop drop: Order(drop.Request, () => orders.Add(drop, Sender)); break;
            case ReaderHello hello: Greet(hello); break;
            case TakeOver: BeginTakeover(); break;
            case Taken taken: Begin(taken); break;
            case NotTaken failed: TryAgain(failed); break;
            case Sweep: stay?.Keys.Sweep(); break;
            case HandOffLane: HandOff(); break;
            case LaneDrain: Drain(); break;
            case DrainOver: End("its flights did not come home within the time of the hand-off"); break;
            case GivenUp: EndDrained(); break;
            case StopLane: Context.Stop(Self); break;
            default: Unhandled(message); break;
        }
    }

    // Takeover.

    void BeginTakeover()
    {
        int mine = ++attempt;
        context.Store.TakeAsync(lane, ending.Token).AsTask().PipeTo(Self, Self, taken => new Taken(mine, taken), cause => new NotTaken(mine, cause));
    }

    void TryAgain(NotTaken failed)
    {
        if (failed.Attempt != attempt || hasEnded) return;
        if (failed.Cause is SyncException mend) context.Fate.End(mend);
        var pause = Backoff.Delay(context.Options.Takeover, ++failures, Random.Shared.NextDouble());
        log.Warning("Lane {0} can't be taken over: {1} Tried again in {2} ms.", lane, failed.Cause.Message, (long)pause.TotalMilliseconds);
        Timers.StartSingleTimer(nameof(TakeOver), new TakeOver(), pause);
    }

    void Begin(Taken taken)
    {
        if (taken.Attempt != attempt || hasEnded) return;
        failures = 0;
        stay = new LaneStay(lane, taken.Takeover, context, idleSweeps, Context);
        stay.CountParked();
        if (!reader.IsNobody() && readerEpoch > 0)
        {
            // The reader knows an earlier takeover and sends again as soon as it hears of this one.
            stay.Receiver.Hello(readerEpoch);
            reader.Tell(stay.Receiver.Ack());
        }
        (LaneBatch Batch, IActorRef Reader)[] kept = [.. early, .. question is { } last ? [last] : Array.Empty<(LaneBatch, IActorRef)>()];
        early.Clear();
        (earlyBytes, question) = (0, null);
        foreach (var (batch, from) in kept)
            if (stay is not null) Receive(batch, from);
            else Keep(batch, from);
        GoOn();
    }

    /// <summary>Nobody knows what became of what was with the writer.</summary>
    void BeginAnew()
    {
        if (stay is null || hasEnded || hasGivenUp) return;
        // Others of the writer may have been under way; nothing of this lane was.
        if (!stay.IsFlying && !orders.IsUnderWay) return;
        if (isDraining)
        {
            End("its writer has crashed while it was on its way to another node");
            return;
        }
        Drop();
        BeginTakeover();
    }

    void Drop()
    {
        orders.Abandon();
        stay?.Keys.End();
        stay = null;
    }

    // The way of rows.

    void Receive(LaneBatch batch)
    {
        if (isDraining || hasEnded) return;
        if (stay is not null) Receive(batch, Sender);
        else Keep(batch, Sender);
    }

    /// <summary>For when the lane is taken.</summary>
    void Keep(LaneBatch batch, IActorRef from)
    {
        if (batch.IsQuestion)
        {
            // The last one does for all that come while Redis is away.
            if (!(question?.Batch.Epoch > batch.Epoch)) question = (batch, from);
            return;
        }
        if (early.Count > 0 && earlyBytes + batch.Rows.Bytes > context.Options.Credit) return;
        early.Enqueue((batch, from));
        earlyBytes += batch.Rows.Bytes;
    }

    /// <summary>The takeover is older than what the reader has begun with: the positions that it read do not hold any more.</summary>
    void TakeAnew(LaneBatch batch, IActorRef from)
    {
        log.Info("Lane {0} is taken over anew: its positions in memory are from before reader {1}.", lane, batch.Since);
        if (batch.Epoch >= readerEpoch) (readerEpoch, reader) = (batch.Epoch, from);
        Drop();
        BeginTakeover();
        Keep(batch, from);
    }

    void Receive(LaneBatch batch, IActorRef from)
    {
        if (!stay!.TryReceive(batch, context.Time.GetUtcNow(), out var answer))
        {
            TakeAnew(batch, from);
            return;
        }
        if (batch.Epoch >= readerEpoch) (readerEpoch, reader) = (batch.Epoch, from);
        if (answer is not null) from.Tell(answer);
        GoOn();
    }

    void Greet(ReaderHello hello)
    {
        if (stay is null || hello.Epoch <= readerEpoch) return;
        (readerEpoch, reader) = (hello.Epoch, Sender);
        stay.Receiver.Hello(hello.Epoch);
        reader.Tell(stay.Receiver.Ack());
    }

    void Offered(KeyOffer offer)
    {
        if (stay is null || offer.Key.Owner != stay.Keys) return;
        stay.Keys.Offered(offer);
        GoOn();
    }

    /// <summary>Begins what can begin: an order between two flights, a flight, or the end of a drain.</summary>
    void GoOn()
    {
        if (stay is null || hasGivenUp || orders.IsUnderWay) return;
        if (orders.HasNext)
        {
            if (!stay.IsFlying) context.Writers.Tell(new HandleDeadLetters(lane, stay.Claim, orders.Begin()));
        }
        else if (stay.Begin() is { } work) context.Writers.Tell(new WriteFlight(work));
        else if (isDraining && stay.IsIdle) GiveUp(stay.Claim);
    }

    void Ended(FlightEnded ended)
    {
        if (stay is null || ended.Claim != stay.Claim || hasEnded) return;
        if (ended.Outcome == LaneOutcome.Lost)
        {
            End("it belongs to another owner");
            return;
        }
        if (stay.Home() is { } ack) reader.Tell(ack);
        GoOn();
    }

    void Ended(OrderEnded ended)
    {
        if (stay is null || ended.Claim != stay.Claim || hasEnded) return;
        stay.Freed(ended.Outcome.FreedKeys);
        orders.Ended(ended.Outcome);
        GoOn();
    }

    void Order(string request, Action add)
    {
        if (isDraining || hasEnded || stay is null)
        {
            orders.Refuse(request, Sender);
            return;
        }
        add();
        GoOn();
    }

    // The end.

    void HandOff()
    {
        isHandedOff = true;
        if (hasEnded) Context.Stop(Self);
        else Drain();
    }

    void Drain()
    {
        if (stay is null) End("it moves before it was taken over");
        if (isDraining || hasEnded) return;
        isDraining = true;
        if (!orders.IsUnderWay) orders.Abandon();
        Timers.StartSingleTimer(nameof(DrainOver), new DrainOver(), context.Options.Drain);
        GoOn();
    }

    void GiveUp(long claim)
    {
        hasGivenUp = true;
        // A lane that could not be given up is fenced off by its next owner.
        context.Store.GiveUpAsync(lane, claim, ending.Token).AsTask().PipeTo(Self, Self, () => new GivenUp(), _ => new GivenUp());
    }

    void EndDrained()
    {
        if (hasEnded) return;
        var drained = stay!.Receiver.Drained();
        End("it has drained and was given up");
        // Behind the end, so that the shard keeps for the next owner what the reader sends on hearing this.
        reader.Tell(drained);
    }

    void End(string why)
    {
        if (hasEnded) return;
        log.Info("Lane {0} ends here: {1}.", lane, why);
        Drop();
        hasEnded = true;
        // A shard that hands it off waits for its end. Any other has to be asked, because it may have messages on their way to it.
        if (isHandedOff) Context.Stop(Self);
        else Context.Parent.Tell(new Passivate(StopLane.Instance));
    }

    LaneStatus StatusNow(string request)
    {
        long oldest = stay?.OldestCommitTicks ?? 0, now = context.Time.GetUtcNow().UtcTicks;
        return new LaneStatus(
            lane, request, context.Node, readerEpoch, stay?.Claim ?? 0, oldest == 0 ? 0 : Math.Max(0, now - oldest), stay?.Rows ?? 0,
            (stay?.Bytes ?? 0) + earlyBytes, stay?.Keys.UnderWay ?? 0, isCircuitOpen || failures > 0, stay?.ParkedCount ?? 0,
            stay?.Receiver.Position ?? default);
    }
}
