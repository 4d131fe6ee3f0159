using Sync.Actors.Ports;
using Sync.Contracts.Cluster;
using Sync.Engine.Verification;

namespace Sync.Node.Tests.Cluster;

/// <summary>Rows that are compared between two flights of their lanes: what differs is written once and counted once, whatever happens to the connection or the lane.</summary>
public sealed class LaneMenderTests : LaneWriterStage
{
    static readonly byte[] value = "right"u8.ToArray();

    static KeyState Text(string key) => new(
        System.Text.Encoding.UTF8.GetBytes(key), (int)KeyContent.Text, true, value, false, [], true, false, 0, false, false, []);

    static KeyState Json(string key) => new(
        System.Text.Encoding.UTF8.GetBytes(key), (int)KeyContent.Json, false, default, false, [new PartState("$"u8.ToArray(), "1"u8.ToArray(), (int)PartRule.Equal)], true, false, 0, false, false, []);

    static KeyState Shared(string key, string foreign) => new(
        System.Text.Encoding.UTF8.GetBytes(key), (int)KeyContent.Hash, false, default, false,
        [new PartState("mine"u8.ToArray(), value, (int)PartRule.Equal), new PartState("theirs"u8.ToArray(), value, (int)PartRule.Equal)], true, true, 0, false, true, [foreign]);

    async Task<string?> GetAsync(string key) => (string?)await redis.ExecAsync("GET", key);

    async Task<string?> CountAsync(string what) => (string?)await redis.ExecAsync("HGET", keys.Mends, $"{At(1).Commit}:{what}");

    [Fact]
    public async Task Only_what_differs_should_be_written_and_be_counted()
    {
        var node = Node(direct: true);
        var (one, two) = (await TakeAsync(node, 1), await TakeAsync(node, 2));
        await using var writer = node.Lanes.Writers.Create(0);
        await redis.ExecAsync("SET", "right", "right");
        await redis.ExecAsync("SET", "wrong", "x");
        await redis.ExecAsync("HSET", "hash", "mine", "x", "theirs", "x", "stray", "x");
        (await writer.WriteAsync([Comparison(1, one, 1, Text("right"), Text("wrong"), Text("missing")), Comparison(2, two, 2, Shared("hash", "theirs")), Work(3, await TakeAsync(node, 3), 3)], default))
            .ShouldAllBe(o => o == LaneOutcome.Home);
        (await GetAsync("wrong"), await GetAsync("missing"), await ListAsync(3)).ShouldBe(("right", "right", "3"));
        ((object?[])(await redis.ExecAsync("HGETALL", "hash"))!).ShouldBe(["mine", "right", "theirs", "x"], "what another table may have written stays");
        (await CountAsync("mended"), await CountAsync("refused")).ShouldBe(("3", null));
        (await PositionAsync(1), await PositionAsync(2), await PositionAsync(3)).ShouldBe((At(1).ToString(), At(2).ToString(), At(3).ToString()));
        (await redis.ExecAsync("XLEN", keys.DeadLetters)).ShouldBe(0L);
    }

    [Fact]
    public async Task A_comparison_whose_replies_were_lost_should_be_known_as_home_and_counted_once()
    {
        var node = Node();
        long one = await TakeAsync(node, 1);
        await using var writer = node.Lanes.Writers.Create(0);
        await writer.WriteAsync([Work(1, one, 1)], default);
        wire.SwallowAnswersTo("HINCRBY"u8.ToArray());
        var writing = writer.WriteAsync([Comparison(1, one, 2, Text("missing"))], default).AsTask();
        while (await GetAsync("missing") != "right") await Task.Delay(5);
        await redis.ExecAsync("SET", "missing", "spoilt meanwhile");
        wire.Cut();
        wire.Mend();
        (await writing).ShouldBe([LaneOutcome.Home]);
        (await GetAsync("missing"), await CountAsync("mended")).ShouldBe(("spoilt meanwhile", "1"));
    }

    [Fact]
    public async Task A_frozen_owner_should_not_put_what_it_has_compared_over_what_the_next_one_wrote()
    {
        var frozen = Node();
        var (one, two) = (await TakeAsync(frozen, 1), await TakeAsync(frozen, 2));
        await using var writer = frozen.Lanes.Writers.Create(0);
        await writer.WriteAsync([Work(1, one, 1), Work(2, two, 1)], default);
        wire.Freeze();
        var writing = writer.WriteAsync([Comparison(1, one, 2, Text("a")), Comparison(2, two, 2, Text("b"))], default).AsTask();
        await Task.Delay(100);
        var next = Node(direct: true);
        long taken = await TakeAsync(next, 1);
        await using var other = next.Lanes.Writers.Create(0);
        (await other.WriteAsync([Work(1, taken, 3, "SET", "a", "newer")], default)).ShouldBe([LaneOutcome.Home]);
        wire.Thaw();
        (await writing).ShouldBe([LaneOutcome.Lost, LaneOutcome.Home]);
        (await GetAsync("a"), await GetAsync("b"), await CountAsync("mended")).ShouldBe(("newer", "right", "1"));
        (await PositionAsync(1)).ShouldBe(At(3).ToString());
    }

    [Fact]
    public async Task What_Redis_refuses_should_be_counted_and_stop_nothing_else()
    {
        var node = Node(direct: true);
        var (one, two) = (await TakeAsync(node, 1), await TakeAsync(node, 2));
        await using var writer = node.Lanes.Writers.Create(0);
        // This Redis knows no JSON.
        (await writer.WriteAsync([Comparison(1, one, 1, Json("doc"), Text("a")), Comparison(2, two, 2, Text("b"))], default)).ShouldAllBe(o => o == LaneOutcome.Home);
        (await GetAsync("a"), await GetAsync("b")).ShouldBe(("right", "right"));
        (await CountAsync("mended"), await CountAsync("refused")).ShouldBe(("2", "1"));
        (await CountAsync("error"))!.ShouldContain("JSON.SET");
        (await redis.ExecAsync("XLEN", keys.DeadLetters)).ShouldBe(0L);
        (await writer.WriteAsync([Work(1, one, 3)], default)).ShouldBe([LaneOutcome.Home]);
    }

    [Fact]
    public async Task Rows_with_dead_letters_should_be_left_to_them()
    {
        var node = Node(direct: true);
        long one = await TakeAsync(node, 1);
        await using var writer = node.Lanes.Writers.Create(0);
        await redis.ExecAsync("SET", "list:1", "in the way");
        await writer.WriteAsync([Work(1, one, 1)], default);
        (await writer.WriteAsync([Comparison(1, one, 2, Text("a"))], default)).ShouldBe([LaneOutcome.Home]);
        (await GetAsync("a"), await CountAsync("parked"), await CountAsync("mended")).ShouldBe((null, "1", null));
        (await redis.ExecAsync("XLEN", keys.DeadLetters)).ShouldBe(1L);
    }

    [Fact]
    public async Task What_says_nothing_should_come_home_and_leave_no_trace()
    {
        var node = Node(direct: true);
        long one = await TakeAsync(node, 1);
        await using var writer = node.Lanes.Writers.Create(0);
        var batch = new Engine.Batching.Batch();
        batch.Add(1, Contracts.Position.None, [], 0, [0], 0, Contracts.Rows.ChangeKind.Compare, 0);
        (await writer.WriteAsync([new LaneWork(1, one, new Engine.Lanes.LaneFlight([batch], 1, Contracts.Position.None), new Engine.DeadLetters.ParkedKeys())], default)).ShouldBe([LaneOutcome.Home]);
        (await PositionAsync(1)).ShouldBeNull();
    }
}
