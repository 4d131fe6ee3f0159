using Akka.Cluster.Sharding;
using Sync.Actors.Lanes;
using Sync.Actors.Ports;
using Sync.Actors.Tests.Support;
using Sync.Actors.Writing;
using Sync.Contracts;
using Sync.Contracts.Cluster;
using Sync.Contracts.Configuration;
using Sync.Engine.Lanes;
using Xunit.Abstractions;
using Answered = Sync.Contracts.Cluster.DeadLetterOutcome;

namespace Sync.Actors.Tests.Lanes;

public sealed class LaneActorTests(ITestOutputHelper output) : ActorTest(output)
{
    static readonly LaneOptions options = new()
    {
        Lanes = 4,
        Flight = new LaneFlightLimits(100, 100_000),
        Credit = 1000,
        AnswerPause = TimeSpan.Zero,
        KeyActorFrom = 1,
        Takeover = new RetryOptions { InitialBackoff = TimeSpan.FromMilliseconds(1) },
    };

    LaneWork ExpectFlight(params (int Number, string Key)[] rows)
    {
        var work = Writers.ExpectMsg<WriteFlight>().Work;
        Rows.Of(work.Flight.Batches).ShouldBe(rows);
        return work;
    }

    /// <summary>The writer answers with success.</summary>
    static void Home(IActorRef lane, LaneWork work) => lane.Tell(new FlightEnded(work.Claim, LaneOutcome.Home));

    [Fact]
    public void A_lane_should_keep_what_comes_before_it_is_taken_over_and_try_again_when_redis_is_away()
    {
        var away = new TaskCompletionSource();
        int tries = 0;
        Redis.BeforeTake = _ => tries++ == 0 ? away.Task : Task.CompletedTask;
        var (lane, _) = StartLane(2, options);
        lane.Tell(Rows.Message(2, 1, 1, 1, (1, "a"), (2, "b")), TestActor);
        away.SetException(new InvalidOperationException("Away."));
        var work = ExpectFlight((1, "a"), (2, "b"));
        Home(lane, work);
        ExpectMsg<LaneAck>().ShouldSatisfyAllConditions(a => a.Seq.ShouldBe(1), a => a.Position.ShouldBe(Rows.At(2)), a => a.Credit.ShouldBe(1000));
    }

    [Fact]
    public void Questions_that_come_before_a_lane_is_taken_over_should_be_answered_once_to_the_latest_reader()
    {
        var away = new TaskCompletionSource();
        Redis.BeforeTake = _ => away.Task;
        var (lane, _) = StartLane(2, options);
        for (int number = 1; number <= 3; number++) lane.Tell(LaneBatch.Question(2, 2, number, 4), TestActor);
        lane.Tell(LaneBatch.Question(2, 1, 9, 6), TestActor);
        lane.Tell(new LaneStatusRequest(2, "early"), TestActor);
        ExpectMsg<LaneStatus>().Request.ShouldBe("early");
        away.SetResult();
        ExpectMsg<LaneAck>().ShouldSatisfyAllConditions(a => (a.Epoch, a.Answers).ShouldBe((2, 3)), a => a.Seq.ShouldBe(3), a => a.Expected.ShouldBe(4));
        lane.Tell(new LaneStatusRequest(2, "late"), TestActor);
        ExpectMsg<LaneStatus>().Request.ShouldBe("late");
        lane.Tell(Rows.Message(2, 2, 4, 4, (1, "a")), TestActor);
        ExpectFlight((1, "a"));
    }

    [Fact]
    public async Task A_lane_should_tell_the_node_what_a_user_has_to_mend()
    {
        Redis.BeforeTake = _ => throw new SyncException(ExitCode.RedisAuthentication, "No.");
        StartLane(2, options);
        await AwaitAssertAsync(() => EndedFor.ShouldNotBeNull().Code.ShouldBe(ExitCode.RedisAuthentication));
    }

    [Fact]
    public void Rows_that_redis_has_should_be_left_out()
    {
        Redis.SetPosition(2, 2);
        var (lane, _) = StartLane(2, options);
        lane.Tell(Rows.Message(2, 1, 1, 1, (1, "a"), (2, "b")), TestActor);
        ExpectMsg<LaneAck>().Seq.ShouldBe(1);
        lane.Tell(Rows.Message(2, 1, 2, 2, (2, "b"), (3, "a")), TestActor);
        ExpectFlight((3, "a"));
    }

