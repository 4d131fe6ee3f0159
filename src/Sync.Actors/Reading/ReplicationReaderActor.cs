using Akka.Actor;
using Akka.Event;
using Sync.Actors.Ports;
using Sync.Contracts;
using Sync.Contracts.Cluster;
using Sync.Engine.Retry;

namespace Sync.Actors.Reading;

/// <summary>
/// The reader of the slot: one in the cluster, a singleton. Owns a <see cref="ReaderSession"/>: a sender for each lane, and the source that reads the slot on a
/// task of its own and is held back by the credit of the lanes.
/// <list type="number">
/// <item>It starts by taking a number that is greater than that of every reader before it, its epoch. The lanes are told of it when the source has the slot.</item>
/// <item>Batches go to the shard region of lanes; the lanes answer here. What they acknowledge is reported to the source, which confirms it.</item>
/// <item>When a lane knows of a later reader, this one was replaced while it did not notice: it drops all it has. When its source ends without being asked,
/// likewise. It starts again after a pause, with a new epoch; the source waits for the slot for as long as another has it.</item>
/// <item>Asked to stop (<see cref="StopReader"/>), it stops reading and ends when all that was read is confirmed, or the time for that is over.</item>
/// </list>
/// A crash of it loses what is not acknowledged, and PostgreSQL sends that again: the next reader begins at the confirmed place, and lanes drop what they have.
/// </summary>
public sealed class ReplicationReaderActor : UntypedActor, IWithTimers
{
    sealed record Start;

    sealed record Started(long Epoch);

    sealed record NotStarted(Exception Cause);

    sealed record SourceEnded(long Epoch, Exception? Cause);

    sealed record Look;

    sealed record GreetAgain;

    sealed record ShutdownOver;

    /// <summary>Who has joined since, or has lost a message, hears of the reader then; who hears nothing for long knows that it is left behind.</summary>
    static readonly TimeSpan greetEvery = TimeSpan.FromSeconds(3);

    readonly ILoggingAdapter log = Context.GetLogger();
    readonly CancellationTokenSource ending = new();
    readonly ILaneSourceFactory sources;
    readonly IActorRef region;
    readonly ReaderOptions options;
    readonly INodeFate fate;
    readonly TimeProvider time;
    readonly Action<IActorRef, long> greet;
    ReaderSession? session;
    int failures;
    bool isStopping, isReplaced, hasBegun;

    /// <param name="sources">Makes a source for each start.</param>
    /// <param name="region">The shard region of lanes, or a proxy of it.</param>
    /// <param name="options">How it works.</param>
    /// <param name="fate">Told of what a user has to mend.</param>
    /// <param name="time">The clock.</param>
    /// <param name="greet">Tells all nodes that a reader has started; gets the reader and its epoch. Runs as part of the actor.</param>
    public ReplicationReaderActor(ILaneSourceFactory sources, IActorRef region, ReaderOptions options, INodeFate fate, TimeProvider time, Action<IActorRef, long>? greet = null) =>
        (this.sources, this.region, this.options, this.fate, this.time, this.greet) = (sources, region, options, fate, time, greet ?? ((_, _) => { }));

    public ITimerScheduler Timers { get; set; } = null!;

    protected override void PreStart()
    {
        Timers.StartPeriodicTimer(nameof(Look), new Look(), options.Look);
        Timers.StartPeriodicTimer(nameof(GreetAgain), new GreetAgain(), greetEvery);
        Begin();
    }

    protected override void PostStop()
    {
        ending.Cancel();
        session?.Abandon();
    }

    protected override void OnReceive(object message)
    {
        switch (message)
        {
            case LaneAck or LaneResume or LaneDrained: Answered((IClusterMessage)message); break;
            case SourceBegan began: hasBegun = true; session?.CountSince(began.Since); Greet(); break;
            case GreetAgain: Greet(); break;
            case RowsHanded: session?.TakeUp(time.GetUtcNow()); break;
            case Look: session?.Look(time.GetUtcNow()); break;
            case Start: Begin(); break;
            case Started started: Run(started.Epoch); break;
            case NotStarted failed: BeginAgain(failed.Cause); break;
            case SourceEnded ended: Ended(ended); break;
            case ReaderStatusQuery: Sender.Tell(new ReaderStatus(session?.Epoch ?? 0, session?.UnderWay ?? 0)); break;
            case StopReader: Stop(); break;
            case ShutdownOver: Context.Stop(Self); break;
            default: Unhandled(message); break;
        }
    }

    void Begin()
    {
        if (isStopping || session is not null) return;
        sources.NextEpochAsync(ending.Token).AsTask().PipeTo(Self, Self, epoch => new Started(epoch), cause => new NotStarted(cause));
    }

    void Run(long epoch)
    {
        if (isStopping)
        {
            Context.Stop(Self);
            return;
        }
        log.Info("The reader starts with epoch {0}.", epoch);
        isReplaced = hasBegun = false;
        session = new ReaderSession(epoch, sources.Create(epoch), options, region, Self);
        session.RunAsync().PipeTo(Self, Self, () => new SourceEnded(epoch, null), cause => new SourceEnded(epoch, cause));
    }

    void Greet()
    {
        // Of a source that has ended meanwhile it would be a number too high, which its successor is not above.
        if (hasBegun && session is not null && !isReplaced) greet(Self, session.Epoch);
    }

    void Answered(IClusterMessage answer)
    {
        if (session is null || isReplaced) return;
        if (session.Answered(answer, time.GetUtcNow())) return;
        log.Warning("A later reader than the one of epoch {0} has started; this one drops what it has.", session.Epoch);
        isReplaced = true;
        session.Abandon();
    }

    void Ended(SourceEnded ended)
    {
        if (session is null || ended.Epoch != session.Epoch) return;
        // One that ran for a while begins with the shortest pause again.
        if (session.HasProgress) failures = 0;
        session.Abandon();
        session = null;
        if (isStopping) Context.Stop(Self);
        else BeginAgain(ended.Cause);
    }

    void BeginAgain(Exception? cause)
    {
        if (isStopping)
        {
            Context.Stop(Self);
            return;
        }
        if (cause is SyncException mend) fate.End(mend);
        var pause = Backoff.Delay(options.Restart, ++failures, Random.Shared.NextDouble());
        log.Warning("The reader has ended: {0} It starts again in {1} ms.", Why(cause), (long)pause.TotalMilliseconds);
        Timers.StartSingleTimer(nameof(Start), new Start(), pause);
    }

    string Why(Exception? cause) => isReplaced ? "another one has started." : cause?.Message ?? "its source has come to an end.";

    void Stop()
    {
        if (isStopping) return;
        isStopping = true;
        if (session is null)
        {
            Context.Stop(Self);
            return;
        }
        session.Stop();
        Timers.StartSingleTimer(nameof(ShutdownOver), new ShutdownOver(), options.Shutdown);
    }
}
