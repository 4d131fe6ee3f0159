using Akka.Actor;
using Akka.Event;
using Sync.Actors.Ports;
using Sync.Contracts;
using Sync.Engine.Retry;

namespace Sync.Actors.Writing;

/// <summary>
/// Owns the writers of its node. A lane always has the same one, lane modulo writers, so that its flights can't overtake each other.
/// <para>Talks to the lanes of its node, who send their work here, and to its writers. Supervision is one for one: a writer that crashed is stopped, the
/// lanes that have sent it work are told, and another one takes its place after a pause that grows with each crash; what lanes send meanwhile waits
/// here, at most one piece a lane. A cause that a user has to mend ends the node.</para>
/// A crash of the pool itself takes all writers along, and the lanes are told in the same way.
/// </summary>
public sealed class RedisWriterPool : UntypedActor, IWithTimers
{
    sealed record Start(int Writer);

    sealed class Place
    {
        public IActorRef? Writer { get; set; }
        public Queue<(IWriterWork Work, IActorRef Lane)> Held { get; } = new();
        public Dictionary<int, IActorRef> Lanes { get; } = [];
        public int Crashes { get; set; }
        public DateTimeOffset StartedAt { get; set; }
        public bool IsCircuitOpen { get; set; }
    }

    readonly ILaneWriterFactory factory;
    readonly WriterOptions options;
    readonly INodeFate fate;
    readonly TimeProvider time;
    readonly ILoggingAdapter log = Context.GetLogger();
    readonly Place[] places;

    public RedisWriterPool(ILaneWriterFactory factory, WriterOptions options, INodeFate fate, TimeProvider time)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(options.Writers, 1);
        (this.factory, this.options, this.fate, this.time) = (factory, options, fate, time);
        places = [.. Enumerable.Range(0, options.Writers).Select(_ => new Place())];
    }

    public ITimerScheduler Timers { get; set; } = null!;

    protected override void PreStart()
    {
        for (int i = 0; i < places.Length; i++) Begin(i);
    }

    protected override void PostStop()
    {
        foreach (var place in places)
            foreach (var lane in place.Lanes.Values) lane.Tell(WriterLost.Instance);
    }

    protected override SupervisorStrategy SupervisorStrategy() => new OneForOneStrategy(Decide);

    protected override void OnReceive(object message)
    {
        switch (message)
        {
            case IWriterWork work: Route(work); break;
            case CircuitChanged changed: Tell(changed); break;
            case Terminated ended: Crashed(Array.FindIndex(places, p => ended.ActorRef.Equals(p.Writer))); break;
            case Start start: Begin(start.Writer); break;
            default: Unhandled(message); break;
        }
    }

    Directive Decide(Exception e)
    {
        // A failed start is wrapped by Akka, a failed write by the writer.
        for (Exception? cause = e; cause is not null; cause = cause.InnerException)
            if (cause is SyncException mend) fate.End(mend);
        return Directive.Stop;
    }

    void Route(IWriterWork work)
    {
        var place = places[work.Lane % places.Length];
        if (!place.Lanes.ContainsKey(work.Lane) && place.IsCircuitOpen) Sender.Tell(new CircuitChanged(work.Lane % places.Length, true));
        place.Lanes[work.Lane] = Sender;
        if (place.Writer is null) place.Held.Enqueue((work, Sender));
        else place.Writer.Forward(work);
    }

    void Tell(CircuitChanged changed)
    {
        var place = places[changed.Writer];
        place.IsCircuitOpen = changed.IsOpen;
        foreach (var lane in place.Lanes.Values) lane.Tell(changed);
    }

    void Begin(int writer)
    {
        var place = places[writer];
        place.Writer = Context.Watch(Context.ActorOf(Props.Create(() => new RedisWriterActor(writer, factory, options))));
        place.StartedAt = time.GetUtcNow();
        while (place.Held.TryDequeue(out var held)) place.Writer.Tell(held.Work, held.Lane);
    }

    void Crashed(int writer)
    {
        if (writer < 0) return;
        var place = places[writer];
        place.Writer = null;
        // One that worked for longer than the longest pause begins with the shortest one again.
        if (time.GetUtcNow() - place.StartedAt > options.Restart.MaxBackoff) place.Crashes = 0;
        var pause = Backoff.Delay(options.Restart, ++place.Crashes, Random.Shared.NextDouble());
        log.Warning("Writer {0} has crashed; {1} lanes take themselves over again, and another one starts in {2} ms.", writer, place.Lanes.Count, (long)pause.TotalMilliseconds);
        if (place.IsCircuitOpen) Tell(new CircuitChanged(writer, false));
        foreach (var lane in place.Lanes.Values) lane.Tell(WriterLost.Instance);
        place.Lanes.Clear();
        Timers.StartSingleTimer(writer, new Start(writer), pause);
    }
}
