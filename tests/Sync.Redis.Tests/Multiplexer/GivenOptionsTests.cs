using Sync.Contracts;
using Sync.Contracts.Configuration;
using Sync.Engine.Batching;
using Sync.Redis.Connections;
using Sync.Redis.Errors;
using Sync.Redis.Sink;
using Sync.Redis.Tests.Support;

namespace Sync.Redis.Tests.Multiplexer;

/// <summary>What a user says to StackExchange.Redis in its own words (<c>redis.options</c>).</summary>
public sealed class GivenOptionsTests : IClassFixture<RedisFixture>, IAsyncLifetime
{
    readonly RedisFixture redis;

    public GivenOptionsTests(RedisFixture redis)
    {
        this.redis = redis;
        redis.Client = RedisClient.StackExchange;
    }

    public Task InitializeAsync() => redis.EmptyAsync();

    public Task DisposeAsync() => Task.CompletedTask;

    ValueTask<RespConnection> ConnectAsync(string given, Func<RedisConnectionOptions, RedisConnectionOptions>? more = null)
    {
        var options = RedisFixture.Options(redis.Server, RedisClient.StackExchange) with { Options = new Secret(given) };
        return RespConnection.ConnectAsync(more?.Invoke(options) ?? options, RedisFixture.Timeout, TimeProvider.System, default);
    }

    [Fact]
    public async Task Redis_should_be_reached_through_a_proxy()
    {
        using var proxy = new ConnectProxy();
        var options = RedisFixture.Options(redis.Server, RedisClient.StackExchange) with { Options = new Secret($"tunnel=http:127.0.0.1:{proxy.Port}") };
        await using (var session = await SinkSession.OpenAsync(options, RedisFixture.Timeout, TimeProvider.System, null, default))
            (await session.WriteAsync([Batches.Single(["SET", "through", "it"])], new RedisKeys("s").ProgressBytes, "w:1:0"u8.ToArray(), Batches.At(1), default)).ShouldBeSameAs(FlightResult.AllApplied);
        (await redis.Server.ExecAsync("GET", "through")).ShouldBe("it");
        proxy.Targets.ShouldBe([$"127.0.0.1:{redis.Server.Port}"]);
    }

    [Fact]
    public async Task A_connection_through_a_proxy_should_not_come_back_by_itself()
    {
        using var proxy = new ConnectProxy();
        await using var connection = await ConnectAsync($"tunnel=http:127.0.0.1:{proxy.Port}");
        await redis.Server.ExecAsync("CLIENT", "KILL", "ID", $"{connection.ClientId}");
        await Should.ThrowAsync<RedisTransientException>(async () => await connection.ExecuteAsync(default, "PING"));
        await Task.Delay(500);
        proxy.Targets.Count.ShouldBe(1);
    }

    [Fact]
    public async Task Our_own_keys_should_go_before_and_what_we_rest_on_should_stay()
    {
        await redis.Server.ExecAsync("ACL", "SETUSER", "ours", "on", ">p", "~*", "&*", "+@all");
        await using var connection = await ConnectAsync(
            "user=theirs,password=wrong,defaultDatabase=3,connectRetry=9,asyncTimeout=1,abortConnect=false,protocol=resp3", o => o with { User = "ours", Password = new Secret("p"), Database = 2 });
        (await connection.ExecuteAsync(default, "ACL", "WHOAMI")).AsString().ShouldBe("ours");
        await connection.ExecuteAsync(default, "SET", "where", "2");
        (await redis.Server.ExecAsync("EXISTS", "where")).ShouldBe(0L);
    }

    [Fact]
    public async Task Login_may_be_given_in_its_words()
    {
        await redis.Server.ExecAsync("ACL", "SETUSER", "theirs", "on", ">p", "~*", "&*", "+@all");
        await using var connection = await ConnectAsync("user=theirs,password=p");
        (await connection.ExecuteAsync(default, "ACL", "WHOAMI")).AsString().ShouldBe("theirs");
    }

    [Theory]
    [InlineData("pasword=s3cret", "holds a setting that StackExchange.Redis does not know")]
    [InlineData("password=s3cret,keepAlive=often", "or a value that it does not take")]
    [InlineData("other.example:6379,password=s3cret", "names a server")]
    public async Task What_it_does_not_know_should_be_refused_without_a_secret(string given, string says)
    {
        var error = await Should.ThrowAsync<SyncException>(async () => await ConnectAsync(given));
        error.Code.ShouldBe(ExitCode.Configuration);
        error.Message.ShouldContain("redis.options");
        error.Message.ShouldContain(says);
        error.Message.ShouldNotContain("s3cret");
    }
}
