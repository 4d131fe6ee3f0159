using Sync.Contracts;
using Sync.Contracts.Configuration;
using Sync.Engine.Batching;
using Sync.Redis.Connections;
using Sync.Redis.Errors;
using Sync.Redis.Protocol;
using Sync.Redis.Sink;
using Sync.Redis.Tests.Support;

namespace Sync.Redis.Tests.Multiplexer;

/// <summary>WATCH, MULTI and EXEC said with a script: what is special about it. What is the same as ever, the contracts show.</summary>
public sealed class ScriptedTransactionTests : IClassFixture<RedisFixture>, IAsyncLifetime
{
    static readonly RedisKeys keys = new("script");
    static readonly byte[] field = "w:1:0"u8.ToArray();

    readonly RedisFixture redis;

    public ScriptedTransactionTests(RedisFixture redis)
    {
        this.redis = redis;
        redis.Client = RedisClient.StackExchange;
    }

    public Task InitializeAsync() => redis.EmptyAsync();

    public Task DisposeAsync() => Task.CompletedTask;

    static RespCommands Transaction => new RespCommands().Add("MULTI").Add("INCR", "done").Add("EXEC");

    [Theory]
    [InlineData("HGETALL", "HSET", "c", "3")]
    [InlineData("HGETALL", "HSET", "b", "other")]
    [InlineData("HGETALL", "HDEL", "a", null)]
    [InlineData("HMGET", "HSET", "b", "other")]
    [InlineData("HMGET", "HDEL", "b", null)]
    [InlineData("HMGET", "HSET", "none", "")]
    public async Task Transaction_should_not_run_when_what_was_read_has_changed(string read, string change, string of, string? to)
    {
        await redis.Server.ExecAsync("HSET", "h", "a", "1", "b", "2");
        await using var connection = await redis.ConnectAsync();
        await connection.ExecutePipelineAsync(Read(read), default);
        await redis.Server.ExecAsync([change, "h", of, .. to is null ? Array.Empty<string>() : [to]]);
        (await connection.ExecutePipelineAsync(Transaction, default))[^1].IsNull.ShouldBeTrue();
        (await redis.Server.ExecAsync("EXISTS", "done")).ShouldBe(0L);

        // That ended the watch.
        (await connection.ExecutePipelineAsync(Transaction, default))[^1].Items[0].AsInt64().ShouldBe(1);
    }

    static RespCommands Read(string read)
    {
        var commands = new RespCommands().Add("WATCH", "h");
        return read == "HMGET" ? commands.Add("HMGET", "h", "b", "none") : commands.Add("HGETALL", "h");
    }

    [Fact]
    public async Task Transaction_should_run_when_the_same_was_written_again()
    {
        // More fields than Redis keeps in a row, so that their order may change with every one that comes and goes.
        string[] fields = [.. Enumerable.Range(0, 1000).SelectMany(i => new[] { $"f{i}", $"{i}" })];
        await redis.Server.ExecAsync(["HSET", "h", .. fields]);
        await using var connection = await redis.ConnectAsync();
        await connection.ExecutePipelineAsync(Read("HGETALL"), default);
        await redis.Server.ExecAsync(["HSET", "h", .. Enumerable.Range(0, 5000).SelectMany(i => new[] { $"more{i}", "" })]);
        await redis.Server.ExecAsync(["HDEL", "h", .. Enumerable.Range(0, 5000).Select(i => $"more{i}")]);
        (await connection.ExecutePipelineAsync(Transaction, default))[^1].Items[0].AsInt64().ShouldBe(1);
    }

    [Fact]
    public async Task Transaction_in_the_same_request_as_its_reads_should_depend_on_them()
    {
        await redis.Server.ExecAsync("SET", "token", "one");
        await using var connection = await redis.ConnectAsync();
        var request = new RespCommands().Add("WATCH", "token").Add("GET", "token").Append(Transaction);
        (await connection.ExecutePipelineAsync(request, default))[^1].Items.Count.ShouldBe(1);
        await connection.ExecutePipelineAsync(new RespCommands().Add("WATCH", "token").Add("GET", "token"), default);
        (await connection.ExecuteAsync(default, "UNWATCH")).AsString().ShouldBe("OK");
        await redis.Server.ExecAsync("SET", "token", "two");
        (await connection.ExecutePipelineAsync(Transaction, default))[^1].Items[0].AsInt64().ShouldBe(2);
    }

