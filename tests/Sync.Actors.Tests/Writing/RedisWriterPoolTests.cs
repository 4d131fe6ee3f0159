using Sync.Actors.Ports;
using Sync.Actors.Tests.Support;
using Sync.Actors.Writing;
using Sync.Contracts;
using Sync.Contracts.Configuration;
using Sync.Engine.DeadLetters;
using Sync.Engine.Lanes;
using Xunit.Abstractions;

namespace Sync.Actors.Tests.Writing;

public sealed class RedisWriterPoolTests(ITestOutputHelper output) : ActorTest(output)
{
    static readonly RetryOptions quick = new() { InitialBackoff = TimeSpan.FromMilliseconds(20), MaxBackoff = TimeSpan.FromMilliseconds(100) };

    IActorRef Start(int writers, Func<WriterOptions, WriterOptions>? change = null)
    {
        var options = new WriterOptions { Writers = writers, Restart = quick, CircuitLook = TimeSpan.FromMilliseconds(10) };
        options = change?.Invoke(options) ?? options;
        return Sys.ActorOf(Props.Create(() => new RedisWriterPool(Redis, options, this, TimeProvider.System)));
    }

    async Task<WriteFlight> FlightAsync(int lane, int number, string key = "k")
    {
        var taken = await Redis.TakeAsync(lane, default);
        return new WriteFlight(new LaneWork(lane, taken.Claim, new LaneFlight([Rows.Batch((number, key))], 1, Rows.At(number)), new ParkedKeys()));
    }

    [Fact]
    public async Task Flights_that_come_while_one_is_under_way_should_travel_together()
    {
        var gate = new TaskCompletionSource();
        List<int> sizes = [];
        Redis.BeforeWrite = work =>
        {
            sizes.Add(work.Count);
            return gate.Task;
        };
        var pool = Start(1);
        for (int lane = 0; lane < 6; lane++) pool.Tell(await FlightAsync(lane, lane + 1), TestActor);
        await AwaitConditionAsync(() => Task.FromResult(sizes.Count == 1));
        gate.SetResult();
        for (int i = 0; i < 6; i++) (await ExpectMsgAsync<FlightEnded>()).Outcome.ShouldBe(LaneOutcome.Home);
        sizes.Sum().ShouldBe(6);
        sizes.Count.ShouldBeLessThan(4);
    }

    [Fact]
    public async Task A_transaction_should_be_bounded_in_rows()
    {
        var gate = new TaskCompletionSource();
        List<int> sizes = [];
        Redis.BeforeWrite = work =>
        {
            sizes.Add(work.Count);
            return gate.Task;
        };
        var pool = Start(1, o => o with { Rows = 2 });
        for (int lane = 0; lane < 5; lane++) pool.Tell(await FlightAsync(lane, lane + 1), TestActor);
        await AwaitConditionAsync(() => Task.FromResult(sizes.Count == 1));
        gate.SetResult();
        for (int i = 0; i < 5; i++) await ExpectMsgAsync<FlightEnded>();
        sizes.Max().ShouldBeLessThanOrEqualTo(2);
    }

    [Fact]
    public async Task A_lane_should_always_have_the_same_writer()
    {
        var pool = Start(3);
        // One writer is stuck; the lanes of the others go on.
        var stuck = new TaskCompletionSource();
        Redis.BeforeWrite = work => work[0].Lane % 3 == 0 ? stuck.Task : Task.CompletedTask;
        for (int lane = 0; lane < 6; lane++) pool.Tell(await FlightAsync(lane, lane + 1, $"k{lane}"), TestActor);
        for (int i = 0; i < 4; i++) await ExpectMsgAsync<FlightEnded>();
        Redis.WrittenRows.ShouldBe(4);
        stuck.SetResult();
        for (int i = 0; i < 2; i++) await ExpectMsgAsync<FlightEnded>();
    }

    [Fact]
    public async Task A_crashed_writer_should_be_told_to_its_lanes_and_replaced()
    {
        int writes = 0;
        Redis.AfterWrite = _ => writes++ == 0 ? throw new InvalidOperationException("Crash.") : Task.CompletedTask;
        var pool = Start(1);
        pool.Tell(await FlightAsync(0, 1), TestActor);
        await ExpectMsgAsync<WriterLost>();
        Redis.WrittenRows.ShouldBe(1);
        // What comes while no writer is there waits for the next.
        pool.Tell(await FlightAsync(0, 2), TestActor);
        (await ExpectMsgAsync<FlightEnded>()).Outcome.ShouldBe(LaneOutcome.Home);
        Redis.Writers.ShouldBe(2);
    }

    [Fact]
    public async Task Work_of_a_takeover_that_was_replaced_should_be_refused()
    {
        var pool = Start(1);
        var old = await FlightAsync(0, 1);
        await Redis.TakeAsync(0, default);
        pool.Tell(old, TestActor);
        (await ExpectMsgAsync<FlightEnded>()).ShouldBe(new FlightEnded(old.Work.Claim, LaneOutcome.Lost));
    }

    [Fact]
    public async Task What_a_user_has_to_mend_should_end_the_node()
    {
        Redis.BeforeWrite = _ => throw new SyncException(ExitCode.RedisUnsuitable, "No.");
        Start(1).Tell(await FlightAsync(0, 1), TestActor);
        await ExpectMsgAsync<WriterLost>();
        EndedFor.ShouldNotBeNull().Code.ShouldBe(ExitCode.RedisUnsuitable);
    }

    [Fact]
    public async Task An_open_circuit_should_be_told_to_the_lanes_of_the_writer()
    {
        var gate = new TaskCompletionSource();
        Redis.BeforeWrite = _ => gate.Task;
        Redis.IsCircuitOpen = true;
        Start(1).Tell(await FlightAsync(0, 1), TestActor);
        (await ExpectMsgAsync<CircuitChanged>()).IsOpen.ShouldBeTrue();
        Redis.IsCircuitOpen = false;
        gate.SetResult();
        await FishForMessageAsync<CircuitChanged>(changed => !changed.IsOpen);
    }
}