    [Fact]
    public void A_lane_should_be_taken_anew_when_the_reader_begins_with_another_history()
    {
        Redis.SetPosition(2, 50);
        var (lane, _) = StartLane(2, options);
        lane.Tell(Rows.Message(2, 1, 1, 1, (51, "a")), TestActor);
        Home(lane, ExpectFlight((51, "a")));
        ExpectMsg<LaneAck>().Position.ShouldBe(Rows.At(51));
        // The next reader's rows lie before what the lane remembers: by that it would leave them out and acknowledge them.
        Redis.SetPosition(2, 0);
        Redis.Epoch = 2;
        lane.Tell(Rows.Message(2, 2, 1, 1, (7, "a"), (8, "b")) with { Since = 2 }, TestActor);
        ExpectMsg<LaneAck>().ShouldSatisfyAllConditions(a => (a.Epoch, a.Seq).ShouldBe((2, 0)), a => a.Position.ShouldBe(Rows.At(0)));
        Home(lane, ExpectFlight((7, "a"), (8, "b")));
        ExpectMsg<LaneAck>().ShouldSatisfyAllConditions(a => (a.Epoch, a.Seq).ShouldBe((2, 1)), a => a.Position.ShouldBe(Rows.At(8)));
    }

    [Fact]
    public void Changes_of_a_key_should_never_be_in_two_flights_at_a_time()
    {
        var (lane, _) = StartLane(2, options);
        lane.Tell(Rows.Message(2, 1, 1, 1, (1, "a"), (2, "a")), TestActor);
        var first = ExpectFlight((1, "a"), (2, "a"));
        lane.Tell(Rows.Message(2, 1, 2, 1, (3, "a"), (4, "b")), TestActor);
        lane.Tell(Rows.Message(2, 1, 3, 1, (5, "b"), (6, "a"), (7, "a")), TestActor);
        lane.Tell(new LaneStatusRequest(2, "s"), TestActor);
        var status = ExpectMsg<LaneStatus>();
        (status.Request, status.RowsWaiting, status.KeysUnderWay).ShouldBe(("s", 7, 2));
        Home(lane, first);
        ExpectMsg<LaneAck>().Seq.ShouldBe(1);
        // What came meanwhile travels together, in the order of the lane.
        Home(lane, ExpectFlight((3, "a"), (4, "b"), (5, "b"), (6, "a"), (7, "a")));
        ExpectMsg<LaneAck>().Seq.ShouldBe(3);
    }

    [Fact]
    public void A_hot_key_should_hold_another_key_of_its_lane_back_for_one_flight_at_most()
    {
        (int, string)[] Hot(int from, int count) => [.. Enumerable.Range(from, count).Select(number => (number, "hot"))];
        var (lane, _) = StartLane(2, options with { KeyActorFrom = 16 });
        lane.Tell(Rows.Message(2, 1, 1, 1, Hot(1, 20)), TestActor);
        var first = ExpectFlight(Hot(1, 20));
        // Enough of it waits for an actor.
        lane.Tell(Rows.Message(2, 1, 2, 1, [.. Hot(21, 30), (51, "cold"), .. Hot(52, 10)]), TestActor);
        lane.Tell(Rows.Message(2, 1, 3, 1, [(62, "cold"), .. Hot(63, 5)]), TestActor);
        Home(lane, first);
        var second = ExpectFlight([.. Hot(21, 30), (51, "cold"), .. Hot(52, 10), (62, "cold"), .. Hot(63, 5)]);
        // While the hot key waits again, the cold one does not come behind all of it: a flight is bounded, and holds both.
        lane.Tell(Rows.Message(2, 1, 4, 1, [.. Hot(68, 90)]), TestActor);
        lane.Tell(Rows.Message(2, 1, 5, 1, [(158, "cold"), .. Hot(159, 50)]), TestActor);
        Home(lane, second);
        Home(lane, ExpectFlight(Hot(68, 90)));
        ExpectFlight([(158, "cold"), .. Hot(159, 50)]);
    }

