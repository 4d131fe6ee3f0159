using Akka.TestKit;
using Sync.Actors.Ports;
using Sync.Actors.Reading;
using Sync.Actors.Tests.Support;
using Sync.Contracts;
using Sync.Contracts.Cluster;
using Sync.Contracts.Configuration;
using Sync.Engine.Lanes;
using Xunit.Abstractions;

namespace Sync.Actors.Tests.Reading;

public sealed class ReplicationReaderActorTests(ITestOutputHelper output) : ActorTest(output), ILaneSourceFactory
{
    static readonly ReaderOptions options = new()
    {
        Lanes = 4,
        Look = TimeSpan.FromMilliseconds(10),
        Ahead = 1,
        Restart = new RetryOptions { InitialBackoff = TimeSpan.FromMilliseconds(1) },
        Sender = LaneSenderOptions.Default with { FirstCredit = 100, AskAfter = TimeSpan.FromMilliseconds(50), MergeFrom = 0 },
    };

    readonly Source source = new();
    long epochs;

    TestProbe Region => field ??= CreateTestProbe("region");

    public ILaneSource Create(long epoch) => source;

    public ValueTask<long> NextEpochAsync(CancellationToken cancellationToken) => new(++epochs);

    IActorRef Start(ReaderOptions? with = null)
    {
        with ??= options;
        return Sys.ActorOf(Props.Create(() => new ReplicationReaderActor(this, Region, with, this, TimeProvider.System, null)));
    }

    static LaneAck Ack(LaneBatch batch, long credit = 100) => new(batch.Lane, batch.Epoch, 1, batch.Seq, batch.Seq + 1, Position.None, credit);

    LaneBatch Expect(int lane, long seq) => (LaneBatch)Region.FishForMessage(m => m is LaneBatch b && b.Lane == lane && b.Seq == seq);

    [Fact]
    public async Task The_source_should_wait_while_a_lane_has_no_credit()
    {
        source.Read = async (lanes, stop) =>
        {
            for (int n = 1; n <= 6; n++) await lanes.SendAsync(1, Rows.Batch((n, new string('k', 46))), stop);
        };
        var reader = Start();
        // Sixty bytes each: one has credit, one lies in the hand-over, and the source waits with it.
        var first = Expect(1, 1);
        await AwaitConditionAsync(() => Task.FromResult(source.Lanes is not null));
        reader.Tell(Ack(first));
        var second = Expect(1, 2);
        reader.Tell(Ack(second, credit: 300));
        for (int seq = 3; seq <= 6; seq++) Expect(1, seq);
        source.Batches.ShouldBe(2);
    }

    [Fact]
    public void A_silent_lane_should_be_asked_and_get_what_it_lacks_again()
    {
        source.Read = (lanes, stop) => lanes.SendAsync(1, Rows.Batch((1, "a")), stop).AsTask();
        var reader = Start();
        var first = Expect(1, 1);
        Expect(1, -1).Rows.Count.ShouldBe(0);
        reader.Tell(new LaneAck(1, first.Epoch, 1, 0, 1, Position.None, 100, Answers: 1));
        Expect(1, 1).Rows.ShouldBe(first.Rows);
    }

    [Fact]
    public async Task A_settled_lane_should_be_told_when_all_of_it_is_acknowledged()
    {
        var settled = new TaskCompletionSource();
        source.Read = async (lanes, stop) =>
        {
            await lanes.SettledAsync(2, stop);
            await lanes.SendAsync(1, Rows.Batch((1, "a")), stop);
            await lanes.SettledAsync(1, stop);
            settled.SetResult();
        };
        var reader = Start();
        var batch = Expect(1, 1);
        settled.Task.IsCompleted.ShouldBeFalse();
        reader.Tell(Ack(batch));
        await settled.Task.WaitAsync(TimeSpan.FromSeconds(20));
        source.Batches.ShouldBe(1);
    }

