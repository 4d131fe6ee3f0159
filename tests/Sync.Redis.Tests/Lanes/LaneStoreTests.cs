using Sync.Contracts;
using Sync.Contracts.Configuration;
using Sync.Engine.Batching;
using Sync.Engine.Lanes;
using Sync.Engine.Progress;
using Sync.Redis.Errors;
using Sync.Redis.Lanes;
using Sync.Redis.Progress;
using Sync.Redis.Sink;
using Sync.Redis.Tests.Support;

namespace Sync.Redis.Tests.Lanes;

/// <summary>Whoever lost a lane can't write it any more, and who has never lost one writes on.</summary>
public abstract class LaneStoreContract : IClassFixture<RedisFixture>, IAsyncLifetime
{
    readonly RedisFixture redis;

    protected LaneStoreContract(RedisFixture redis, RedisClient client)
    {
        this.redis = redis;
        redis.Client = client;
    }

    static readonly RedisKeys keys = new("lanes");
    static readonly ProgressStore progress = new(keys);

    /// <summary>A node with one writer.</summary>
    sealed class Node(SinkSession session, string name) : IAsyncDisposable
    {
        public LaneStore Store { get; } = new(keys, name, TimeProvider.System);
        public LaneClaims Claims { get; } = new();
        public SinkSession Session => session;
        public long Highest { get; private set; }

        public async Task<TakenLane> TakeAsync(int lane)
        {
            var taken = (await Store.TakeAsync(session.Connection, [lane], default))[0];
            Highest = Math.Max(Highest, taken.Claim);
            return taken;
        }

        public Task<long> ReadAsync() => Store.ReadClaimsAsync(session, Claims, Highest, default).AsTask();

        /// <summary>A flight that pushes a number into the list of each lane.</summary>
        public async Task<FlightResult> WriteAsync(int step, params int[] lanes) => await session.WriteAsync(
            [.. lanes.Select(lane => Batches.Single(["RPUSH", $"list:{lane}", $"{step}"]))], keys.ProgressBytes,
            [.. lanes.Select(lane => new ProgressMark(System.Text.Encoding.UTF8.GetBytes(LanePositions.LaneField(lane)), Batches.At(step)))], default);

        public ValueTask DisposeAsync() => session.DisposeAsync();
    }

    public Task InitializeAsync() => redis.EmptyAsync();

    public Task DisposeAsync() => Task.CompletedTask;

    async Task<Node> NodeAsync(string name) => new(await redis.OpenAsync(), name);

    /// <summary>A reader begins.</summary>
    async Task<OwnerFence> ReaderAsync(long epoch, string token = "reader")
    {
        await using var connection = await redis.ConnectAsync();
        var fence = new OwnerFence(keys.Owner, token);
        await progress.BeginAsync(connection, "1", fence, new LaneOpening(epoch, connection.Server.History), default);
        return fence;
    }

    async Task<OwnerFence> SingleHostAsync(string token)
    {
        await using var connection = await redis.ConnectAsync();
        var fence = new OwnerFence(keys.Owner, token);
        await progress.BeginAsync(connection, "1", fence, default);
        return fence;
    }

    async Task<string[]> ListAsync(int lane) => [.. ((object?[])(await redis.Server.ExecAsync("LRANGE", $"list:{lane}", "0", "-1"))!).Select(i => (string)i!)];

    [Fact]
    public async Task No_lane_should_be_taken_before_a_reader_has_begun()
    {
        await using var node = await NodeAsync("a");
        (await node.TakeAsync(3)).Claim.ShouldBe(0);
        await ReaderAsync(7);
        var taken = await node.TakeAsync(3);
        taken.Claim.ShouldBeGreaterThan(0);
        taken.Epoch.ShouldBe(7);
        taken.Position.ShouldBe(Position.None);
    }

    [Fact]
    public async Task Numbers_should_grow_over_nodes_and_over_a_loss_of_Redis()
    {
        await using var a = await NodeAsync("a");
        await using var b = await NodeAsync("b");
        (await a.Store.LastEpochAsync(a.Session.Connection, default)).ShouldBe(0);
        long first = await a.Store.NextEpochAsync(a.Session.Connection, default), second = await b.Store.NextEpochAsync(b.Session.Connection, default);
        second.ShouldBeGreaterThan(first);
        (await a.Store.LastEpochAsync(a.Session.Connection, default)).ShouldBe(second);
        (await a.Store.BegunEpochAsync(a.Session.Connection, default)).ShouldBe(0);
        await ReaderAsync(second);
        (await a.Store.BegunEpochAsync(a.Session.Connection, default)).ShouldBe(second);
        long claim = (await a.TakeAsync(1)).Claim;
        (await b.TakeAsync(2)).Claim.ShouldBeGreaterThan(claim);
        await redis.EmptyAsync();
        await Task.Delay(5);
        (await a.Store.NextEpochAsync(a.Session.Connection, default)).ShouldBeGreaterThan(second);
    }

