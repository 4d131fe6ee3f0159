using Akka.Actor;
using Sync.Contracts;
using Sync.Contracts.Cluster;

namespace Sync.Actors.Orders;

/// <summary>
/// One order on its way to the reader, until it is answered or nobody has said anything for too long. Owns who has asked; when it ends with its node, he hears of that.
/// </summary>
/// <param name="order">The order.</param>
/// <param name="readers">Whom to send it to.</param>
/// <param name="options">How it works.</param>
/// <param name="asker">Who gets the answer.</param>
sealed class ReaderQuestionActor(ReaderOrder order, Func<IEnumerable<ICanTell>> readers, ReaderOrderOptions options, IActorRef asker) : UntypedActor, IWithTimers
{
    const int underWay = -1;

    bool isAnswered;

    sealed record Repeat;

    sealed record Over;

    public ITimerScheduler Timers { get; set; } = null!;

    /// <summary>Says that the order came and is being carried out.</summary>
    public static ReaderAnswer UnderWay(string request) => new(request, underWay, "");

    protected override void PreStart()
    {
        Timers.StartPeriodicTimer(nameof(Repeat), new Repeat(), options.Repeat);
        Wait();
        Send();
    }

    protected override void PostStop()
    {
        if (!isAnswered) Tell((int)ExitCode.Usage, "This node ends, and nobody has answered yet; ask another one.");
    }

    protected override void OnReceive(object message)
    {
        switch (message)
        {
            case ReaderAnswer answer when answer.Request == order.Request: Answered(answer); break;
            case Repeat: Send(); break;
            case Over: GiveUp(); break;
            default: Unhandled(message); break;
        }
    }

    void Wait() => Timers.StartSingleTimer(nameof(Over), new Over(), options.Patience);

    void Send()
    {
        foreach (var reader in readers()) reader.Tell(order, Self);
    }

    void Answered(ReaderAnswer answer)
    {
        if (answer.Code == underWay)
        {
            Wait();
            return;
        }
        Tell(answer.Code, answer.Content);
        Context.Stop(Self);
    }

    void GiveUp()
    {
        Tell((int)ExitCode.Usage, "No node of the cluster reads the slot at present, or it does not answer; ask again, and see actorsync status.");
        Context.Stop(Self);
    }

    void Tell(int code, string content)
    {
        isAnswered = true;
        asker.Tell(new ReaderAnswer(order.Request, code, content));
    }
}
