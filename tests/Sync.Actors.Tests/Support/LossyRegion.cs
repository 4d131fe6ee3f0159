using Akka.Cluster.Sharding;
using Sync.Actors.Lanes;
using Sync.Contracts.Cluster;

namespace Sync.Actors.Tests.Support;

/// <summary>How badly messages travel, in per cent.</summary>
sealed record Loss(int Dropped, int Doubled, int Delayed)
{
    public static readonly Loss None = new(0, 0, 0);
}

/// <summary>A lane dies without a word, as with its node.</summary>
sealed record KillLane(int Lane);

/// <summary>A lane moves: it is handed off, and messages that come meanwhile wait.</summary>
sealed record MoveLane(int Lane);

/// <summary>A second owner of a lane starts while the first goes on.</summary>
sealed record SplitLane(int Lane);

/// <summary>From now on messages travel like this.</summary>
sealed record SetLoss(Loss Loss);

/// <summary>A shard region that loses, doubles, delays and so reorders what passes it in both directions, and starts lanes as shards do.</summary>
sealed class LossyRegion(LaneContext context, int seed, Loss initial) : UntypedActor, IWithTimers
{
    sealed record Deliver(object Message, IActorRef From);

    readonly Random random = new(seed);
    readonly Dictionary<int, IActorRef> lanes = [];
    readonly Dictionary<int, Queue<Deliver>> moving = [];
    readonly Dictionary<IActorRef, int> lanesMoving = [];
    readonly Dictionary<IActorRef, IActorRef> returns = [];
    Loss loss = initial;

    public ITimerScheduler Timers { get; set; } = null!;

    // A lane that crashes starts again, as in a shard.
    protected override SupervisorStrategy SupervisorStrategy() => new OneForOneStrategy(_ => Directive.Restart);

    protected override void OnReceive(object message)
    {
        switch (message)
        {
            case SetLoss set: loss = set.Loss; break;
            case KillLane kill: Stop(kill.Lane, null); break;
            case MoveLane move: Stop(move.Lane, HandOffLane.Instance); break;
            case SplitLane split: lanes.Remove(split.Lane); break;
            case Passivate passivate: Passivated(passivate); break;
            case Terminated ended: Ended(ended.ActorRef); break;
            case Deliver deliver: Hand(deliver); break;
            case ILaneMessage: Travel(new Deliver(message, ReturnOf(Sender))); break;
        }
    }

    void Travel(Deliver deliver)
    {
        if (random.Next(100) < loss.Dropped) return;
        if (random.Next(100) < loss.Doubled) Delay(deliver);
        if (random.Next(100) < loss.Delayed) Delay(deliver);
        else Hand(deliver);
    }

    // Each delayed message has a timer of its own: a new timer of the same key would take the place of the last.
    void Delay(Deliver deliver) => Timers.StartSingleTimer(new object(), deliver, TimeSpan.FromMilliseconds(random.Next(1, 30)));

    void Hand(Deliver deliver)
    {
        int lane = ((ILaneMessage)deliver.Message).Lane;
        if (moving.TryGetValue(lane, out var waiting))
        {
            waiting.Enqueue(deliver);
            return;
        }
        if (!lanes.TryGetValue(lane, out var actor))
            lanes[lane] = actor = Context.Watch(Context.ActorOf(Props.Create(() => new LaneActor(lane, context))));
        actor.Tell(deliver.Message, deliver.From);
    }

    void Stop(int lane, object? message)
    {
        if (!lanes.Remove(lane, out var actor)) return;
        if (message is null)
        {
            Context.Stop(actor);
            return;
        }
        moving[lane] = new Queue<Deliver>();
        lanesMoving[actor] = lane;
        actor.Tell(message);
    }

    void Passivated(Passivate passivate)
    {
        var sender = Sender;
        foreach (var (lane, actor) in lanes)
        {
            if (!actor.Equals(sender)) continue;
            lanes.Remove(lane);
            moving[lane] = new Queue<Deliver>();
            lanesMoving[sender] = lane;
        }
        sender.Tell(passivate.StopMessage);
    }

    void Ended(IActorRef ended)
    {
        if (lanesMoving.Remove(ended, out int lane) && moving.Remove(lane, out var waiting))
            foreach (var deliver in waiting) Hand(deliver);
        foreach (var (number, actor) in lanes)
            if (actor.Equals(ended)) lanes.Remove(number);
    }

    IActorRef ReturnOf(IActorRef sender)
    {
        if (returns.TryGetValue(sender, out var known)) return known;
        int mine = random.Next();
        return returns[sender] = Context.ActorOf(Props.Create(() => new LossyReturn(sender, mine)));
    }

    /// <summary>The way back.</summary>
    sealed class LossyReturn(IActorRef to, int seed) : UntypedActor
    {
        readonly Random random = new(seed);

        protected override void OnReceive(object message)
        {
            // Never better than this: what gets lost is asked for again.
            int chance = random.Next(100);
            if (chance < 5) return;
            if (chance < 10) to.Tell(message, Sender);
            if (chance < 20) Context.System.Scheduler.ScheduleTellOnce(TimeSpan.FromMilliseconds(random.Next(1, 30)), to, message, Sender);
            else to.Tell(message, Sender);
        }
    }
}
