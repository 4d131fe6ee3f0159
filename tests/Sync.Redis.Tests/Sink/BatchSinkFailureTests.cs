using Sync.Contracts;
using Sync.Contracts.Configuration;
using Sync.Engine.Batching;
using Sync.Engine.Retry;
using Sync.Redis.Errors;
using Sync.Redis.Progress;
using Sync.Redis.Sink;
using Sync.Redis.Tests.Support;
using Sync.Testing;

namespace Sync.Redis.Tests.Sink;

[Trait("Speed", "Slow")]
public abstract class BatchSinkFailureContract : IClassFixture<RedisFixture>, IAsyncLifetime
{
    readonly RedisFixture redis;

    protected BatchSinkFailureContract(RedisFixture redis, RedisClient client)
    {
        this.redis = redis;
        redis.Client = client;
        queues = client == RedisClient.Resp;
    }

    static readonly RedisKeys Keys = new("failures");
    static readonly byte[] Field = "w:1:0"u8.ToArray();

    /// <summary>Whether commands are looked at before any of them runs.</summary>
    readonly bool queues;

    public Task InitializeAsync() => redis.EmptyAsync();

    public Task DisposeAsync() => Task.CompletedTask;

    [Fact]
    public async Task Flight_should_name_each_command_that_failed_and_apply_its_neighbours()
    {
        await redis.Server.ExecAsync("SET", "text", "a");
        await using var session = await redis.OpenAsync();
        var first = Batches.Of([["SET", "x", "1"]], [["SET", "y", "1"], ["LPUSH", "text", "1"], ["SET", "z", "1"]]);
        var second = Batches.Of([["INCR", "text"]], [["SET", "w", "1"]]);
        var result = await session.WriteAsync([first, new Batch(), second], Keys.ProgressBytes, Field, Batches.At(5), default);
        result.Outcome.ShouldBe(FlightOutcome.Applied);
        result.Failures.Select(failure => (failure.Batch, failure.Entry, failure.Command)).ShouldBe([(0, 1, 1), (2, 0, 0)]);
        result.Failures[0].Error.ShouldStartWith("WRONGTYPE");
        result.Failures[1].Error.ShouldContain("not an integer");
        result.Failures.ShouldAllBe(failure => failure.Class == FailureClass.Poison);
        (await redis.Server.ExecAsync("EXISTS", "x", "y", "z", "w", Keys.Progress)).ShouldBe(5L);
    }

    [Fact]
    public async Task Flight_should_name_the_commands_that_Redis_does_not_even_queue()
    {
        await using var session = await redis.OpenAsync();
        var batch = Batches.Of([["SET", "x", "1"]], [["SET", "y", "1"], ["JSON.SET", "doc", "$", "secret"]], [["HSET", "h", "f"]], [["SET", "z", "1"]]);
        var result = await session.WriteAsync([batch], Keys.ProgressBytes, Field, Batches.At(5), default);
        result.Failures.Select(failure => (failure.Batch, failure.Entry, failure.Command)).ShouldBe([(0, 1, 1), (0, 2, 0)]);
        result.Failures.ShouldAllBe(failure => failure.Class == FailureClass.Poison && !failure.Error.Contains("secret"));
        result.Failures[0].Error.ShouldStartWith("ERR unknown command", Case.Insensitive);
        result.Failures[1].Error.ShouldContain("wrong number of arg", Case.Insensitive);
        // A script learns of it only when it is there; then its neighbours stand, as with any other command that fails.
        result.Outcome.ShouldBe(queues ? FlightOutcome.Rejected : FlightOutcome.Applied);
        (await redis.Server.ExecAsync("EXISTS", "x", "y", "z", "h", Keys.Progress)).ShouldBe(queues ? 0L : 4L);

        (await session.WriteAsync([Batches.Single(["SET", "x", "1"])], Keys.ProgressBytes, Field, Batches.At(5), default)).ShouldBeSameAs(FlightResult.AllApplied);
    }

    [Fact]
    public async Task Flight_should_be_fenced_when_a_watched_key_changed()
    {
        await using var session = await redis.OpenAsync();
        await session.Connection.ExecuteAsync(default, "WATCH", "token");
        await session.Connection.ExecuteAsync(default, "GET", "token");
        await redis.Server.ExecAsync("SET", "token", "taken");
        var result = await session.WriteAsync([Batches.Single(["SET", "x", "1"])], Keys.ProgressBytes, Field, Batches.At(5), default);
        result.Outcome.ShouldBe(FlightOutcome.Fenced);
        (await redis.Server.ExecAsync("EXISTS", "x")).ShouldBe(0L);
    }