    [Fact]
    public void A_gap_should_be_asked_for_and_a_duplicate_acknowledged()
    {
        var (lane, _) = StartLane(2, options);
        lane.Tell(Rows.Message(2, 1, 2, 1, (2, "b")), TestActor);
        ExpectMsg<LaneResume>().Expected.ShouldBe(1);
        lane.Tell(Rows.Message(2, 1, 1, 1, (1, "a")), TestActor);
        Home(lane, ExpectFlight((1, "a")));
        ExpectMsg<LaneAck>().Expected.ShouldBe(2);
        lane.Tell(Rows.Message(2, 1, 1, 1, (1, "a")), TestActor);
        ExpectMsg<LaneAck>().Seq.ShouldBe(1);
    }

    [Fact]
    public void A_later_reader_should_be_told_to_an_earlier_one()
    {
        var (lane, _) = StartLane(2, options);
        lane.Tell(Rows.Message(2, 7, 1, 1, (1, "a")), CreateTestProbe());
        Writers.ExpectMsg<WriteFlight>();
        lane.Tell(Rows.Message(2, 6, 1, 1, (1, "a")), TestActor);
        ExpectMsg<LaneResume>().Epoch.ShouldBe(7);
    }

    [Fact]
    public void A_lost_lane_should_drop_what_it_has_and_ask_its_shard_to_be_stopped()
    {
        var (lane, shard) = StartLane(2, options);
        lane.Tell(Rows.Message(2, 1, 1, 1, (1, "a")), TestActor);
        var work = ExpectFlight((1, "a"));
        lane.Tell(Rows.Message(2, 1, 2, 1, (2, "a")), TestActor);
        lane.Tell(new FlightEnded(work.Claim, LaneOutcome.Lost));
        var stop = shard.ExpectMsg<Passivate>().StopMessage;
        Watch(lane);
        lane.Tell(stop);
        ExpectTerminated(lane);
        Writers.HasMessages.ShouldBeFalse();
    }

    [Fact]
    public void A_lane_whose_writer_has_crashed_should_take_itself_over_and_have_the_reader_send_again()
    {
        var (lane, _) = StartLane(2, options);
        lane.Tell(Rows.Message(2, 1, 1, 1, (1, "a")), TestActor);
        var work = ExpectFlight((1, "a"));
        lane.Tell(Rows.Message(2, 1, 2, 1, (2, "a")), TestActor);
        // The flight got there all the same.
        Redis.SetPosition(2, 1);
        lane.Tell(WriterLost.Instance);
        var ack = ExpectMsg<LaneAck>();
        ack.ShouldSatisfyAllConditions(a => a.Claim.ShouldBeGreaterThan(work.Claim), a => a.Seq.ShouldBe(0), a => a.Position.ShouldBe(Rows.At(1)));
        Home(lane, work);
        lane.Tell(Rows.Message(2, 1, 1, 1, (1, "a")), TestActor);
        ExpectMsg<LaneAck>().Seq.ShouldBe(1);
        lane.Tell(Rows.Message(2, 1, 2, 1, (2, "a")), TestActor);
        ExpectFlight((2, "a")).Claim.ShouldBe(ack.Claim);
    }

    [Fact]
    public void A_crash_of_a_key_should_be_a_crash_of_its_lane()
    {
        var context = Context(options);
        var restarting = Sys.ActorOf(Props.Create(() => new LossyRegion(context, 1, Loss.None)));
        restarting.Tell(Rows.Message(2, 1, 1, 1, (1, "a")), TestActor);
        var first = ExpectFlight((1, "a"));
        restarting.Tell(Rows.Message(2, 1, 2, 1, (2, "a"), (3, "a"), (4, "a")), TestActor);
        AwaitCondition(() =>
        {
            Sys.ActorSelection(restarting.Path / "*" / "*").Tell(Kill.Instance);
            return Redis.ClaimOf(2) > first.Claim;
        });
    }

