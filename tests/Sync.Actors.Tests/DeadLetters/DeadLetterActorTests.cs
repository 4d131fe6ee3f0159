using System.Text;
using Sync.Actors.DeadLetters;
using Sync.Actors.Tests.Support;
using Sync.Contracts.Cluster;
using Sync.Engine.Ordering;
using Xunit.Abstractions;

namespace Sync.Actors.Tests.DeadLetters;

public sealed class DeadLetterActorTests(ITestOutputHelper output) : ActorTest(output)
{
    IActorRef Start(TimeSpan? limit = null)
    {
        IActorRef region = TestActor;
        var options = new DeadLetterOrderOptions { Lanes = 3, Repeat = TimeSpan.FromMilliseconds(50), Limit = limit ?? TimeSpan.FromSeconds(20) };
        return Sys.ActorOf(Props.Create(() => new DeadLetterActor(() => region, options)));
    }

    [Fact]
    public void An_order_for_a_key_should_go_to_its_lane_until_it_is_answered()
    {
        byte[] key = Encoding.UTF8.GetBytes("public.users:7");
        int lane = new LaneRouter(3, 1).LaneOf(key);
        var asker = CreateTestProbe();
        Start().Tell(new RetryDeadLetters("r", key, true), asker);
        ExpectMsg<DeadLetterRetry>().ShouldSatisfyAllConditions(r => r.Lane.ShouldBe(lane), r => r.Force.ShouldBeTrue());
        // The lane moves, then says nothing, then does it.
        LastSender.Tell(new DeadLetterAnswer(lane, "r", DeadLetterOutcome.Moving, 0, 0, ""));
        ExpectMsg<DeadLetterRetry>();
        ExpectMsg<DeadLetterRetry>();
        LastSender.Tell(new DeadLetterAnswer(lane, "r", DeadLetterOutcome.Done, 4, 0, ""));
        asker.ExpectMsg<DeadLettersHandled>().ShouldSatisfyAllConditions(h => h.Handled.ShouldBe(4), h => h.Silent.ShouldBeEmpty());
    }

    [Fact]
    public void An_order_for_all_keys_should_go_to_all_lanes_and_name_the_silent_ones()
    {
        var asker = CreateTestProbe();
        Start(TimeSpan.FromMilliseconds(300)).Tell(new DropDeadLetters("d", default, []), asker);
        for (int i = 0; i < 3; i++)
            if (ExpectMsg<DeadLetterDrop>() is { Lane: not 1 } drop) LastSender.Tell(new DeadLetterAnswer(drop.Lane, "d", DeadLetterOutcome.Done, 1, 0, ""));
        asker.ExpectMsg<DeadLettersHandled>().ShouldSatisfyAllConditions(h => h.Handled.ShouldBe(2), h => h.Silent.ShouldBe([1]));
    }
}