    [Fact]
    public async Task A_batch_that_is_too_large_for_a_message_should_be_sent_in_parts_and_count_once()
    {
        source.Read = (lanes, stop) => lanes.SendAsync(1, Rows.Batch((1, "a"), (2, "b"), (3, "c")), stop).AsTask();
        var reader = Start(options with { MessageBytes = 1 });
        reader.Tell(Ack(Expect(1, 1)));
        reader.Tell(Ack(Expect(1, 2)));
        var last = Expect(1, 3);
        source.Batches.ShouldBe(0);
        reader.Tell(Ack(last));
        await AwaitConditionAsync(() => Task.FromResult(source.Batches == 1));
    }

    [Fact]
    public async Task A_replaced_reader_should_drop_what_it_has_and_start_again_with_a_new_epoch()
    {
        source.Read = async (lanes, stop) =>
        {
            await lanes.SendAsync(1, Rows.Batch((1, "a")), stop);
            await lanes.SettledAsync(1, stop);
        };
        var reader = Start();
        Expect(1, 1);
        epochs = 9;
        reader.Tell(new LaneResume(1, 9, 5, 1, 100));
        await AwaitConditionAsync(() => Task.FromResult(source.Runs == 2));
        ((LaneBatch)Region.FishForMessage(m => m is LaneBatch { Epoch: > 9 })).Seq.ShouldBe(1);
    }

    [Fact]
    public async Task A_reader_that_is_stopped_should_end_when_its_source_has_ended()
    {
        source.Read = async (lanes, stop) =>
        {
            await lanes.SendAsync(1, Rows.Batch((1, "a")), default);
            await Task.Delay(Timeout.Infinite, stop).ContinueWith(_ => { }, TaskScheduler.Default);
            await lanes.SettledAsync(1, default);
        };
        var reader = Start();
        var batch = Expect(1, 1);
        Watch(reader);
        reader.Tell(StopReader.Instance);
        reader.Tell(Ack(batch));
        await ExpectTerminatedAsync(reader);
        source.Batches.ShouldBe(1);
    }

    [Fact]
    public async Task What_a_user_has_to_mend_should_end_the_node()
    {
        source.Read = (_, _) => throw new SyncException(ExitCode.Slot, "No slot.");
        Start();
        await AwaitAssertAsync(() => EndedFor.ShouldNotBeNull().Code.ShouldBe(ExitCode.Slot));
    }

    [Fact]
    public async Task The_bound_over_all_lanes_should_hold_the_source_back()
    {
        source.Read = async (lanes, stop) =>
        {
            for (int lane = 0; lane < 4; lane++) await lanes.SendAsync(lane, Rows.Batch((lane + 1, new string('k', 46))), stop);
        };
        var reader = Start(options with { Budget = 130 });
        var first = Expect(0, 1);
        Expect(1, 1);
        (await reader.Ask<ReaderStatus>(ReaderStatusQuery.Instance)).BytesUnderWay.ShouldBe(120);
        reader.Tell(Ack(first));
        Expect(2, 1);
    }

    [Fact]
    public async Task A_reader_should_be_announced_when_its_source_has_the_slot()
    {
        var slot = new TaskCompletionSource();
        source.Read = async (lanes, _) =>
        {
            await slot.Task;
            lanes.Begun(0);
        };
        var heard = CreateTestProbe("node");
        Sys.ActorOf(Props.Create(() => new ReplicationReaderActor(this, Region, options, this, TimeProvider.System, (self, epoch) => heard.Ref.Tell(epoch, self))));
        await AwaitConditionAsync(() => Task.FromResult(source.Runs > 0));
        // Whoever reads still has the slot: its lanes would take nothing more of it.
        heard.HasMessages.ShouldBeFalse();
        slot.SetResult();
        (await heard.ExpectMsgAsync<long>()).ShouldBe(epochs);
    }

    sealed class Source : ILaneSource
    {
        public Func<ILanes, CancellationToken, Task> Read { get; set; } = (_, _) => Task.CompletedTask;

        public ILanes? Lanes { get; private set; }

        public int Batches { get; private set; }

        public int Runs { get; private set; }

        public async Task RunAsync(ILanes lanes, CancellationToken stop)
        {
            Lanes = lanes;
            Runs++;
            await Read(lanes, stop);
            if (!stop.IsCancellationRequested) await Task.Delay(Timeout.Infinite, stop);
        }

        public void Applied(int lane, int batches) => Batches += batches;
    }
}
