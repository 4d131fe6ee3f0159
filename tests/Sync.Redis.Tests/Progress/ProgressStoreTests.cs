using Sync.Contracts;
using Sync.Contracts.Configuration;
using Sync.Engine.Progress;
using Sync.Redis.Errors;
using Sync.Redis.Progress;
using Sync.Redis.Tests.Support;

namespace Sync.Redis.Tests.Progress;

public abstract class ProgressStoreContract : IClassFixture<RedisFixture>, IAsyncLifetime
{
    readonly RedisFixture redis;

    protected ProgressStoreContract(RedisFixture redis, RedisClient client)
    {
        this.redis = redis;
        redis.Client = client;
    }

    const string System = "7301234567890123456";

    static readonly RedisKeys Keys = new("prog");
    readonly ProgressStore store = new(Keys, lanes: 8);

    public Task InitializeAsync() => redis.EmptyAsync();

    public Task DisposeAsync() => Task.CompletedTask;

    [Fact]
    public async Task Begin_should_claim_an_empty_hash_for_this_cluster()
    {
        await using var connection = await redis.ConnectAsync();
        var found = await store.BeginAsync(connection, System, default);
        found.Highest.ShouldBe(Position.None);
        found.Count.ShouldBe(8);
        (await FieldsAsync()).ShouldBe(new Dictionary<string, string> { ["system"] = System, ["lanes"] = "8" }, ignoreOrder: true);
        (await store.ReadAsync(connection, default)).System.ShouldBe(System);
    }

    static ProgressOpening Opening(uint timeline, ulong end, ulong begin, HistoryAnswer answer = default, Action<HeldHistory>? look = null) =>
        new(new LogHistory(System, timeline, [.. Enumerable.Range(1, (int)timeline - 1).Select(t => new TimelineFork((uint)t, new Lsn((ulong)t)))]), new Lsn(end), new Lsn(begin))
        {
            Publication = 77,
            Judge = held =>
            {
                look?.Invoke(held);
                return answer;
            },
        };

    [Fact]
    public async Task Begin_should_record_the_log_and_tell_how_far_it_was_known()
    {
        await using var connection = await redis.ConnectAsync();
        HeldHistory? held = null;
        await store.BeginAsync(connection, Opening(2, 0x500, 0x400, look: h => held = h), default);
        held.ShouldBe(new HeldHistory(null, Lsn.None, Lsn.None));
        (await FieldsAsync()).ShouldBe(
            new Dictionary<string, string> { ["system"] = System, ["lanes"] = "8", ["timeline"] = "2 1@0/1", ["log"] = "0/500", ["publication"] = "77" }, ignoreOrder: true);

        await store.ConfirmAsync(connection, new Lsn(0x600), default, log: new LogMark(new Lsn(0x700), new Landmark(new Lsn(0x5F0), 9, 90), "pub"));
        await new SnapshotMarks(Keys).MarkDoneAsync(connection, "public.t", new Lsn(0x5F8), 1, default);
        await redis.Server.ExecAsync("HSET", Keys.Progress, "lane:3", new Position(new Lsn(0x5F9), 4).ToString());
        var begun = await store.BeginAsync(connection, Opening(2, 0x710, 0x400, look: h => held = h), default);
        (held!.Known, held.Through, held.Publication, held.Log!.Text).ShouldBe((new Lsn(0x700), new Lsn(0x5FA), 77u, "2 1@0/1"));
        (begun.IsAnew, begun.Positions.Confirmed, begun.Positions.Landmark, begun.Positions.LandmarkPublication).ShouldBe((false, new Lsn(0x600), new Landmark(new Lsn(0x5F0), 9, 90), "pub"));

        // What was confirmed beyond the place where the timeline was left is not in the log any more.
        begun = await store.BeginAsync(connection, Opening(3, 0x710, 0x400, new HistoryAnswer(false, new Lsn(0x5FC))), default);
        (begun.Positions.Confirmed, begun.Positions[3].Commit).ShouldBe((new Lsn(0x5FC), new Lsn(0x5F9)));
        (await FieldsAsync()).ShouldSatisfyAllConditions(f => f["confirmed"].ShouldBe("0/5FC"), f => f["timeline"].ShouldBe("3 1@0/1 2@0/2"));
    }