    [Fact]
    public async Task Takeover_should_refuse_the_frozen_owner_and_tell_how_far_it_came()
    {
        await ReaderAsync(1);
        await using var a = await NodeAsync("a");
        await using var b = await NodeAsync("b");
        await a.TakeAsync(1);
        long kept = (await a.TakeAsync(2)).Claim;
        await a.ReadAsync();
        (await a.WriteAsync(1, 1, 2)).ShouldBeSameAs(FlightResult.AllApplied);
        (await b.TakeAsync(1)).Position.ShouldBe(Batches.At(1));
        await Should.ThrowAsync<RedisFencedException>(() => a.WriteAsync(2, 1, 2));
        (await ListAsync(1)).ShouldBe(["1"]);
        await a.ReadAsync();
        a.Claims.MayWrite(1, a.Highest).ShouldBeFalse();
        a.Claims.MayWrite(2, kept).ShouldBeTrue();
        (await a.WriteAsync(3, 2)).ShouldBeSameAs(FlightResult.AllApplied);
        (await ListAsync(2)).ShouldBe(["1", "3"]);
    }

    [Fact]
    public async Task Lane_that_came_back_should_not_take_rows_of_the_earlier_stay()
    {
        await ReaderAsync(1);
        await using var a = await NodeAsync("a");
        await using var b = await NodeAsync("b");
        long first = (await a.TakeAsync(1)).Claim;
        await a.ReadAsync();
        await b.TakeAsync(1);
        long second = (await a.TakeAsync(1)).Claim;
        await Should.ThrowAsync<RedisFencedException>(() => a.WriteAsync(1, 1));
        await a.ReadAsync();
        a.Claims.MayWrite(1, first).ShouldBeFalse();
        a.Claims.MayWrite(1, second).ShouldBeTrue();
    }

    [Fact]
    public async Task Lane_that_is_taken_again_by_its_own_node_should_refuse_what_was_under_way()
    {
        await ReaderAsync(1);
        await using var a = await NodeAsync("a");
        await a.TakeAsync(1);
        await a.ReadAsync();
        await using var elsewhere = await NodeAsync("a");
        await elsewhere.TakeAsync(1);
        await Should.ThrowAsync<RedisFencedException>(() => a.WriteAsync(1, 1));
        (await ListAsync(1)).ShouldBeEmpty();
    }

    [Fact]
    public async Task Taking_a_free_lane_should_disturb_nobody()
    {
        await ReaderAsync(1);
        await using var a = await NodeAsync("a");
        long first = (await a.TakeAsync(1)).Claim;
        await a.ReadAsync();
        (await a.Store.GiveUpAsync(a.Session.Connection, 1, first + 1, default)).ShouldBeFalse();
        (await a.Store.GiveUpAsync(a.Session.Connection, 1, first, default)).ShouldBeTrue();
        await a.ReadAsync();
        await using var b = await NodeAsync("b");
        await b.TakeAsync(1);
        await b.TakeAsync(2);
        (await a.WriteAsync(1, 3)).ShouldBeSameAs(FlightResult.AllApplied);
        (await a.Store.GiveUpAsync(a.Session.Connection, 1, first, default)).ShouldBeFalse();
    }

    [Fact]
    public async Task Single_host_should_shut_out_the_nodes_of_a_cluster()
    {
        await ReaderAsync(1);
        await using var a = await NodeAsync("a");
        await using var b = await NodeAsync("b");
        await a.TakeAsync(1);
        await b.TakeAsync(2);
        await a.ReadAsync();
        await b.ReadAsync();
        await a.WriteAsync(1, 1);
        var fence = await SingleHostAsync("single");
        await Should.ThrowAsync<RedisFencedException>(() => a.WriteAsync(2, 1));
        await Should.ThrowAsync<RedisFencedException>(() => b.WriteAsync(2, 2));
        await a.ReadAsync();
        a.Claims.MayWrite(1, a.Highest).ShouldBeFalse();
        (await a.TakeAsync(1)).Claim.ShouldBe(0);
        await using var connection = await redis.ConnectAsync();
        (await progress.ReadAsync(connection, default))[1].ShouldBe(Batches.At(1));
        (await redis.Server.ExecAsync("EXISTS", keys.Lanes)).ShouldBe(0L);
        await using var session = await SinkSession.OpenAsync(RedisFixture.Options(redis.Server, redis.Client), RedisFixture.Timeout, TimeProvider.System, null, fence, default);
    }

    [Fact]
    public async Task Reader_of_a_cluster_should_shut_out_a_single_host()
    {
        var fence = await SingleHostAsync("single");
        await using var session = await SinkSession.OpenAsync(RedisFixture.Options(redis.Server, redis.Client), RedisFixture.Timeout, TimeProvider.System, null, fence, default);
        await session.WriteAsync([Batches.Single(["RPUSH", "list:0", "1"])], keys.ProgressBytes, "w:1:0"u8.ToArray(), Batches.At(1), default);
        await ReaderAsync(1);
        await Should.ThrowAsync<RedisFencedException>(async () =>
            await session.WriteAsync([Batches.Single(["RPUSH", "list:0", "2"])], keys.ProgressBytes, "w:1:0"u8.ToArray(), Batches.At(2), default));
        await using var node = await NodeAsync("a");
        (await node.TakeAsync(200)).Position.ShouldBe(Batches.At(1), "the reader has folded what workers recorded");
    }

