using Akka.Actor;
using Akka.Configuration;
using Akka.Dispatch;
using Akka.Dispatch.MessageQueues;

namespace Sync.Actors.Hosting;

/// <summary>
/// The mailbox of the replicator that keeps where the lanes are. It leaves out the ticks at which deltas are sent: there are none, since deltas are off, and earlier Akka.NET 1.5
/// on .NET 8 and later throws there when the nodes to send to don't divide evenly, as with four writers. The replicator would be started anew at each tick, and lose all it has.
/// </summary>
public sealed class ReplicatorMailbox(Settings settings, Config config) : MailboxType(settings, config), IProducesMessageQueue<ReplicatorMailbox.Queue>
{
    /// <summary>Where the settings of its dispatcher stand.</summary>
    public const string DispatcherPath = "actorsync.replicator-dispatcher";

    const string tick = "DeltaPropagationTick";

    public override IMessageQueue Create(IActorRef owner, ActorSystem system) => new Queue();

    /// <summary>Without bounds, as the one it takes the place of.</summary>
    public sealed class Queue : IMessageQueue, IUnboundedDequeBasedMessageQueueSemantics
    {
        readonly UnboundedDequeMessageQueue messages = new();

        public bool HasMessages => messages.HasMessages;

        public int Count => messages.Count;

        public void Enqueue(IActorRef receiver, Envelope envelope)
        {
            // The scheduler wraps what it sends.
            object message = envelope.Message is IWrappedMessage wrapped ? wrapped.Message : envelope.Message;
            if (message.GetType().Name != tick) messages.Enqueue(receiver, envelope);
        }

        public void EnqueueFirst(Envelope envelope) => messages.EnqueueFirst(envelope);

        public bool TryDequeue(out Envelope envelope) => messages.TryDequeue(out envelope);

        public void CleanUp(IActorRef owner, IMessageQueue deadletters) => messages.CleanUp(owner, deadletters);
    }
}
