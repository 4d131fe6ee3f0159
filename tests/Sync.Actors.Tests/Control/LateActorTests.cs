using Akka.TestKit.Xunit2;
using Sync.Actors.Control;

namespace Sync.Actors.Tests.Control;

public class LateActorTests : TestKit
{
    sealed record Begun;

    sealed class Echo : UntypedActor
    {
        readonly IActorRef told;

        public Echo(IActorRef told)
        {
            this.told = told;
            told.Tell(new Begun());
        }

        protected override void OnReceive(object message) => Sender.Tell((message, told.Path.Name));
    }

    IActorRef Start(TimeSpan leisure)
    {
        var echo = Props.Create(() => new Echo(TestActor));
        return Sys.ActorOf(Props.Create(() => new LateActor(echo, leisure)));
    }

    [Fact]
    public void It_should_start_the_actor_with_the_first_message_and_hand_it_on()
    {
        var late = Start(TimeSpan.FromMinutes(5));
        ExpectNoMsg(TimeSpan.FromMilliseconds(300));
        late.Tell("first", TestActor);
        late.Tell("second", TestActor);
        ExpectMsg<Begun>();
        ExpectMsg<(object, string)>().Item1.ShouldBe("first");
        ExpectMsg<(object, string)>().Item1.ShouldBe("second");
        ExpectNoMsg(TimeSpan.FromMilliseconds(100));
    }

    [Fact]
    public void It_should_start_the_actor_by_itself_after_a_while_and_end_it_with_itself()
    {
        var late = Start(TimeSpan.FromMilliseconds(100));
        ExpectMsg<Begun>();
        late.Tell("message", TestActor);
        ExpectMsg<(object, string)>();
        var actor = Watch(LastSender);
        late.Tell(PoisonPill.Instance);
        ExpectTerminated(actor);
    }
}
