using Sync.Actors.Ports;

namespace Sync.Node.Tests.Cluster;

/// <summary>Flights of several lanes in one transaction: all of them or none, whatever happens to the connection, and each lane by itself where Redis refuses.</summary>
public sealed class LaneWriterTests : LaneWriterStage
{
    [Fact]
    public async Task Flights_whose_replies_were_lost_should_be_known_as_home_and_not_be_repeated()
    {
        var node = Node();
        var (one, two) = (await TakeAsync(node, 1), await TakeAsync(node, 2));
        await using var writer = node.Lanes.Writers.Create(0);
        (await writer.WriteAsync([Work(1, one, 1), Work(2, two, 1)], default)).ShouldAllBe(o => o == LaneOutcome.Home);
        wire.SwallowAnswersTo("RPUSH"u8.ToArray());
        var writing = writer.WriteAsync([Work(1, one, 2), Work(2, two, 3)], default).AsTask();
        while (await ListAsync(2) != "1 3") await Task.Delay(5);
        wire.Cut();
        wire.Mend();
        (await writing).ShouldAllBe(o => o == LaneOutcome.Home);
        (await ListAsync(1), await ListAsync(2)).ShouldBe(("1 2", "1 3"));
        (await PositionAsync(1), await PositionAsync(2)).ShouldBe((At(2).ToString(), At(3).ToString()));
    }

    [Fact]
    public async Task Flights_that_did_not_reach_Redis_should_be_repeated_and_what_was_on_its_way_not_run()
    {
        var node = Node();
        var (one, two) = (await TakeAsync(node, 1), await TakeAsync(node, 2));
        await using var writer = node.Lanes.Writers.Create(0);
        await writer.WriteAsync([Work(1, one, 1), Work(2, two, 1)], default);
        wire.Freeze();
        var writing = writer.WriteAsync([Work(1, one, 2), Work(2, two, 2)], default).AsTask();
        await Task.Delay(100);
        wire.Cut();
        wire.Thaw();
        wire.Mend();
        (await writing).ShouldAllBe(o => o == LaneOutcome.Home);
        (await ListAsync(1), await ListAsync(2)).ShouldBe(("1 2", "1 2"));
    }

    [Fact]
    public async Task Frozen_owner_should_write_nothing_of_the_lane_it_lost_and_all_of_the_other()
    {
        var frozen = Node();
        var (one, two) = (await TakeAsync(frozen, 1), await TakeAsync(frozen, 2));
        await using var writer = frozen.Lanes.Writers.Create(0);
        await writer.WriteAsync([Work(1, one, 1), Work(2, two, 1)], default);
        wire.Freeze();
        var writing = writer.WriteAsync([Work(1, one, 2), Work(2, two, 2)], default).AsTask();
        var next = Node(direct: true);
        long taken = await TakeAsync(next, 1);
        await using var other = next.Lanes.Writers.Create(0);
        (await other.WriteAsync([Work(1, taken, 3)], default)).ShouldBe([LaneOutcome.Home]);
        wire.Thaw();
        (await writing).ShouldBe([LaneOutcome.Lost, LaneOutcome.Home]);
        (await ListAsync(1), await ListAsync(2)).ShouldBe(("1 3", "1 2"));
        (await writer.WriteAsync([Work(1, one, 4)], default)).ShouldBe([LaneOutcome.Lost]);
    }

    [Fact]
    public async Task What_Redis_refuses_should_park_its_own_lane_only()
    {
        var node = Node(direct: true);
        var (one, two) = (await TakeAsync(node, 1), await TakeAsync(node, 2));
        await using var writer = node.Lanes.Writers.Create(0);
        await redis.ExecAsync("SET", "list:1", "in the way");
        (await writer.WriteAsync([Work(1, one, 1), Work(2, two, 1)], default)).ShouldAllBe(o => o == LaneOutcome.Home);
        (await writer.WriteAsync([Work(1, one, 2), Work(2, two, 2, "NOSUCHCOMMAND", "x")], default)).ShouldAllBe(o => o == LaneOutcome.Home);
        (await redis.ExecAsync("XLEN", keys.DeadLetters)).ShouldBe(3L);
        (await ListAsync(2)).ShouldBe("1");
        parked[1].Contains(KeyOf(1)).ShouldBeTrue();
        parked[2].Contains(KeyOf(2)).ShouldBeTrue();
        (await node.Lanes.Store.TakeAsync(1, default)).ParkedKeys.ShouldHaveSingleItem().ShouldBe(KeyOf(1));

        await redis.ExecAsync("DEL", "list:1");
        one = await TakeAsync(node, 1);
        var outcome = await writer.HandleDeadLettersAsync(1, one, new DeadLetterOrder(null, false, null, false), default);
        (outcome.Done, outcome.Failed).ShouldBe((2, 0));
        outcome.FreedKeys.ShouldHaveSingleItem().ShouldBe(KeyOf(1));
        (await ListAsync(1)).ShouldBe("1 2");
        two = await TakeAsync(node, 2);
        (await writer.HandleDeadLettersAsync(2, two, new DeadLetterOrder(KeyOf(2), true, null, false), default)).Done.ShouldBe(1);
        (await redis.ExecAsync("XLEN", keys.DeadLetters)).ShouldBe(0L);
    }

