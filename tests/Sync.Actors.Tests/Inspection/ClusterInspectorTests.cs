using Akka.Cluster.Sharding;
using Sync.Actors.Inspection;
using Sync.Actors.Tests.Coordination;
using Sync.Actors.Tests.Hosting;
using Sync.Contracts;
using Sync.Contracts.Configuration;

namespace Sync.Actors.Tests.Inspection;

[Collection("clusters")]
public sealed class ClusterInspectorTests
{
    const int lanes = 20;

    [Fact]
    public async Task A_cluster_should_be_seen_and_a_member_sent_away()
    {
        var leases = new MemoryLeases();
        ClusterOptions reader = TestNode.Options(FreePorts.Free(), strategy: DowningStrategy.LeaseMajority) with { Roles = ClusterRoles.Reader, Lanes = lanes };
        ClusterOptions writer = TestNode.Options(FreePorts.Free(), strategy: DowningStrategy.LeaseMajority) with { Roles = ClusterRoles.Writer };
        // The writer is the older one, so the reader is not where everything else is.
        var settings = TestNode.Settings(writer) with { Leases = leases };
        var nodes = await TestNode.StartAllAsync((writer, settings), (reader, settings));
        var region = await ClusterSharding.Get(nodes[0].System).StartAsync(
            "lanes", id => Props.Create(() => new Lane()), Sharding(nodes[0]), new Extractor());
        for (int lane = 0; lane < lanes; lane++) (await region.Ask<string>($"{lane}", TimeSpan.FromSeconds(20))).ShouldBe($"{lane}");
        var proxy = await ClusterSharding.Get(nodes[1].System).StartProxyAsync("lanes", ActorSyncActors.WriterRole, new Extractor());
        await leases.AcquireAsync("actorsync-shop-downing", $"actorsync@{nodes[1].Address}", TimeSpan.FromSeconds(60), default);

        foreach (var (node, lanesOf) in new[] { (nodes[0], region), (nodes[1], proxy) })
        {
            var inspector = new ClusterInspector(node.Cluster, () => lanesOf, reader, settings);
            var picture = await inspector.LookAsync(CancellationToken.None);
            (picture.Self, picture.Reader, picture.Control).ShouldBe((node.Address, nodes[1].Address, nodes[0].Address));
            nodes.Select(n => n.Address).ShouldContain(picture.Leader);
            picture.LanesKnown.ShouldBeTrue();
            picture.Members.Select(m => (m.Address, m.Status, m.IsUnreachable)).ShouldBe([(nodes[0].Address, "Up", false), (nodes[1].Address, "Up", false)]);
            picture.Members[0].Lanes.ShouldBe(Enumerable.Range(0, lanes));
            picture.Members[1].Lanes.ShouldBeEmpty();
            picture.Members[1].Roles.ShouldBe(["reader"]);
            picture.Lease.ShouldNotBeNull().Owner.ShouldBe(nodes[1].Address);
        }

        leases.IsAway = true;
        var asker = new ClusterInspector(nodes[1].Cluster, () => null, reader, settings);
        var blind = await asker.LookAsync(CancellationToken.None);
        (blind.LanesKnown, blind.Lease, blind.LeaseError).ShouldBe((false, null, "the store is away"));

        (await asker.LeaveAsync("nobody:1")).ShouldBeFalse();
        (await asker.LeaveAsync(nodes[0].Address)).ShouldBeTrue();
        (await nodes[0].Ended.WaitAsync(TimeSpan.FromSeconds(30))).ShouldBe(ExitCode.Ok);
        await nodes[1].UntilAsync(s => s.Members.Count == 1, 20);
        (await asker.DownAsync(nodes[1].Address)).ShouldBeTrue();
        (await nodes[1].Ended.WaitAsync(TimeSpan.FromSeconds(30))).ShouldBe(ExitCode.ClusterDowned);
        foreach (var node in nodes) await node.DisposeAsync();
    }

    /// <summary>Where the replicator of the lanes' places sends deltas, four nodes were one too many for some versions of Akka.NET.</summary>
    [Fact]
    public async Task Lanes_of_four_writers_should_be_shared_out_and_seen()
    {
        ClusterOptions[] options = [.. Enumerable.Range(0, 4).Select(_ => TestNode.Options(FreePorts.Free()) with { Roles = ClusterRoles.Writer, Lanes = lanes })];
        var settings = TestNode.Settings(options[0]);
        var nodes = await TestNode.StartAllAsync([.. options.Select(o => (o, settings))]);
        var regions = new List<IActorRef>();
        foreach (var node in nodes)
            regions.Add(await ClusterSharding.Get(node.System).StartAsync("lanes", id => Props.Create(() => new Lane()), Sharding(node), new Extractor()));
        for (int lane = 0; lane < lanes; lane++)
        {
            (await regions[lane % 4].Ask<string>($"{lane}", TimeSpan.FromSeconds(20))).ShouldBe($"{lane}");
            // So that ticks of the replicator come in between.
            await Task.Delay(100);
        }
        var picture = await new ClusterInspector(nodes[3].Cluster, () => regions[3], options[3], settings).LookAsync(CancellationToken.None);
        picture.Members.SelectMany(m => m.Lanes).Order().ShouldBe(Enumerable.Range(0, lanes));
        picture.Members.ShouldAllBe(m => m.Lanes.Count > 0);
        foreach (var node in nodes) await node.DisposeAsync();
    }

    static ClusterShardingSettings Sharding(TestNode node) =>
        ClusterShardingSettings.Create(node.System).WithRole(ActorSyncActors.WriterRole).WithStateStoreMode(StateStoreMode.DData);

    sealed class Lane : ReceiveActor
    {
        public Lane() => ReceiveAny(message => Sender.Tell(message));
    }

    sealed class Extractor() : HashCodeMessageExtractor(lanes)
    {
        public override string? EntityId(object message) => message as string;
        public override string ShardId(string entityId, object? messageHint = null) => entityId;
        public override object EntityMessage(object message) => message;
    }
}