    [Fact]
    public async Task Watched_key_of_which_nothing_was_read_should_be_refused()
    {
        await using var connection = await redis.ConnectAsync();
        await connection.ExecuteAsync(default, "WATCH", "token");
        await Should.ThrowAsync<InvalidOperationException>(async () => await connection.ExecutePipelineAsync(Transaction, default));
        (await redis.Server.ExecAsync("EXISTS", "done")).ShouldBe(0L);
    }

    [Fact]
    public async Task Command_that_Luas_stack_does_not_take_should_run_in_parts_or_fail_alone()
    {
        await using var session = await redis.OpenAsync();
        string[] many = [.. Enumerable.Range(0, 12_000).Select(i => $"{i}")];
        var batch = Batches.Single(["HSET", "h", .. many], ["RPUSH", "list", .. many], ["SET", "after", "1"]);
        var result = await session.WriteAsync([batch], keys.ProgressBytes, field, Batches.At(1), default);
        result.Outcome.ShouldBe(FlightOutcome.Applied);
        result.Failures.Single().Entry.ShouldBe(1);
        result.Failures[0].Error.ShouldContain("too many arguments");
        (await redis.Server.ExecAsync("HLEN", "h")).ShouldBe(6000L);
        (await redis.Server.ExecAsync("EXISTS", "list", "after")).ShouldBe(1L);
    }

    [Fact]
    public async Task Right_that_is_missing_for_a_later_command_should_stop_before_the_first()
    {
        await redis.Server.ExecAsync("ACL", "SETUSER", "some", "on", ">p", "~*", "&*", "+@all", "-incr");
        var options = RedisFixture.Options(redis.Server, redis.Client) with { User = "some", Password = new Secret("p") };
        await using var session = await SinkSession.OpenAsync(options, RedisFixture.Timeout, TimeProvider.System, null, default);
        var error = await Should.ThrowAsync<SyncException>(
            async () => await session.WriteAsync([Batches.Single(["SET", "x", "1"], ["INCR", "y"])], keys.ProgressBytes, field, Batches.At(1), default));
        error.Message.ShouldContain("incr");
        (await redis.Server.ExecAsync("EXISTS", "x", keys.Progress)).ShouldBe(0L);
    }

    [Fact]
    public async Task Connection_that_was_lost_should_not_come_back()
    {
        await using var session = await redis.OpenAsync();
        await redis.Server.ExecAsync("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
        // By itself StackExchange.Redis connects anew at once, and again every second.
        for (var deadline = DateTime.UtcNow.AddSeconds(3); DateTime.UtcNow < deadline; await Task.Delay(50))
            ((string)(await redis.Server.ExecAsync("CLIENT", "LIST"))!).ShouldNotContain("name=actorsync");
        await Should.ThrowAsync<RedisTransientException>(
            async () => await session.WriteAsync([Batches.Single(["SET", "x", "1"])], keys.ProgressBytes, field, Batches.At(1), default));
        session.IsBroken.ShouldBeTrue();
        (await redis.Server.ExecAsync("EXISTS", "x")).ShouldBe(0L);
    }

    [Fact]
    public async Task Only_one_connection_should_be_opened_and_no_key_be_touched()
    {
        long before = await ConnectionsAsync();
        await using var connection = await RespConnection.ConnectAsync(RedisFixture.Options(redis.Server, redis.Client), RedisFixture.Timeout, TimeProvider.System, default);
        // The one that asks is new each time.
        (await ConnectionsAsync() - before).ShouldBe(2);
        (await redis.Server.ExecAsync("DBSIZE")).ShouldBe(0L);
    }

    async Task<long> ConnectionsAsync()
    {
        string stats = (string)(await redis.Server.ExecAsync("INFO", "stats"))!;
        return long.Parse(stats.Split("total_connections_received:")[1].Split('\r')[0]);
    }
}
