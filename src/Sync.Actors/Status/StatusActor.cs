using Akka.Actor;
using Sync.Actors.Lanes;
using Sync.Contracts.Cluster;

namespace Sync.Actors.Status;

/// <summary>How a node tells about lanes.</summary>
public sealed record StatusOptions
{
    /// <summary>How many lanes there are in the cluster. Default 256.</summary>
    public int Lanes { get; init; } = 256;

    /// <summary>How long answers are waited for, above 0. Default 2 s.</summary>
    public TimeSpan Limit { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>How often a lane that is silent is asked again, above 0. Default 500 ms.</summary>
    public TimeSpan Repeat { get; init; } = TimeSpan.FromMilliseconds(500);
}

/// <summary>
/// Tells how things are: one on each node. Knows the lanes that run on the node, which tell it when they start, and who reads, which the reader tells all
/// nodes; its lanes hear of that through it. Asks lanes when it is asked. A crash of it loses the list of lanes until they start again, and nothing else.
/// </summary>
/// <param name="node">The name of the node.</param>
/// <param name="options">How it works.</param>
/// <param name="region">The shard region of lanes or its proxy; null while there is none.</param>
public sealed class StatusActor(string node, StatusOptions options, Func<IActorRef?> region) : UntypedActor
{
    /// <summary>Its name on every node, below the user's guardian.</summary>
    public const string Name = "actorsync-status";

    readonly Dictionary<int, IActorRef> lanes = [];
    long readerEpoch;
    string readerNode = "";

    protected override void OnReceive(object message)
    {
        switch (message)
        {
            case LaneStarted started: lanes[started.Lane] = Context.Watch(Sender); break;
            case Terminated ended: Forget(ended.ActorRef); break;
            case ReaderHello hello: Greet(hello); break;
            case HeardReaderQuery: Sender.Tell(new HeardReader(readerEpoch)); break;
            case NodeStatusQuery: Gather(lanes.ToDictionary(lane => lane.Key, lane => Question(lane.Value, lane.Key))); break;
            case ClusterStatusQuery: GatherAll(); break;
            default: Unhandled(message); break;
        }
    }

    void Forget(IActorRef ended)
    {
        foreach (var (lane, actor) in lanes)
            if (actor.Equals(ended)) lanes.Remove(lane);
    }

    void Greet(ReaderHello hello)
    {
        // It says so again and again; to lanes it is told once, as a batch tells them as well.
        if (hello.Epoch <= readerEpoch) return;
        (readerEpoch, readerNode) = (hello.Epoch, hello.Node);
        foreach (var lane in lanes.Values) lane.Forward(hello);
    }

    void GatherAll() => Gather(region() is { } known
        ? Enumerable.Range(0, options.Lanes).ToDictionary(lane => lane, lane => Question(known, lane))
        : []);

    void Gather(Dictionary<int, (IActorRef To, object Question)> questions)
    {
        var asker = Sender;
        var (epoch, reader) = (readerEpoch, readerNode);
        var inquiry = new LaneInquiry(questions, options.Repeat, options.Limit);
        Context.ActorOf(Props.Create(() => new LaneGatherActor<LaneStatus>(
            inquiry, status => status.Lane, (statuses, silent) => asker.Tell(new ClusterStatus(node, epoch, reader, statuses, silent)))));
    }

    static (IActorRef To, object Question) Question(IActorRef to, int lane) => (to, new LaneStatusRequest(lane, ""));
}