    [Fact]
    public async Task Writer_that_takes_the_place_of_another_should_end_its_connection_and_find_what_it_has_done()
    {
        var node = Node();
        long one = await TakeAsync(node, 1);
        await using var crashed = node.Lanes.Writers.Create(0);
        await crashed.WriteAsync([Work(1, one, 1)], default);
        wire.SwallowAnswersTo("RPUSH"u8.ToArray());
        using var giveUp = new CancellationTokenSource();
        var writing = crashed.WriteAsync([Work(1, one, 2)], giveUp.Token).AsTask();
        while (await ListAsync(1) != "1 2") await Task.Delay(5);
        await giveUp.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(() => writing);
        wire.Mend();
        await using var writer = node.Lanes.Writers.Create(0);
        (await writer.WriteAsync([Work(1, one, 2)], default)).ShouldBe([LaneOutcome.Home]);
        (await ListAsync(1)).ShouldBe("1 2");
        await Should.ThrowAsync<OperationCanceledException>(async () => await crashed.WriteAsync([Work(1, one, 3)], default));
    }

    [Fact]
    public async Task Rows_of_a_reader_should_not_go_to_a_Redis_that_it_has_not_begun_with()
    {
        var node = Node(direct: true);
        long one = await TakeAsync(node, 1);
        await using var writer = node.Lanes.Writers.Create(0);
        using var limit = new CancellationTokenSource(TimeSpan.FromMilliseconds(300));
        await Should.ThrowAsync<OperationCanceledException>(async () => await writer.WriteAsync([Work(1, one, 1) with { Epoch = 2 }], limit.Token));
        (await ListAsync(1)).ShouldBe("");
        await ReaderAsync(2);
        (await writer.WriteAsync([Work(1, one, 1) with { Epoch = 2 }], default)).ShouldBe([LaneOutcome.Home]);
        (await ListAsync(1)).ShouldBe("1");
    }

    [Fact]
    public async Task Rows_taken_from_a_Redis_that_was_restarted_should_be_lost_and_their_lane_be_taken_when_a_reader_has_begun()
    {
        var (node, one, written) = await WrittenAndRestartedAsync();
        await using var writer = written;
        (await writer.WriteAsync([Work(1, one, 2)], default)).ShouldBe([LaneOutcome.Lost]);
        await Should.ThrowAsync<Sync.Redis.Errors.RedisTransientException>(async () => await TakeAsync(node, 1));
        await ReaderAsync(2);
        long again = await TakenAsync(node, 1);
        (await writer.WriteAsync([Work(1, again, 3)], default)).ShouldBe([LaneOutcome.Home]);
        (await ListAsync(1)).ShouldBe("3");
    }

    [Fact]
    public async Task A_lane_taken_from_a_restarted_Redis_should_be_written_though_the_connection_has_not_noticed()
    {
        var (node, _, written) = await WrittenAndRestartedAsync();
        await using var writer = written;
        await ReaderAsync(2);
        // Nothing was written on the dead connection since, so nothing has told it.
        long again = await TakenAsync(node, 1);
        (await writer.WriteAsync([Work(1, again, 2)], default)).ShouldBe([LaneOutcome.Home]);
        (await ListAsync(1)).ShouldBe("2");
    }

    /// <summary>A lane was taken and written, then Redis was restarted.</summary>
    async Task<(LaneNode Node, long Claim, ILaneWriter Writer)> WrittenAndRestartedAsync()
    {
        var node = Node(direct: true);
        long claim = await TakeAsync(node, 1);
        var writer = node.Lanes.Writers.Create(0);
        await writer.WriteAsync([Work(1, claim, 1)], default);
        await redis.StopAsync();
        await redis.StartAgainAsync();
        return (node, claim, writer);
    }

    /// <summary>Takes a lane though the connection was lost with the server.</summary>
    static async Task<long> TakenAsync(LaneNode node, int lane)
    {
        for (int i = 0; ; i++)
        {
            try { return await TakeAsync(node, lane); }
            catch (Sync.Redis.Errors.RedisTransientException) when (i < 5) { /* Connected anew the next time. */ }
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_value_that_is_too_large_should_be_parked_and_the_other_lanes_go_on(bool isToldBefore)
    {
        var node = Node();
        var (one, two) = (await TakeAsync(node, 1), await TakeAsync(node, 2));
        await using var writer = node.Lanes.Writers.Create(0);
        if (isToldBefore) await redis.ExecAsync("CONFIG", "SET", "proto-max-bulk-len", "1mb");
        await writer.WriteAsync([Work(1, one, 1), Work(2, two, 1)], default);
        await redis.ExecAsync("CONFIG", "SET", "proto-max-bulk-len", "1mb");
        (await writer.WriteAsync([Work(1, one, 2, "RPUSH", "list:1", new string('x', 2_000_000)), Work(2, two, 2)], default)).ShouldAllBe(o => o == LaneOutcome.Home);
        (await ListAsync(1), await ListAsync(2)).ShouldBe(("1", "1 2"));
        (await PositionAsync(1), await PositionAsync(2)).ShouldBe((At(2).ToString(), At(2).ToString()));
        (await redis.ExecAsync("XLEN", keys.DeadLetters)).ShouldBe(1L);
    }
}
