using Sync.Contracts.Configuration;
using Sync.Contracts.Rows;
using Sync.Engine.Batching;
using Sync.Engine.DeadLetters;
using Sync.Redis.DeadLetters;
using Sync.Redis.Errors;
using Sync.Redis.Progress;
using Sync.Redis.Sink;
using Sync.Redis.Tests.Support;
using Sync.Testing;

namespace Sync.Redis.Tests.Sink;

/// <summary>Whoever was replaced can't write any more, whatever it believes.</summary>
public abstract class OwnerFenceContract : IClassFixture<RedisFixture>, IAsyncLifetime
{
    readonly RedisFixture redis;

    protected OwnerFenceContract(RedisFixture redis, RedisClient client)
    {
        this.redis = redis;
        redis.Client = client;
    }

    static readonly RedisKeys keys = new("fence");
    static readonly byte[] field = "w:1:0"u8.ToArray();

    readonly ProgressStore store = new(keys);

    public Task InitializeAsync() => redis.EmptyAsync();

    public Task DisposeAsync() => Task.CompletedTask;

    async Task<OwnerFence> TakeOverAsync(string token)
    {
        var fence = new OwnerFence(keys.Owner, token);
        await using var connection = await redis.ConnectAsync();
        await store.BeginAsync(connection, "1", fence, default);
        return fence;
    }

    ValueTask<SinkSession> OpenAsync(OwnerFence fence) =>
        SinkSession.OpenAsync(RedisFixture.Options(redis.Server, redis.Client), RedisFixture.Timeout, TimeProvider.System, null, fence, default);

    static ValueTask<FlightResult> WriteAsync(SinkSession session, int step) =>
        session.WriteAsync([Batches.Single(["RPUSH", "list", $"{step}"])], keys.ProgressBytes, field, Batches.At(step), default);

    async Task<object?[]> ListAsync() => (object?[])(await redis.Server.ExecAsync("LRANGE", "list", "0", "-1"))!;

    [Fact]
    public async Task Owner_should_write_flight_after_flight()
    {
        await using var session = await OpenAsync(await TakeOverAsync("one"));
        for (int step = 1; step <= 3; step++) (await WriteAsync(session, step)).ShouldBeSameAs(FlightResult.AllApplied);
        (await ListAsync()).ShouldBe(["1", "2", "3"]);
    }

    [Fact]
    public async Task Flight_should_be_refused_when_the_server_was_a_replica_meanwhile()
    {
        using var other = await RedisServer.StartAsync("--repl-diskless-sync-delay", "0");
        await using var session = await OpenAsync(await TakeOverAsync("one"));
        await WriteAsync(session, 1);
        // The other holds our token, but not what is written while it does not follow.
        await other.ExecAsync("SET", keys.Owner, "one");
        await WriteAsync(session, 2);
        await FollowAsync(redis.Server, other);
        await redis.Server.ExecAsync("REPLICAOF", "NO", "ONE");
        var error = await Should.ThrowAsync<RedisFencedException>(async () => await WriteAsync(session, 3));
        error.Message.ShouldContain("was a replica meanwhile");
        (await ListAsync()).ShouldBeEmpty();
        await using var anew = await RedisFixture.OpenAsync(redis.Server, client: redis.Client);
        anew.Identity.RunId.ShouldBe(session.Identity.RunId);
        anew.History.ShouldNotBe(session.History);
    }

    static async Task FollowAsync(RedisServer server, RedisServer master)
    {
        await server.ExecAsync("REPLICAOF", "127.0.0.1", $"{master.Port}");
        for (var deadline = DateTime.UtcNow.AddSeconds(60); ; await Task.Delay(20))
        {
            string info = (string)(await server.ExecAsync("INFO", "replication"))!;
            if (info.Contains("master_link_status:up", StringComparison.Ordinal)) return;
            if (DateTime.UtcNow > deadline) throw new TimeoutException($"It should follow the other:\n{info}");
        }
    }

