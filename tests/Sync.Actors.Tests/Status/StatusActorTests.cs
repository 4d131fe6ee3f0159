using Sync.Actors.Lanes;
using Sync.Actors.Status;
using Sync.Actors.Tests.Support;
using Sync.Contracts.Cluster;
using Xunit.Abstractions;

namespace Sync.Actors.Tests.Status;

public sealed class StatusActorTests(ITestOutputHelper output) : ActorTest(output)
{
    [Fact]
    public async Task A_node_should_tell_of_the_lanes_that_run_on_it_and_of_the_reader()
    {
        var options = new StatusOptions { Lanes = 4, Repeat = TimeSpan.FromMilliseconds(50) };
        var status = Sys.ActorOf(Props.Create(() => new StatusActor("here", options, () => null)));
        var (lane, _) = StartLane(3, new LaneOptions { Lanes = 4 }, status: status);
        StartLane(1, new LaneOptions { Lanes = 4 }, status: status);
        lane.Tell(Rows.Message(3, 1, 1, 1, (1, "a"), (2, "b")), TestActor);
        status.Tell(new ReaderHello(8, "there"), TestActor);
        await AwaitAssertAsync(async () =>
        {
            var told = await status.Ask<ClusterStatus>(NodeStatusQuery.Instance);
            told.Lanes.Select(l => l.Lane).ShouldBe([1, 3]);
            (told.RowsWaiting, told.KeysUnderWay, told.ReaderEpoch, told.ReaderNode).ShouldBe((2, 2, 8, "there"));
        });
        Sys.Stop(lane);
        await AwaitAssertAsync(async () => (await status.Ask<ClusterStatus>(NodeStatusQuery.Instance)).Lanes.Count.ShouldBe(1));
    }

    [Fact]
    public async Task Lanes_that_do_not_answer_should_be_named()
    {
        IActorRef region = TestActor;
        var options = new StatusOptions { Lanes = 2, Limit = TimeSpan.FromMilliseconds(200) };
        var status = Sys.ActorOf(Props.Create(() => new StatusActor("here", options, () => region)));
        var told = status.Ask<ClusterStatus>(ClusterStatusQuery.Instance);
        ExpectMsg<LaneStatusRequest>();
        LastSender.Tell(new LaneStatus(0, "", "there", 1, 1, 0, 5, 50, 2, true, 1));
        (await told).ShouldSatisfyAllConditions(t => t.Silent.ShouldBe([1]), t => t.CircuitsOpen.ShouldBe(1), t => t.ParkedKeys.ShouldBe(1));
    }
}
