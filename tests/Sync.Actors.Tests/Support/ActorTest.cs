using Akka.TestKit;
using Akka.TestKit.Xunit2;
using Sync.Actors.Lanes;
using Sync.Actors.Ports;
using Sync.Contracts;
using Sync.Engine.Batching;
using Xunit.Abstractions;

namespace Sync.Actors.Tests.Support;

/// <summary>A test of actors: an actor system of its own, and what actors run on, in memory.</summary>
public abstract class ActorTest(ITestOutputHelper output, string config = "") : TestKit(config + "\nakka.loglevel = WARNING\nakka.test.default-timeout = 20s\nakka.test.single-expect-default = 20s", output: output), INodeFate
{
    internal FakeRedis Redis { get; } = new();

    /// <summary>What the node was ended for.</summary>
    public SyncException? EndedFor { get; private set; }

    public void End(SyncException cause) => EndedFor = cause;

    protected TestProbe Writers => field ??= CreateTestProbe("writers");

    internal LaneContext Context(LaneOptions options, IActorRef? writers = null, IActorRef? status = null) =>
        new(Redis, writers ?? Writers, status ?? ActorRefs.Nobody, new BatchPool(64), options, this, "here", TimeProvider.System);

    /// <summary>A lane whose parent is a probe, as a shard is.</summary>
    internal (IActorRef Lane, TestProbe Shard) StartLane(int lane, LaneOptions options, IActorRef? writers = null, IActorRef? status = null)
    {
        var shard = CreateTestProbe();
        var context = Context(options, writers, status);
        return (shard.ChildActorOf(Props.Create(() => new LaneActor(lane, context))), shard);
    }
}