    [Fact]
    public void A_lane_that_is_handed_off_should_bring_home_what_it_has_give_itself_up_and_end()
    {
        var (lane, _) = StartLane(2, options);
        lane.Tell(Rows.Message(2, 1, 1, 1, (1, "a")), TestActor);
        var work = ExpectFlight((1, "a"));
        lane.Tell(Rows.Message(2, 1, 2, 1, (2, "a")), TestActor);
        lane.Tell(HandOffLane.Instance);
        lane.Tell(Rows.Message(2, 1, 3, 1, (3, "a")), TestActor);
        Watch(lane);
        Home(lane, work);
        ExpectMsg<LaneAck>().Seq.ShouldBe(1);
        Home(lane, ExpectFlight((2, "a")));
        ExpectMsg<LaneAck>().Seq.ShouldBe(2);
        ExpectMsg<LaneDrained>().ShouldSatisfyAllConditions(d => d.Seq.ShouldBe(2), d => d.Claim.ShouldBe(work.Claim), d => d.Position.ShouldBe(Rows.At(2)));
        ExpectTerminated(lane);
        Redis.OwnedLanes.ShouldBe(0);
    }

    [Fact]
    public void A_drain_should_end_in_bounded_time_without_giving_up_a_lane_whose_flight_is_under_way()
    {
        var (lane, _) = StartLane(2, options with { Drain = TimeSpan.FromMilliseconds(50) });
        lane.Tell(Rows.Message(2, 1, 1, 1, (1, "a")), TestActor);
        ExpectFlight((1, "a"));
        Watch(lane);
        lane.Tell(HandOffLane.Instance);
        ExpectTerminated(lane);
        Redis.OwnedLanes.ShouldBe(1);
    }

    [Fact]
    public void A_drain_by_hand_should_end_through_the_shard()
    {
        var (lane, shard) = StartLane(2, options);
        AwaitCondition(() => Redis.OwnedLanes == 1);
        lane.Tell(new LaneStatusRequest(2, ""), TestActor);
        ExpectMsg<LaneStatus>();
        lane.Tell(Rows.Message(2, 1, 1, 1, (1, "a")), TestActor);
        Home(lane, ExpectFlight((1, "a")));
        lane.Tell(new LaneDrain(2));
        shard.ExpectMsg<Passivate>();
        Redis.OwnedLanes.ShouldBe(0);
    }

    [Fact]
    public void Orders_about_dead_letters_should_wait_for_the_flight_and_be_done_once()
    {
        Redis.Parked[2] = ["a"u8.ToArray(), "b"u8.ToArray()];
        var (lane, _) = StartLane(2, options);
        lane.Tell(Rows.Message(2, 1, 1, 1, (1, "c")), TestActor);
        var work = ExpectFlight((1, "c"));
        lane.Tell(new DeadLetterRetry(2, "r", "a"u8.ToArray(), false), TestActor);
        lane.Tell(new DeadLetterRetry(2, "r", "a"u8.ToArray(), false), TestActor);
        lane.Tell(Rows.Message(2, 1, 2, 1, (2, "c")), TestActor);
        Home(lane, work);
        var order = Writers.ExpectMsg<HandleDeadLetters>();
        order.Order.Key.ShouldBe("a"u8.ToArray());
        lane.Tell(new OrderEnded(work.Claim, new Ports.DeadLetterOutcome(3, 0, ["a"u8.ToArray()])));
        ExpectMsg<LaneAck>();
        ExpectMsg<DeadLetterAnswer>().ShouldBe(new DeadLetterAnswer(2, "r", Answered.Done, 3, 0, ""));
        ExpectFlight((2, "c"));
        lane.Tell(new DeadLetterRetry(2, "r", "a"u8.ToArray(), false), TestActor);
        ExpectMsg<DeadLetterAnswer>().Handled.ShouldBe(3);
        lane.Tell(new LaneStatusRequest(2, "s"), TestActor);
        ExpectMsg<LaneStatus>().ParkedKeys.ShouldBe(1);
        // No answer tells whether the writer did it before it crashed: whoever asked asks again.
        lane.Tell(new DeadLetterDrop(2, "d", "b"u8.ToArray(), []), TestActor);
        lane.Tell(WriterLost.Instance);
        ExpectMsg<DeadLetterAnswer>().Outcome.ShouldBe(Answered.Moving);
    }
}
