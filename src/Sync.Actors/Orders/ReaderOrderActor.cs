using Akka.Actor;
using Sync.Actors.Ports;
using Sync.Contracts.Cluster;

namespace Sync.Actors.Orders;

/// <summary>
/// Brings what operators want of the reader to the node that reads, and carries it out where that is this one: one on each node, for whoever asks there. An order
/// goes to all nodes that may read, again and again until one answers; the one that reads does it once for each name, the others are silent. Talks to its like on other
/// nodes, and to the host of its own. A crash of it loses the answers, not the work, and the order comes again.
/// </summary>
/// <param name="desk">Carries orders out.</param>
/// <param name="readers">The actors of this kind on all nodes that may read.</param>
/// <param name="options">How it works.</param>
public sealed class ReaderOrderActor(IReaderDesk desk, Func<IEnumerable<ICanTell>> readers, ReaderOrderOptions options) : UntypedActor
{
    /// <summary>Its name on every node, below the user's guardian.</summary>
    public const string Name = "actorsync-orders";

    const int remembered = 64;

    sealed record Ended(string Request, ReaderAnswer? Answer);

    readonly Dictionary<string, IActorRef> underWay = [];
    readonly Queue<ReaderAnswer> answers = new();
    readonly CancellationTokenSource ending = new();

    protected override void PostStop() => ending.Cancel();

    protected override void OnReceive(object message)
    {
        switch (message)
        {
            case AskReader ask: Ask(ask); break;
            case ReaderOrder order: CarryOut(order); break;
            case Ended ended: End(ended); break;
            default: Unhandled(message); break;
        }
    }

    void Ask(AskReader ask)
    {
        var (asker, order) = (Sender, new ReaderOrder(Guid.NewGuid().ToString("N"), ask.Verb, ask.Content));
        Context.ActorOf(Props.Create(() => new ReaderQuestionActor(order, readers, options, asker)));
    }

    void CarryOut(ReaderOrder order)
    {
        if (answers.FirstOrDefault(a => a.Request == order.Request) is { } known) Sender.Tell(known);
        else if (underWay.ContainsKey(order.Request)) Sender.Tell(ReaderQuestionActor.UnderWay(order.Request));
        else
        {
            underWay.Add(order.Request, Sender);
            desk.CarryOutAsync(order, ending.Token).PipeTo(Self, Self, answer => new Ended(order.Request, answer), _ => new Ended(order.Request, null));
        }
    }

    void End(Ended ended)
    {
        // Without an answer the order is for another node, or comes again.
        if (!underWay.Remove(ended.Request, out var asker) || ended.Answer is not { } answer) return;
        answers.Enqueue(answer);
        if (answers.Count > remembered) answers.Dequeue();
        asker.Tell(answer);
    }
}
