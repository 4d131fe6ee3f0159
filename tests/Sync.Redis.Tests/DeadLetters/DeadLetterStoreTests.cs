using System.Text;
using Sync.Contracts;
using Sync.Contracts.Configuration;
using Sync.Contracts.Rows;
using Sync.Engine.DeadLetters;
using Sync.Redis.Connections;
using Sync.Redis.DeadLetters;
using Sync.Redis.Errors;
using Sync.Redis.Progress;
using Sync.Redis.Tests.Support;
using Sync.Testing;

namespace Sync.Redis.Tests.DeadLetters;

public abstract class DeadLetterStoreContract : IClassFixture<RedisFixture>, IAsyncLifetime
{
    readonly RedisFixture redis;

    protected DeadLetterStoreContract(RedisFixture redis, RedisClient client)
    {
        this.redis = redis;
        redis.Client = client;
    }

    static readonly RedisKeys Keys = new("dead");
    static readonly DateTimeOffset Parked = new(2026, 5, 4, 3, 2, 1, 987, TimeSpan.Zero);

    readonly DeadLetterStore store = new(Keys, TimeProvider.System);
    RespConnection connection = null!;

    public async Task InitializeAsync()
    {
        await redis.EmptyAsync();
        connection = await redis.ConnectAsync();
    }

    public async Task DisposeAsync() => await connection.DisposeAsync();

    [Fact]
    public async Task Parked_letters_should_read_back_as_they_were()
    {
        var first = Letter(1, "orders:\r\n$1 ünï", ["SET", "a", "*1\r\n$4\r\nEXEC\r\n"]) with { Error = "WRONGTYPE Operation", Attempts = 3, Kind = ChangeKind.Truncate };
        var second = Letter(2, "binary") with { Key = new byte[] { 0, 255, 13, 10 }, Commands = new byte[] { 0, 1, 254 }, Position = Position.None, Attempts = 0 };
        var ids = await store.ParkAsync(connection, [first, second], null, default);
        (await store.CountAsync(connection, default)).ShouldBe(2);
        var listed = await store.ListAsync(connection, null, 10, default);
        listed.Select(letter => letter.Id).ShouldBe(ids);
        ShouldMatch(listed[0], first);
        ShouldMatch(listed[1], second);
        ShouldMatch((await store.GetAsync(connection, ids[1], default))!, second);
    }

    [Fact]
    public async Task Parking_should_be_one_with_the_progress()
    {
        var progress = new ProgressStore(Keys);
        byte[] field = "w:1:0"u8.ToArray();
        await store.ParkAsync(connection, [Letter(1, "k")], (field, Batches.At(7)), default);
        (await progress.ReadFieldAsync(connection, field, default)).ShouldBe(Batches.At(7));

        // A transaction that can't run leaves both as they were.
        using var full = await RedisServer.StartAsync();
        await using var other = await RedisFixture.ConnectAsync(full, client: redis.Client);
        await full.ExecAsync("CONFIG", "SET", "maxmemory", "1");
        var error = await Should.ThrowAsync<RedisTransientException>(async () => await store.ParkAsync(other, [Letter(1, "k")], (field, Batches.At(7)), default));
        error.OutcomeUnknown.ShouldBeFalse();
        (await full.ExecAsync("DBSIZE")).ShouldBe(0L);
    }

    [Fact]
    public async Task Parked_keys_should_be_counted_and_asked_with_spans()
    {
        await store.ParkAsync(connection, [Letter(1, "a"), Letter(2, "b"), Letter(3, "a")], null, default);
        var many = Enumerable.Range(0, 3000).Select(i => Letter(i, $"many:{i}")).ToList();
        var ids = await store.ParkAsync(connection, many, null, default);
        var parked = await store.LoadParkedKeysAsync(connection, default);
        parked.Count.ShouldBe(3002);
        var bySpan = parked.GetAlternateLookup<ReadOnlySpan<byte>>();
        bySpan.TryGetValue("a"u8, out long count).ShouldBeTrue();
        count.ShouldBe(2);
        bySpan.ContainsKey("c"u8).ShouldBeFalse();

        (await store.RemoveAsync(connection, ids, default)).ShouldBe(3000);
        (await store.RemoveAsync(connection, ids, default)).ShouldBe(0);
        (await store.LoadParkedKeysAsync(connection, default)).Count.ShouldBe(2);
    }