    [Fact]
    public async Task Begin_should_discard_what_belongs_to_another_log_in_one_transaction()
    {
        await using var connection = await redis.ConnectAsync();
        await store.BeginAsync(connection, Opening(1, 0x500, 0x400), default);
        await store.ConfirmAsync(connection, new Lsn(0x600), default, isStamped: true, new LogMark(new Lsn(0x700), new Landmark(new Lsn(0x5F0), 9, 90), "pub"));
        await redis.Server.ExecAsync("HSET", Keys.Progress, "lane:3", $"{Batches.At(9)}", "w:2:1", $"{Batches.At(5)}", "copy:2:1", $"{Batches.At(5)}", "truncated", $"{Batches.At(5)}");
        await redis.Server.ExecAsync("HSET", Keys.Snapshot, "public.t", "0/5F8 done 12", "public.u", "0/5F8 copying 1");
        await redis.Server.ExecAsync("HSET", Keys.Resync, "public.t", "{}");
        await redis.Server.ExecAsync("HSET", Keys.Mends, "0/1:mended", "1");
        await redis.Server.ExecAsync("XADD", Keys.DeadLetters, "*", "a", "b");
        await redis.Server.ExecAsync("HSET", Keys.ParkedKeys, "k", "1");
        await redis.Server.ExecAsync("HSET", Keys.Retries, "1-1", "1 0 0 x");

        var begun = await store.BeginAsync(connection, Opening(2, 0x300, 0x200, new HistoryAnswer(true, Lsn.None)) with { IsSharded = true }, default);
        (begun.IsAnew, begun.Positions.Highest, begun.Positions.Confirmed, begun.Letters, begun.LettersAside).ShouldBe(
            (true, Position.None, new Lsn(0x200), 1, $"{Keys.DeadLetters}:before:2:0/300"));
        (await FieldsAsync()).ShouldBe(new Dictionary<string, string>
        {
            ["system"] = System,
            ["lanes"] = "8",
            ["timeline"] = "2 1@0/1",
            ["log"] = "0/300",
            ["publication"] = "77",
            ["confirmed"] = "0/200",
            ["clearing"] = "1",
        }, ignoreOrder: true);
        var marks = await new SnapshotMarks(Keys).LoadAsync(connection, default);
        marks.ShouldBe(new Dictionary<string, SnapshotMark>
        {
            ["public.t"] = new(new Lsn(0x200), SnapshotState.Outdated, 0),
            ["public.u"] = new(new Lsn(0x200), SnapshotState.Outdated, 0),
        }, ignoreOrder: true);
        (await redis.Server.ExecAsync("EXISTS", Keys.Resync, Keys.Mends, Keys.DeadLetters, Keys.ParkedKeys, Keys.Retries)).ShouldBe(0L);
        (await redis.Server.ExecAsync("XLEN", begun.LettersAside!)).ShouldBe(1L);
        (await store.ReadAsync(connection, default)).IsClearing.ShouldBeTrue();
        await store.ClearedAsync(connection, default);
        (await store.ReadAsync(connection, default)).IsClearing.ShouldBeFalse();
    }

    [Fact]
    public async Task Begin_should_change_nothing_when_the_judge_refuses()
    {
        await using var connection = await redis.ConnectAsync();
        await store.BeginAsync(connection, Opening(1, 0x500, 0x400), default);
        var before = await FieldsAsync();
        await Should.ThrowAsync<SyncException>(async () => await store.BeginAsync(connection, Opening(2, 0x300, 0x200, look: _ => throw new SyncException(ExitCode.ForeignProgress, "no")), default));
        (await FieldsAsync()).ShouldBe(before, ignoreOrder: true);
    }

    [Fact]
    public async Task Begin_should_fold_worker_fields_into_lanes()
    {
        await redis.Server.ExecAsync("HSET", Keys.Progress, "system", System, "lanes", "8",
            "lane:1", $"{Batches.At(9)}", "lane:3", $"{Batches.At(2)}", "w:2:1", $"{Batches.At(5)}", "w:3:0", $"{Batches.At(7)}");
        await using var connection = await redis.ConnectAsync();
        var found = await store.BeginAsync(connection, System, default);
        int[] expected = [7, 9, 0, 7, 0, 5, 7, 5];
        for (int lane = 0; lane < 8; lane++) found[lane].ShouldBe(expected[lane] == 0 ? Position.None : Batches.At(expected[lane]), $"lane {lane}");
        found.Lowest.ShouldBe(Position.None);
        found.Highest.ShouldBe(Batches.At(9));

        var fields = await FieldsAsync();
        fields.Keys.ShouldNotContain(name => name.StartsWith("w:"));
        for (int lane = 0; lane < 8; lane++)
            fields.GetValueOrDefault($"lane:{lane}").ShouldBe(expected[lane] == 0 ? null : Batches.At(expected[lane]).ToString());
        var again = await store.BeginAsync(connection, System, default);
        for (int lane = 0; lane < 8; lane++) again[lane].ShouldBe(found[lane]);
    }

    [Fact]
    public async Task Begin_should_refuse_the_progress_of_another_cluster_and_leave_it_alone()
    {
        await redis.Server.ExecAsync("HSET", Keys.Progress, "system", "1111", "w:1:0", $"{Batches.At(5)}");
        await using var connection = await redis.ConnectAsync();
        var error = await Should.ThrowAsync<SyncException>(async () => await store.BeginAsync(connection, System, default));
        error.Code.ShouldBe(ExitCode.ForeignProgress);
        error.Message.ShouldContain("1111");
        error.Message.ShouldContain(System);
        error.Message.ShouldContain("DEL");
        (await FieldsAsync()).Keys.ShouldBe(["system", "w:1:0"], ignoreOrder: true);

        // The WATCH is gone: a later transaction on this connection isn't dropped for a change in between.
        await redis.Server.ExecAsync("DEL", Keys.Progress);
        (await store.BeginAsync(connection, System, default)).Highest.ShouldBe(Position.None);
    }

