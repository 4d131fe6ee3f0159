using Sync.Actors.Lanes;
using Sync.Actors.Ports;
using Sync.Actors.Tests.Support;
using Sync.Actors.Writing;
using Sync.Contracts.Cluster;
using Xunit.Abstractions;

namespace Sync.Actors.Tests.Lanes;

/// <summary>Measures the memory of the process, so nothing else may run beside these.</summary>
[CollectionDefinition(nameof(LaneMemoryTests), DisableParallelization = true)]
public sealed class AloneInTheProcess;

[Collection(nameof(LaneMemoryTests))]
public sealed class LaneMemoryTests(ITestOutputHelper output) : ActorTest(output)
{
    readonly ITestOutputHelper output = output;

    [Fact]
    public async Task Memory_should_return_to_its_base_after_a_million_keys()
    {
        const int keys = 1_000_000, perBatch = 1000;
        var writers = Sys.ActorOf(Props.Create(() => new RedisWriterPool(new Nowhere(), new WriterOptions { Writers = 1 }, this, TimeProvider.System)));
        var (lane, _) = StartLane(0, new LaneOptions { Lanes = 1, KeyIdle = TimeSpan.FromMilliseconds(100), KeyActorFrom = 1 }, writers);
        long before = 0;
        for (int seq = 1; seq <= keys / perBatch; seq++)
        {
            (int, string)[] rows = [.. Enumerable.Range(seq * perBatch, perBatch).Select(n => (n, $"public.users:{n}"))];
            lane.Tell(Rows.Message(0, 1, seq, seq, rows), TestActor);
            await ExpectMsgAsync<LaneAck>();
            if (seq == 100) before = await QuietAsync(lane);
        }
        (await QuietAsync(lane)).ShouldBeLessThan(before + 8);
    }

    [Fact]
    public async Task Actors_of_keys_should_be_stopped_when_they_have_nothing_to_do()
    {
        const int keys = 20_000;
        var (lane, _) = StartLane(0, new LaneOptions { Lanes = 1, KeyIdle = TimeSpan.FromMilliseconds(200), KeyActorFrom = 1, Credit = long.MaxValue });
        long before = await QuietAsync(lane);
        (int, string)[] Batch(int from) => [.. Enumerable.Range(from, keys).Select(n => (n, $"public.users:{n % keys}"))];
        lane.Tell(Rows.Message(0, 1, 1, 1, Batch(0)), TestActor);
        var work = Writers.ExpectMsg<WriteFlight>().Work;
        for (int seq = 2; seq <= 4; seq++) lane.Tell(Rows.Message(0, 1, seq, 1, Batch(seq * keys)), TestActor);
        await AwaitConditionAsync(() => Task.FromResult(Actors(lane) == keys));
        while (work is not null)
        {
            lane.Tell(new FlightEnded(work.Claim, LaneOutcome.Home));
            if ((await ExpectMsgAsync<LaneAck>()).Seq == 4) break;
            work = Writers.ExpectMsg<WriteFlight>().Work;
        }
        await AwaitConditionAsync(() => Task.FromResult(Actors(lane) == 0));
        (await QuietAsync(lane)).ShouldBeLessThan(before + 20);
    }

    static int Actors(IActorRef lane) => ((ActorRefWithCell)lane).Children.Count();

    /// <summary>Memory in MiB when the lane is idle.</summary>
    async Task<long> QuietAsync(IActorRef lane)
    {
        await AwaitAssertAsync(async () => (await lane.Ask<LaneStatus>(new LaneStatusRequest(0, ""))).KeysUnderWay.ShouldBe(0));
        long memory = GC.GetTotalMemory(forceFullCollection: true) >> 20;
        output.WriteLine($"{memory} MiB");
        return memory;
    }

    /// <summary>Takes everything at once.</summary>
    sealed class Nowhere : ILaneWriterFactory, ILaneWriter
    {
        public bool IsCircuitOpen => false;

        public ILaneWriter Create(int index) => this;

        public ValueTask<IReadOnlyList<LaneOutcome>> WriteAsync(IReadOnlyList<LaneWork> work, CancellationToken cancellationToken) => new(new LaneOutcome[work.Count]);

        public ValueTask<Ports.DeadLetterOutcome> HandleDeadLettersAsync(int lane, long claim, DeadLetterOrder order, CancellationToken cancellationToken) =>
            throw new NotSupportedException();

        public ValueTask DisposeAsync() => default;
    }
}
