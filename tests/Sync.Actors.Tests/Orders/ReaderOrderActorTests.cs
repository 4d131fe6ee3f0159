using Sync.Actors.Orders;
using Sync.Actors.Ports;
using Sync.Actors.Tests.Support;
using Sync.Contracts;
using Sync.Contracts.Cluster;
using Xunit.Abstractions;

namespace Sync.Actors.Tests.Orders;

public sealed class ReaderOrderActorTests(ITestOutputHelper output) : ActorTest(output)
{
    static readonly ReaderOrderOptions options = new() { Repeat = TimeSpan.FromMilliseconds(50), Patience = TimeSpan.FromSeconds(20) };

    /// <summary>A node; it reads or it doesn't, and takes its time.</summary>
    sealed class Desk : IReaderDesk
    {
        public bool Reads { get; set; }
        public TaskCompletionSource Gate { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
        public List<string> Done { get; } = [];
        public int Asked { get; private set; }

        public async Task<ReaderAnswer?> CarryOutAsync(ReaderOrder order, CancellationToken stop)
        {
            Asked++;
            if (!Reads) return null;
            Done.Add(order.Content);
            await Gate.Task;
            return Reads ? new ReaderAnswer(order.Request, 0, $"did {order.Content}") : null;
        }
    }

    readonly List<ICanTell> readers = [];

    IActorRef Start(IReaderDesk desk, ReaderOrderOptions? how = null)
    {
        Func<IEnumerable<ICanTell>> all = () => readers;
        var actor = Sys.ActorOf(Props.Create(() => new ReaderOrderActor(desk, all, how ?? options)));
        readers.Add(actor);
        return actor;
    }

    [Fact]
    public void An_order_should_be_done_once_by_the_node_that_reads_however_often_it_comes()
    {
        Desk idle = new(), reader = new() { Reads = true };
        var here = Start(idle);
        Start(reader);
        var asker = CreateTestProbe();
        here.Tell(new AskReader(ReaderVerb.Resync, "t"), asker);
        // It is sent again meanwhile.
        asker.ExpectNoMsg(TimeSpan.FromMilliseconds(300));
        reader.Gate.SetResult();
        asker.ExpectMsg<ReaderAnswer>().Content.ShouldBe("did t");
        reader.Done.ShouldBe(["t"]);
    }

    [Fact]
    public void An_order_should_wait_for_the_next_reader_when_the_one_that_took_it_ends()
    {
        Desk first = new() { Reads = true }, next = new();
        next.Gate.SetResult();
        var here = Start(first);
        Start(next);
        var asker = CreateTestProbe();
        here.Tell(new AskReader(ReaderVerb.Pause, "t"), asker);
        AwaitAssert(() => first.Done.Count.ShouldBe(1));
        (first.Reads, next.Reads) = (false, true);
        first.Gate.SetResult();
        asker.ExpectMsg<ReaderAnswer>().Content.ShouldBe("did t");
        next.Done.ShouldBe(["t"]);
    }

    [Fact]
    public void Without_a_reader_the_asker_should_be_told_so()
    {
        var asker = CreateTestProbe();
        Start(new Desk(), options with { Patience = TimeSpan.FromMilliseconds(200) }).Tell(new AskReader(ReaderVerb.Repair, "t"), asker);
        var answer = asker.ExpectMsg<ReaderAnswer>();
        (answer.Code, answer.Content.Contains("No node of the cluster reads the slot")).ShouldBe(((int)ExitCode.Usage, true));
    }

    [Fact]
    public void An_order_that_takes_longer_than_a_silence_may_should_be_waited_for()
    {
        var reader = new Desk { Reads = true };
        var asker = CreateTestProbe();
        Start(reader, options with { Patience = TimeSpan.FromSeconds(1) }).Tell(new AskReader(ReaderVerb.Repair, "t"), asker);
        asker.ExpectNoMsg(TimeSpan.FromMilliseconds(2500));
        reader.Gate.SetResult();
        asker.ExpectMsg<ReaderAnswer>().Code.ShouldBe(0);
    }

    [Fact]
    public void An_order_whose_node_ends_should_be_answered_all_the_same()
    {
        var asker = CreateTestProbe();
        var desk = new Desk();
        var here = Start(desk);
        here.Tell(new AskReader(ReaderVerb.Cancel, "t"), asker);
        // A node that ends before it has taken the order has nobody to answer for.
        AwaitAssert(() => desk.Asked.ShouldBeGreaterThan(0));
        Sys.Stop(here);
        asker.ExpectMsg<ReaderAnswer>().Content.ShouldStartWith("This node ends");
    }
}
