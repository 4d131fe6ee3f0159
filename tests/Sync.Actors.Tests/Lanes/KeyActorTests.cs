using Sync.Actors.Lanes;
using Sync.Actors.Tests.Support;
using Sync.Engine.Lanes;
using Xunit.Abstractions;

namespace Sync.Actors.Tests.Lanes;

public sealed class KeyActorTests(ITestOutputHelper output) : ActorTest(output)
{
    [Fact]
    public void Rows_that_wait_should_be_offered_together_when_those_under_way_are_home()
    {
        var lane = CreateTestProbe();
        var key = new LaneKey(null!, "k"u8.ToArray());
        var actor = lane.ChildActorOf(Props.Create<KeyActor>());
        var order = new KeyOrder();
        order.Add(3);
        order.Offer();
        order.Add(5);
        actor.Tell(new KeyAdopted(key, order));
        actor.Tell(new KeyRows([8, 9]));
        actor.Tell(new KeyHome(2));
        actor.Tell(new KeyHome(3));
        lane.ExpectMsg<KeyOffer>().Rows.ShouldBe([5, 8, 9]);
        actor.Tell(new KeyRows([12]));
        // A flight that was full has left a part behind.
        actor.Tell(new KeyHome(8));
        actor.Tell(new KeyHome(9));
        lane.ExpectMsg<KeyOffer>().Rows.ShouldBe([12]);
    }
}
