using System.Diagnostics;
using Sync.Contracts;
using Sync.Contracts.Configuration;
using Sync.Redis.Connections;
using Sync.Redis.Errors;
using Sync.Redis.Protocol;
using Sync.Redis.Tests.Support;
using Sync.Testing;

namespace Sync.Redis.Tests.Connections;

/// <summary>What a connection has to do, whichever client it is made with.</summary>
[Trait("Speed", "Slow")]
public abstract class ConnectionContract : IClassFixture<RedisFixture>
{
    readonly RedisFixture redis;

    protected ConnectionContract(RedisFixture redis, RedisClient client)
    {
        this.redis = redis;
        redis.Client = client;
    }

    [Fact]
    public async Task Connection_should_tell_what_it_is_connected_to()
    {
        await using var connection = await redis.ConnectAsync();
        connection.Server.Version.Major.ShouldBeGreaterThanOrEqualTo(6);
        connection.Server.RunId.Length.ShouldBe(40);
        connection.Server.Role.ShouldBe("master");
        connection.Server.EvictsKeys.ShouldBeFalse();
        connection.Endpoint.ShouldBe($"127.0.0.1:{redis.Server.Port}");
        string clients = (string)(await redis.Server.ExecAsync("CLIENT", "LIST"))!;
        clients.ShouldContain($"id={connection.ClientId} ");
        clients.ShouldContain("name=actorsync ");
    }

    [Fact]
    public async Task Connection_should_carry_any_bytes_both_ways()
    {
        await using var connection = await redis.ConnectAsync();
        string[] values = ["", "two\r\nlines", "$5\r\nhello\r\n", "*1\r\n$4\r\nPING\r\n", "ünï ☃ 😀", new string('x', 1024 * 1024)];
        byte[] binary = [.. Enumerable.Range(0, 256).Select(i => (byte)i)];
        foreach (string value in values)
        {
            (await connection.ExecuteAsync(default, "SET", "key with space:\r\n", value)).AsString().ShouldBe("OK");
            (await connection.ExecuteAsync(default, "GET", "key with space:\r\n")).AsString().ShouldBe(value);
        }
        await connection.ExecuteAsync(default, "SET", "binary", binary);
        (await connection.ExecuteAsync(default, "GET", "binary")).Bytes.ToArray().ShouldBe(binary);
        (await connection.ExecuteAsync(default, "STRLEN", "binary")).AsInt64().ShouldBe(256);
    }

    [Fact]
    public async Task Connection_should_hand_out_error_replies_as_values_and_go_on()
    {
        await using var connection = await redis.ConnectAsync();
        var replies = await connection.ExecutePipelineAsync(
            new RespCommands().Add("SET", "text", "a").Add("INCR", "text").Add("NOSUCH", "secret-value").Add("PING"), default);
        replies[1].ErrorText.ShouldContain("not an integer");
        replies[2].IsError.ShouldBeTrue();
        replies[3].AsString().ShouldBe("PONG");
        var error = Should.Throw<SyncException>(() => replies[2].OrThrow(connection.Endpoint, connection.User));
        error.Message.ShouldNotContain("secret-value");
    }

    [Fact]
    public async Task Connection_should_use_a_unix_socket()
    {
        var options = new RedisConnectionOptions { Host = redis.Server.SocketPath, Client = redis.Client };
        await using var connection = await RespConnection.ConnectAsync(options, RedisFixture.Timeout, TimeProvider.System, default);
        (await connection.ExecuteAsync(default, "PING")).AsString().ShouldBe("PONG");
        connection.Endpoint.ShouldBe(redis.Server.SocketPath);
    }

    [Fact]
    public async Task Connection_should_select_the_database()
    {
        var options = RedisFixture.Options(redis.Server, redis.Client) with { Database = 5 };
        await using var connection = await RespConnection.ConnectAsync(options, RedisFixture.Timeout, TimeProvider.System, default);
        await connection.ExecuteAsync(default, "SET", "in-five", "1");
        using var client = await redis.Server.ClientAsync();
        (await client.CommandAsync("EXISTS", "in-five")).ShouldBe(0L);
        await client.CommandAsync("SELECT", "5");
        (await client.CommandAsync("EXISTS", "in-five")).ShouldBe(1L);
    }

    [Fact]
    public async Task Connection_should_name_a_database_that_does_not_exist()
    {
        var options = RedisFixture.Options(redis.Server, redis.Client) with { Database = 99 };
        var error = await Should.ThrowAsync<SyncException>(async () => await RespConnection.ConnectAsync(options, RedisFixture.Timeout, TimeProvider.System, default));
        error.Code.ShouldBe(ExitCode.Configuration);
        error.Message.ShouldContain("99");
    }

    [Fact]
    public async Task Connection_should_report_an_unreachable_server_as_passing()
    {
        using var server = await RedisServer.StartAsync();
        server.Kill();
        var error = await Should.ThrowAsync<RedisTransientException>(async () => await RedisFixture.ConnectAsync(server, client: redis.Client));
        error.Message.ShouldContain($"127.0.0.1:{server.Port}");
        error.OutcomeUnknown.ShouldBeFalse();
        var options = new RedisConnectionOptions { Host = "no-such-host.invalid", Client = redis.Client };
        error = await Should.ThrowAsync<RedisTransientException>(
            async () => await RespConnection.ConnectAsync(options, RedisFixture.Timeout, TimeProvider.System, default));
        error.Message.ShouldContain("no-such-host.invalid:6379");
    }