    [Fact]
    public async Task Next_reader_should_leave_owners_what_they_are_and_shut_out_the_one_before()
    {
        var first = await ReaderAsync(1, "first");
        await using var a = await NodeAsync("a");
        long claim = (await a.TakeAsync(1)).Claim;
        await a.ReadAsync();
        await ReaderAsync(2, "second");
        (await a.WriteAsync(1, 1)).ShouldBeSameAs(FlightResult.AllApplied);
        (await a.ReadAsync()).ShouldBe(2);
        a.Claims.MayWrite(1, claim).ShouldBeTrue();
        await Should.ThrowAsync<RedisFencedException>(async () =>
            await SinkSession.OpenAsync(RedisFixture.Options(redis.Server, redis.Client), RedisFixture.Timeout, TimeProvider.System, null, first, default));
        await Should.ThrowAsync<RedisFencedException>(() => ReaderAsync(1, "late"));
    }

    [Fact]
    public async Task Redis_that_was_emptied_should_void_all_claims()
    {
        await ReaderAsync(1);
        await using var a = await NodeAsync("a");
        long claim = (await a.TakeAsync(1)).Claim;
        await a.ReadAsync();
        await redis.EmptyAsync();
        await Should.ThrowAsync<RedisFencedException>(() => a.WriteAsync(1, 1));
        await a.ReadAsync();
        a.Claims.MayWrite(1, claim).ShouldBeFalse();
        (await a.TakeAsync(1)).Claim.ShouldBe(0);
        await ReaderAsync(2);
        long again = (await a.TakeAsync(1)).Claim;
        again.ShouldBeGreaterThan(claim);
        await a.ReadAsync();
        a.Claims.MayWrite(1, again).ShouldBeTrue();
    }

    [Fact]
    public async Task Redis_that_was_restarted_should_give_no_lane_before_a_reader_has_looked_at_it()
    {
        using var server = await Sync.Testing.RedisServer.StartAsync();
        await using (var connection = await RedisFixture.ConnectAsync(server, client: redis.Client))
            await progress.BeginAsync(connection, "1", new OwnerFence(keys.Owner, "r"), new LaneOpening(1, "another"), default);
        await using var node = new Node(await RedisFixture.OpenAsync(server, client: redis.Client), "a");
        (await node.TakeAsync(1)).Claim.ShouldBe(0);
    }

    [Fact]
    public async Task Token_that_expired_should_cost_a_look_and_never_let_a_replaced_owner_write()
    {
        await ReaderAsync(1);
        await using var a = await NodeAsync("a");
        await using var b = await NodeAsync("b");
        long claim = (await a.TakeAsync(1)).Claim;
        await a.ReadAsync();
        (await redis.Server.ExecAsync("TTL", keys.OwnerOf("a"))).ShouldBeOfType<long>().ShouldBeGreaterThan(3600);
        string before = (string)(await redis.Server.ExecAsync("GET", keys.OwnerOf("a")))!;
        await redis.Server.ExecAsync("DEL", keys.OwnerOf("a"));
        await Should.ThrowAsync<RedisFencedException>(() => a.WriteAsync(1, 1));
        await a.ReadAsync();
        a.Claims.MayWrite(1, claim).ShouldBeTrue();
        ((string)(await redis.Server.ExecAsync("GET", keys.OwnerOf("a")))!).ShouldNotBe(before);
        (await a.WriteAsync(2, 1)).ShouldBeSameAs(FlightResult.AllApplied);
        await redis.Server.ExecAsync("PEXPIRE", keys.OwnerOf("a"), "1");
        await Task.Delay(20);
        await b.TakeAsync(1);
        await Should.ThrowAsync<RedisFencedException>(() => a.WriteAsync(3, 1));
        (await ListAsync(1)).ShouldBe(["2"]);
    }

    [Fact]
    public async Task Positions_of_all_lanes_of_a_flight_should_be_recorded_with_its_data()
    {
        await ReaderAsync(1);
        await using var a = await NodeAsync("a");
        await a.TakeAsync(1);
        await a.TakeAsync(2);
        await a.ReadAsync();
        await a.WriteAsync(5, 1, 2);
        await using var connection = await redis.ConnectAsync();
        var held = await progress.ReadAsync(connection, default);
        (held[1], held[2], held[3]).ShouldBe((Batches.At(5), Batches.At(5), Position.None));
    }
}

public sealed class LaneStoreTests(RedisFixture redis) : LaneStoreContract(redis, RedisClient.Resp);

public sealed class LaneStoreOnStackExchangeTests(RedisFixture redis) : LaneStoreContract(redis, RedisClient.StackExchange);