    [Theory]
    [InlineData("256")]
    [InlineData("4")]
    public async Task Begin_should_refuse_another_number_of_lanes(string lanes)
    {
        await redis.Server.ExecAsync("HSET", Keys.Progress, "system", System, "lanes", lanes, "lane:3", $"{Batches.At(1)}");
        if (lanes == "256") await redis.Server.ExecAsync("HSET", Keys.Progress, "lane:255", $"{Batches.At(1)}");
        await using var connection = await redis.ConnectAsync();
        var error = await Should.ThrowAsync<SyncException>(async () => await store.BeginAsync(connection, System, default));
        error.Code.ShouldBe(ExitCode.ForeignProgress);
        error.Message.ShouldContain($"{lanes} lanes");
    }

    [Theory]
    [InlineData("lane:3", "garbage")]
    [InlineData("w:2:1", "")]
    [InlineData("lanes", "many")]
    public async Task Store_should_name_a_field_it_can_not_read(string field, string value)
    {
        await redis.Server.ExecAsync("HSET", Keys.Progress, field, value);
        await using var connection = await redis.ConnectAsync();
        var error = await Should.ThrowAsync<SyncException>(async () => await store.ReadAsync(connection, default));
        error.Code.ShouldBe(ExitCode.ForeignProgress);
        error.Message.ShouldContain($"'{field}'");
    }

    [Fact]
    public async Task Store_should_say_when_the_key_is_no_hash()
    {
        await redis.Server.ExecAsync("SET", Keys.Progress, "text");
        await using var connection = await redis.ConnectAsync();
        (await Should.ThrowAsync<SyncException>(async () => await store.BeginAsync(connection, System, default))).Message.ShouldContain("not a hash");
    }

    [Fact]
    public async Task Begin_should_not_lose_what_a_predecessor_writes_at_the_same_time()
    {
        await redis.Server.ExecAsync("HSET", Keys.Progress, "system", System);
        using var stop = new CancellationTokenSource();
        int written = 0;
        var predecessor = Task.Run(async () =>
        {
            using var client = await redis.Server.ClientAsync();
            while (!stop.IsCancellationRequested)
            {
                await client.CommandAsync("HSET", Keys.Progress, "w:1:0", Batches.At(written + 1).ToString());
                written++;
            }
        });
        await using var connection = await redis.ConnectAsync();
        Position begun = default;
        for (int i = 0; i < 50; i++)
        {
            try
            {
                var found = await store.BeginAsync(connection, System, default);
                found.Lowest.ShouldBeGreaterThanOrEqualTo(begun);
                begun = found.Lowest;
            }
            catch (RedisTransientException error)
            {
                error.OutcomeUnknown.ShouldBeFalse();
            }
        }
        await stop.CancelAsync();
        await predecessor;
        (await store.BeginAsync(connection, System, default)).Lowest.ShouldBe(Batches.At(written));
    }

    [Fact]
    public async Task Marks_should_say_how_far_each_table_is()
    {
        var marks = new SnapshotMarks(Keys);
        await using var connection = await redis.ConnectAsync();
        (await marks.LoadAsync(connection, default)).ShouldBeEmpty();
        await marks.MarkCopyingAsync(connection, "public.orders", new Lsn(0x16_B374D848), 0, default);
        await marks.MarkCopyingAsync(connection, "My Schema.Ünï", new Lsn(1), 5000, default);
        await marks.MarkDoneAsync(connection, "public.orders", new Lsn(0x16_B374D848), 123, default);
        (await redis.Server.ExecAsync("HGET", "actorsync:{prog}:snapshot", "public.orders")).ShouldBe("16/B374D848 done 123");
        (await marks.LoadAsync(connection, default)).ShouldBe(new Dictionary<string, SnapshotMark>
        {
            ["public.orders"] = new(new Lsn(0x16_B374D848), SnapshotState.Done, 123),
            ["My Schema.Ünï"] = new(new Lsn(1), SnapshotState.Copying, 5000),
        }, ignoreOrder: true);
        await marks.ClearAsync(connection, "public.orders", default);
        (await marks.LoadAsync(connection, default)).Keys.ShouldBe(["My Schema.Ünï"]);
        await redis.Server.ExecAsync("HSET", "actorsync:{prog}:snapshot", "public.bad", "what");
        (await Should.ThrowAsync<SyncException>(async () => await marks.LoadAsync(connection, default))).Message.ShouldContain("public.bad");
    }

    async Task<Dictionary<string, string>> FieldsAsync()
    {
        object?[] items = (object?[])(await redis.Server.ExecAsync("HGETALL", "actorsync:{prog}:progress"))!;
        return items.Chunk(2).ToDictionary(pair => (string)pair[0]!, pair => (string)pair[1]!);
    }
}

public sealed class ProgressStoreTests(RedisFixture redis) : ProgressStoreContract(redis, RedisClient.Resp);

public sealed class ProgressStoreOnStackExchangeTests(RedisFixture redis) : ProgressStoreContract(redis, RedisClient.StackExchange);