    [Fact]
    public async Task Connection_should_give_up_on_a_server_that_accepts_and_never_answers()
    {
        using var server = await RedisServer.StartAsync();
        server.Pause();
        var watch = Stopwatch.StartNew();
        var error = await Should.ThrowAsync<RedisTransientException>(
            async () => await RedisFixture.ConnectAsync(server, TimeSpan.FromMilliseconds(300), client: redis.Client));
        error.Message.ShouldContain(redis.Client == RedisClient.Resp ? "did not answer within 0.3 s" : "within 0.3");
        watch.Elapsed.ShouldBeInRange(TimeSpan.FromMilliseconds(290), TimeSpan.FromSeconds(10));
    }

    [Fact]
    public async Task Connection_should_break_when_an_answer_takes_too_long()
    {
        using var server = await RedisServer.StartAsync();
        await using var connection = await RedisFixture.ConnectAsync(server, TimeSpan.FromMilliseconds(300), client: redis.Client);
        server.Pause();
        var error = await Should.ThrowAsync<RedisTransientException>(async () => await connection.ExecuteAsync(default, "PING"));
        error.OutcomeUnknown.ShouldBeTrue();
        connection.IsBroken.ShouldBeTrue();
        server.Resume();
        error = await Should.ThrowAsync<RedisTransientException>(async () => await connection.ExecuteAsync(default, "PING"));
        error.OutcomeUnknown.ShouldBeFalse();
    }

    [Fact]
    public async Task Connection_should_take_answers_that_are_late_one_by_one_but_together_exceed_the_timeout()
    {
        await using var connection = await RedisFixture.ConnectAsync(redis.Server, TimeSpan.FromSeconds(1), client: redis.Client);
        for (int i = 0; i < 4; i++) (await connection.ExecuteAsync(default, "BLPOP", "nothing-here", "0.35")).IsNull.ShouldBeTrue();
        connection.IsBroken.ShouldBeFalse();
    }

    [Fact]
    public async Task Connection_should_break_when_cancelled()
    {
        await using var connection = await redis.ConnectAsync();
        using var cancel = new CancellationTokenSource();
        var waiting = connection.ExecuteAsync(cancel.Token, "BLPOP", "nothing-here", "0").AsTask();
        await cancel.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(async () => await waiting);
        connection.IsBroken.ShouldBeTrue();
    }

    [Fact]
    public async Task Connection_should_refuse_a_second_exchange_at_once()
    {
        await using var connection = await redis.ConnectAsync();
        var waiting = connection.ExecuteAsync(default, "BLPOP", "later", "10").AsTask();
        await Should.ThrowAsync<InvalidOperationException>(async () => await connection.ExecuteAsync(default, "PING"));
        await redis.Server.ExecAsync("LPUSH", "later", "now");
        (await waiting).Items[1].AsString().ShouldBe("now");
    }

    [Fact]
    public async Task Connection_should_notice_that_the_server_died()
    {
        using var server = await RedisServer.StartAsync();
        await using var connection = await RedisFixture.ConnectAsync(server, client: redis.Client);
        var waiting = connection.ExecuteAsync(default, "BLPOP", "nothing-here", "0").AsTask();
        server.Kill();
        var error = await Should.ThrowAsync<RedisTransientException>(async () => await waiting);
        error.OutcomeUnknown.ShouldBeTrue();
        error.Message.ShouldContain($"127.0.0.1:{server.Port}");
    }

    [Fact]
    public async Task Connection_should_call_a_loading_server_passing()
    {
        using var server = await RedisServer.StartAsync("--save", "3600 1000000");
        using (var client = await server.ClientAsync())
            await client.CommandAsync("EVAL", "for i = 1, 3000 do redis.call('SET', 'key:' .. i, i) end", "0");
        await server.ExecAsync("SAVE");
        server.Kill();
        using var loading = await LoadSlowlyAsync(server.Folder);
        var error = await Should.ThrowAsync<RedisTransientException>(async () => await RedisFixture.ConnectAsync(loading, client: redis.Client));
        // StackExchange.Redis keeps to itself what it was answered.
        error.Message.ShouldContain(redis.Client == RedisClient.Resp ? "loading" : $"127.0.0.1:{loading.Port}");
        error.OutcomeUnknown.ShouldBeFalse();
    }

    /// <summary>A server that needs milliseconds per key to load what lies in the folder.</summary>
    static async Task<RedisServer> LoadSlowlyAsync(string folder)
    {
        var server = await RedisServer.StartAsync("--key-load-delay", "5000", "--loading-process-events-interval-bytes", "1024");
        server.Kill();
        File.Copy(Path.Combine(folder, "dump.rdb"), Path.Combine(server.Folder, "dump.rdb"));
        await server.StartAgainAsync(waitUntilLoaded: false);
        return server;
    }
}

public sealed class ConnectionTests(RedisFixture redis) : ConnectionContract(redis, RedisClient.Resp);

public sealed class ConnectionOnStackExchangeTests(RedisFixture redis) : ConnectionContract(redis, RedisClient.StackExchange);