    [Fact]
    public async Task Removing_should_release_a_key_with_its_last_letter()
    {
        var ids = await store.ParkAsync(connection, [Letter(1, "a"), Letter(2, "a")], null, default);
        (await store.RemoveAsync(connection, [ids[0], "nonsense", "1", "999-0"], default)).ShouldBe(1);
        (await store.LoadParkedKeysAsync(connection, default))["a"u8.ToArray()].ShouldBe(1);
        (await store.RemoveAsync(connection, [ids[1]], default)).ShouldBe(1);
        (await store.LoadParkedKeysAsync(connection, default)).ShouldBeEmpty();
    }

    [Fact]
    public async Task Listing_should_page_through_all_letters()
    {
        var ids = await store.ParkAsync(connection, [.. Enumerable.Range(0, 25).Select(i => Letter(i, $"k{i}"))], null, default);
        var seen = new List<string>();
        string? after = null;
        while (true)
        {
            var page = await store.ListAsync(connection, after, 10, default);
            if (page.Count == 0) break;
            seen.AddRange(page.Select(letter => letter.Id!));
            after = page[^1].Id;
        }
        seen.ShouldBe(ids);
        (await store.ListAsync(connection, "nonsense", 10, default)).ShouldBeEmpty();
        (await store.GetAsync(connection, "nonsense", default)).ShouldBeNull();
        (await store.GetAsync(connection, ids[0].Split('-')[0], default)).ShouldBeNull();
    }

    [Fact]
    public async Task Replay_should_apply_a_key_in_order_and_leave_the_others()
    {
        var letters = Enumerable.Range(0, 120).Select(i => Letter(i, i % 2 == 0 ? "even" : "odd", ["RPUSH", "list", $"{i}"], ["INCR", "count"])).ToList();
        await store.ParkAsync(connection, letters, null, default);
        (await store.ReplayAsync(connection, "even"u8.ToArray(), false, default)).ShouldBe(new ReplayResult(60, null));
        (await redis.Server.ExecAsync("LRANGE", "list", "0", "-1")).ShouldBe(Enumerable.Range(0, 60).Select(i => $"{2 * i}").Cast<object>().ToArray());
        (await redis.Server.ExecAsync("GET", "count")).ShouldBe("60");
        (await store.CountAsync(connection, default)).ShouldBe(60);
        (await store.LoadParkedKeysAsync(connection, default)).Keys.Select(Encoding.UTF8.GetString).ShouldBe(["odd"]);
        (await store.ReplayAsync(connection, "even"u8.ToArray(), false, default)).ShouldBe(new ReplayResult(0, null));
    }

    [Fact]
    public async Task Replay_should_stop_at_the_first_that_fails_and_go_on_there_without_repeating()
    {
        await redis.Server.ExecAsync("SET", "wrong", "text");
        await store.ParkAsync(connection,
            [Letter(1, "k", ["INCR", "count"]), Letter(2, "k", ["INCR", "count"], ["LPUSH", "wrong", "secret"], ["INCR", "count"]), Letter(3, "k", ["INCR", "count"])],
            null, default);

        for (int attempt = 1; attempt <= 2; attempt++)
        {
            var result = await store.ReplayAsync(connection, "k"u8.ToArray(), false, default);
            result.Applied.ShouldBe(attempt == 1 ? 1 : 0);
            result.Failure!.Value.Error.ShouldBe("WRONGTYPE Operation against a key holding the wrong kind of value");
            (await redis.Server.ExecAsync("GET", "count")).ShouldBe("2");
            var left = await store.ListAsync(connection, null, 10, default);
            left.Count.ShouldBe(2);
            left[0].Id.ShouldBe(result.Failure.Value.Id);
            left[0].Attempts.ShouldBe(1 + attempt);
            left[0].Error.ShouldStartWith("WRONGTYPE");
            left[0].At.ShouldBeGreaterThan(Parked);
            left[0].ParkedAt.ShouldBe(Parked);
            left[1].Attempts.ShouldBe(1);
        }
        await redis.Server.ExecAsync("DEL", "wrong");
        (await store.ReplayAsync(connection, "k"u8.ToArray(), false, default)).ShouldBe(new ReplayResult(2, null));
        (await redis.Server.ExecAsync("GET", "count")).ShouldBe("4");
        (await redis.Server.ExecAsync("KEYS", "actorsync:*")).ShouldBe(new object[] { Keys.DeadLetters });
        (await store.CountAsync(connection, default)).ShouldBe(0);
    }