    [Fact]
    public async Task Flight_should_stop_when_the_progress_key_is_in_use_for_something_else()
    {
        await redis.Server.ExecAsync("SET", Keys.Progress, "text");
        await using var session = await redis.OpenAsync();
        var error = await Should.ThrowAsync<SyncException>(async () =>
            await session.WriteAsync([Batches.Single(["SET", "x", "1"])], Keys.ProgressBytes, Field, Batches.At(5), default));
        error.Code.ShouldBe(ExitCode.RedisUnsuitable);
    }

    [Theory]
    [InlineData("OOM", "maxmemory", "1")]
    [InlineData("NOREPLICAS", "min-replicas-to-write", "1")]
    public async Task Flight_should_wait_when_the_server_can_not_write_now(string says, string setting, string value)
    {
        using var server = await RedisServer.StartAsync();
        await using var session = await RedisFixture.OpenAsync(server, client: redis.Client);
        await server.ExecAsync("CONFIG", "SET", setting, value);
        var batch = Batches.Single(["SET", "x", "1"], ["JSON.SET", "doc", "$", "1"]);
        var error = await Should.ThrowAsync<RedisTransientException>(async () => await session.WriteAsync([batch], Keys.ProgressBytes, Field, Batches.At(1), default));
        error.OutcomeUnknown.ShouldBeFalse();
        error.Message.ShouldContain(says);

        await server.ExecAsync("CONFIG", "SET", setting, "0");
        (await session.WriteAsync([Batches.Single(["SET", "x", "1"])], Keys.ProgressBytes, Field, Batches.At(1), default)).ShouldBeSameAs(FlightResult.AllApplied);
    }

    [Fact]
    public async Task Flight_should_wait_for_a_replica_to_become_master()
    {
        using var server = await RedisServer.StartAsync();
        await using var session = await RedisFixture.OpenAsync(server, client: redis.Client);
        await server.ExecAsync("REPLICAOF", "127.0.0.1", $"{redis.Server.Port}");
        var error = await Should.ThrowAsync<RedisTransientException>(
            async () => await session.WriteAsync([Batches.Single(["SET", "x", "1"])], Keys.ProgressBytes, Field, Batches.At(1), default));
        error.Message.ShouldContain("READONLY");
        error.OutcomeUnknown.ShouldBeFalse();
        await server.ExecAsync("REPLICAOF", "NO", "ONE");
        (await session.WriteAsync([Batches.Single(["SET", "x", "1"])], Keys.ProgressBytes, Field, Batches.At(1), default)).ShouldBeSameAs(FlightResult.AllApplied);
    }

    [Theory]
    [InlineData("+@all -hset", "hset")]
    [InlineData("+@all -set", "set")]
    [InlineData("+@all resetkeys ~actorsync:*", "key")]
    public async Task Flight_should_stop_with_a_sentence_when_rights_are_missing(string rights, string says)
    {
        using var server = await RedisServer.StartAsync();
        await server.ExecAsync(["ACL", "SETUSER", "limited", "on", ">p", "~*", "&*", .. rights.Split(' ')]);
        var options = RedisFixture.Options(server, redis.Client) with { User = "limited", Password = new Secret("p") };
        await using var session = await SinkSession.OpenAsync(options, RedisFixture.Timeout, TimeProvider.System, null, default);
        var error = await Should.ThrowAsync<SyncException>(
            async () => await session.WriteAsync([Batches.Single(["SET", "x", "1"])], Keys.ProgressBytes, Field, Batches.At(1), default));
        error.Code.ShouldBe(ExitCode.RedisAuthentication);
        error.Message.ShouldContain("'limited'");
        error.Message.ShouldContain(says);
        (await server.ExecAsync("EXISTS", "x")).ShouldBe(0L);
    }

    [Fact]
    public async Task Flight_without_answer_should_have_an_unknown_outcome_that_the_next_session_clears_up()
    {
        using var server = await RedisServer.StartAsync();
        var progress = new ProgressStore(Keys);
        var session = await RedisFixture.OpenAsync(server, TimeSpan.FromMilliseconds(300), client: redis.Client);
        server.Pause();
        var error = await Should.ThrowAsync<RedisTransientException>(
            async () => await session.WriteAsync([Batches.Single(["INCR", "x"])], Keys.ProgressBytes, Field, Batches.At(9), default));
        error.OutcomeUnknown.ShouldBeTrue();
        await session.DisposeAsync();
        server.Resume();

        await using var next = await RedisFixture.OpenAsync(server, previous: session.Identity, client: redis.Client);
        bool applied = await progress.ReadFieldAsync(next.Connection, Field, default) == Batches.At(9);
        if (!applied) await next.WriteAsync([Batches.Single(["INCR", "x"])], Keys.ProgressBytes, Field, Batches.At(9), default);
        (await server.ExecAsync("GET", "x")).ShouldBe("1");
        (await progress.ReadFieldAsync(next.Connection, Field, default)).ShouldBe(Batches.At(9));
    }

