using Akka.Actor;

namespace Sync.Actors.Control;

/// <summary>
/// Starts an actor when the first message for it comes, or after a while. A journal that is opened for the first time takes much of the CPU just when the same node has to take over what is urgent.
/// </summary>
sealed class LateActor : UntypedActor, IWithTimers
{
    sealed record Start;

    readonly Props props;
    readonly TimeSpan leisure;
    IActorRef? actor;

    /// <param name="props">Of the actor.</param>
    /// <param name="leisure">How long a first message is waited for, above 0.</param>
    public LateActor(Props props, TimeSpan leisure) => (this.props, this.leisure) = (props, leisure);

    public ITimerScheduler Timers { get; set; } = null!;

    protected override void PreStart() => Timers.StartSingleTimer(nameof(Start), new Start(), leisure);

    protected override void OnReceive(object message)
    {
        actor ??= Context.ActorOf(props, "late");
        if (message is not Start) actor.Forward(message);
    }
}