    [Theory]
    [InlineData("JSON.SET", "Unknown Redis command")]
    [InlineData("HSET", "Wrong number of args")]
    public async Task Replay_should_report_a_command_the_server_still_does_not_take(string command, string says)
    {
        await store.ParkAsync(connection, [Letter(1, "k", [command, "doc"])], null, default);
        var result = await store.ReplayAsync(connection, "k"u8.ToArray(), false, default);
        result.Applied.ShouldBe(0);
        result.Failure!.Value.Error.ShouldContain(says);
        result.Failure.Value.Error.ShouldNotContain("script:");
    }

    [Fact]
    public async Task Replay_should_wait_for_a_server_that_can_not_write_now()
    {
        await store.ParkAsync(connection, [Letter(1, "k", ["SET", "a", "1"])], null, default);
        await redis.Server.ExecAsync("CONFIG", "SET", "maxmemory", "1");
        try
        {
            var error = await Should.ThrowAsync<RedisTransientException>(async () => await store.ReplayAsync(connection, "k"u8.ToArray(), false, default));
            error.Message.ShouldContain("used memory");
        }
        finally
        {
            await redis.Server.ExecAsync("CONFIG", "SET", "maxmemory", "0");
        }
        (await store.ReplayAsync(connection, "k"u8.ToArray(), false, default)).ShouldBe(new ReplayResult(1, null));
    }

    [Fact]
    public async Task Replay_should_handle_large_commands_and_refuse_what_a_script_can_not_call()
    {
        string[] wide = ["HSET", "wide", .. Enumerable.Range(0, 6000).Select(i => $"{i}")];
        await store.ParkAsync(connection, [Letter(1, "k", ["SET", "large", new string('x', 5_000_000)], wide)], null, default);
        (await store.ReplayAsync(connection, "k"u8.ToArray(), false, default)).ShouldBe(new ReplayResult(1, null));
        (await redis.Server.ExecAsync("STRLEN", "large")).ShouldBe(5_000_000L);
        (await redis.Server.ExecAsync("HLEN", "wide")).ShouldBe(3000L);

        string[] wider = ["DEL", .. Enumerable.Range(0, 9000).Select(i => $"{i}")];
        await store.ParkAsync(connection, [Letter(1, "k", wider)], null, default);
        (await store.ReplayAsync(connection, "k"u8.ToArray(), false, default)).Failure!.Value.Error.ShouldContain("9001 arguments");
    }

    [Fact]
    public async Task Listing_should_name_an_entry_that_is_no_dead_letter()
    {
        string id = (string)(await redis.Server.ExecAsync("XADD", Keys.DeadLetters, "*", "foo", "bar"))!;
        var error = await Should.ThrowAsync<SyncException>(async () => await store.ListAsync(connection, null, 10, default));
        error.Message.ShouldContain(id);
        error.Message.ShouldContain("'position'");
    }

    static DeadLetter Letter(int n, string key, params string[][] commands) => new()
    {
        Position = Batches.At(n),
        Table = "public.orders",
        Kind = ChangeKind.Update,
        Key = Encoding.UTF8.GetBytes(key),
        Commands = Batches.Resp(commands),
        Error = "ERR test",
        At = Parked,
    };

    static void ShouldMatch(DeadLetter actual, DeadLetter expected)
    {
        (actual.Position, actual.Table, actual.Kind, actual.Error, actual.At, actual.Attempts)
            .ShouldBe((expected.Position, expected.Table, expected.Kind, expected.Error, expected.At, expected.Attempts));
        actual.Key.ToArray().ShouldBe(expected.Key.ToArray());
        actual.Commands.ToArray().ShouldBe(expected.Commands.ToArray());
    }
}

public sealed class DeadLetterStoreTests(RedisFixture redis) : DeadLetterStoreContract(redis, RedisClient.Resp);

public sealed class DeadLetterStoreOnStackExchangeTests(RedisFixture redis) : DeadLetterStoreContract(redis, RedisClient.StackExchange);