    [Fact]
    public async Task Flight_should_not_be_timed_out_by_a_pause_below_the_limit()
    {
        await using var session = await redis.OpenAsync();
        await redis.Server.ExecAsync("CLIENT", "PAUSE", "500", "WRITE");
        (await session.WriteAsync([Batches.Single(["SET", "x", "1"])], Keys.ProgressBytes, Field, Batches.At(1), default)).ShouldBeSameAs(FlightResult.AllApplied);
    }

    [Fact]
    public async Task Flight_should_time_out_when_the_server_holds_writes_back()
    {
        using var server = await RedisServer.StartAsync();
        await using var session = await RedisFixture.OpenAsync(server, TimeSpan.FromMilliseconds(300), client: redis.Client);
        await server.ExecAsync("CLIENT", "PAUSE", "60000", "WRITE");
        var error = await Should.ThrowAsync<RedisTransientException>(
            async () => await session.WriteAsync([Batches.Single(["SET", "x", "1"])], Keys.ProgressBytes, Field, Batches.At(1), default));
        error.OutcomeUnknown.ShouldBeTrue();
        error.Message.ShouldContain("did not answer within 0.3 s");
    }

    [Fact]
    public async Task Flight_should_fail_with_an_unknown_outcome_when_the_server_dies_under_it()
    {
        using var server = await RedisServer.StartAsync();
        await using var session = await RedisFixture.OpenAsync(server, client: redis.Client);
        var batch = Batches.Single(["SET", "large", new string('x', 30_000_000)]);
        server.Pause();
        var writing = session.WriteAsync([batch], Keys.ProgressBytes, Field, Batches.At(1), default).AsTask();
        writing.IsCompleted.ShouldBeFalse();
        server.Kill();
        var error = await Should.ThrowAsync<RedisTransientException>(async () => await writing);
        error.OutcomeUnknown.ShouldBeTrue();
        error.Message.ShouldContain("lost");

        await server.StartAgainAsync();
        await using var next = await RedisFixture.OpenAsync(server, previous: session.Identity, client: redis.Client);
        (await next.WriteAsync([batch], Keys.ProgressBytes, Field, Batches.At(1), default)).ShouldBeSameAs(FlightResult.AllApplied);
    }

    [Fact]
    public async Task Flight_should_break_its_connection_when_cancelled()
    {
        using var server = await RedisServer.StartAsync();
        await using var session = await RedisFixture.OpenAsync(server, client: redis.Client);
        server.Pause();
        using var cancel = new CancellationTokenSource();
        var writing = session.WriteAsync([Batches.Single(["SET", "x", "1"])], Keys.ProgressBytes, Field, Batches.At(1), cancel.Token).AsTask();
        await cancel.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(async () => await writing);
        session.Connection.IsBroken.ShouldBeTrue();
        server.Resume();
    }

    [Fact]
    public async Task Session_should_end_the_connection_it_replaces_and_no_other()
    {
        await using var old = await redis.OpenAsync();
        await using var bystander = await redis.OpenAsync();
        await using var next = await redis.OpenAsync(old.Identity);
        await Should.ThrowAsync<RedisTransientException>(async () => await old.Connection.ExecuteAsync(default, "PING"));
        (await bystander.Connection.ExecuteAsync(default, "PING")).AsString().ShouldBe("PONG");
        (await SinkSession.KillAsync(next.Connection, old.Identity, default)).ShouldBeTrue();

        // The same number in another run of the server is somebody else's connection.
        var stale = bystander.Identity with { RunId = new string('0', 40) };
        (await SinkSession.KillAsync(next.Connection, stale, default)).ShouldBeTrue();
        (await bystander.Connection.ExecuteAsync(default, "PING")).AsString().ShouldBe("PONG");
    }

    [Fact]
    public async Task Session_should_refuse_a_cluster_node()
    {
        using var server = await RedisServer.StartAsync("--cluster-enabled", "yes");
        var error = await Should.ThrowAsync<SyncException>(async () => await RedisFixture.OpenAsync(server, client: redis.Client));
        error.Code.ShouldBe(ExitCode.RedisUnsuitable);
        error.Message.ShouldContain("redis.nodes");
    }
}

public sealed class BatchSinkFailureTests(RedisFixture redis) : BatchSinkFailureContract(redis, RedisClient.Resp);

public sealed class BatchSinkFailureOnStackExchangeTests(RedisFixture redis) : BatchSinkFailureContract(redis, RedisClient.StackExchange);