    [Fact]
    public async Task Flight_of_a_replaced_owner_should_be_refused_without_a_trace()
    {
        await using var session = await OpenAsync(await TakeOverAsync("one"));
        await WriteAsync(session, 1);
        await TakeOverAsync("two");
        var error = await Should.ThrowAsync<RedisFencedException>(async () => await WriteAsync(session, 2));
        error.Message.ShouldContain("took over");
        await Should.ThrowAsync<RedisFencedException>(async () => await WriteAsync(session, 3));
        (await ListAsync()).ShouldBe(["1"]);
        await using var connection = await redis.ConnectAsync();
        (await store.ReadAsync(connection, default)).Highest.ShouldBe(Batches.At(1));
    }

    [Fact]
    public async Task Flight_should_be_refused_when_the_token_is_lost()
    {
        await using var session = await OpenAsync(await TakeOverAsync("one"));
        await WriteAsync(session, 1);
        await redis.EmptyAsync();
        (await Should.ThrowAsync<RedisFencedException>(async () => await WriteAsync(session, 2))).Message.ShouldContain("lost");
        (await ListAsync()).ShouldBeEmpty();
    }

    [Fact]
    public async Task Session_should_not_open_for_somebody_who_was_replaced()
    {
        var fence = await TakeOverAsync("one");
        await TakeOverAsync("two");
        await Should.ThrowAsync<RedisFencedException>(async () => await OpenAsync(fence));
    }

    [Fact]
    public async Task Commands_between_flights_should_not_open_a_gap_in_the_fence()
    {
        await using var session = await OpenAsync(await TakeOverAsync("one"));
        await WriteAsync(session, 1);
        var letters = new DeadLetterStore(keys, TimeProvider.System);
        var letter = new DeadLetter
        {
            Position = Batches.At(1),
            Table = "public.t",
            Kind = ChangeKind.Insert,
            Key = "k"u8.ToArray(),
            Commands = Batches.Resp(["SET", "k", "v"]),
            Error = "test",
            At = DateTimeOffset.UnixEpoch,
        };
        await letters.ParkAsync(session.Connection, [letter], null, default);
        await TakeOverAsync("two");
        await Should.ThrowAsync<RedisFencedException>(async () => await WriteAsync(session, 2));
        (await ListAsync()).ShouldBe(["1"]);
    }

    [Fact]
    public async Task Touched_token_that_is_still_ours_should_not_stop_us()
    {
        await using var session = await OpenAsync(await TakeOverAsync("one"));
        await WriteAsync(session, 1);
        await redis.Server.ExecAsync("SET", keys.Owner, "one");
        (await WriteAsync(session, 2)).ShouldBeSameAs(FlightResult.AllApplied);
        (await ListAsync()).ShouldBe(["1", "2"]);
    }

    [Fact]
    public async Task Failed_and_rejected_flights_should_leave_the_fence_up()
    {
        await using var session = await OpenAsync(await TakeOverAsync("one"));
        await redis.Server.ExecAsync("SET", "text", "x");
        (await session.WriteAsync([Batches.Single(["HSET", "text", "a", "1"])], keys.ProgressBytes, field, Batches.At(1), default)).Failures.Count.ShouldBe(1);
        (await session.WriteAsync([Batches.Single(["NOSUCHCOMMAND", "a"])], keys.ProgressBytes, field, Batches.At(2), default))
            .Failures.Count.ShouldBe(1);
        (await WriteAsync(session, 3)).ShouldBeSameAs(FlightResult.AllApplied);
        await TakeOverAsync("two");
        await Should.ThrowAsync<RedisFencedException>(async () => await WriteAsync(session, 4));
    }

    [Fact]
    public async Task Confirmed_position_should_be_read_back_at_the_next_start()
    {
        await using var connection = await redis.ConnectAsync();
        (await store.BeginAsync(connection, "1", default)).Confirmed.ShouldBe(Contracts.Lsn.None);
        await store.ConfirmAsync(connection, new Contracts.Lsn(0x1234), default);
        (await store.BeginAsync(connection, "1", default)).Confirmed.ShouldBe(new Contracts.Lsn(0x1234));
    }
}

public sealed class OwnerFenceTests(RedisFixture redis) : OwnerFenceContract(redis, RedisClient.Resp);

public sealed class OwnerFenceOnStackExchangeTests(RedisFixture redis) : OwnerFenceContract(redis, RedisClient.StackExchange);
