using Sync.Contracts;
using Sync.Contracts.Configuration;
using Sync.Contracts.Rows;
using Sync.Engine.Batching;
using Sync.Engine.DeadLetters;
using Sync.Redis.Connections;
using Sync.Redis.DeadLetters;
using Sync.Redis.Errors;
using Sync.Redis.Progress;
using Sync.Redis.Sink;
using Sync.Redis.Tests.Support;
using Sync.Testing;

namespace Sync.Redis.Tests.Connections;

public abstract class RedisAuthenticationContract(RedisClient client) : IAsyncLifetime
{
    const string Password = "s3cret pass:word";

    RedisServer server = null!;

    public async Task InitializeAsync()
    {
        server = await RedisServer.StartAsync("--requirepass", Password);
        await server.ExecAsync("ACL", "SETUSER", "writer", "on", ">writer-pass", "~*", "&*", "+@all");
        await server.ExecAsync("ACL", "SETUSER", "no-client", "on", ">p", "~*", "&*", "+@all", "-client");
        await server.ExecAsync("ACL", "SETUSER", "no-info", "on", ">p", "~*", "&*", "+@all", "-info");
        await server.ExecAsync("ACL", "SETUSER", "no-multi", "on", ">p", "~*", "&*", "+@all", client == RedisClient.Resp ? "-multi" : "-eval");
        await server.ExecAsync("ACL", "SETUSER", "off", "off", ">p", "~*", "+@all");
    }

    public Task DisposeAsync()
    {
        server.Dispose();
        return Task.CompletedTask;
    }

    [Theory]
    [InlineData(null, Password)]
    [InlineData("default", Password)]
    [InlineData("writer", "writer-pass")]
    public async Task Login_should_work_with_password_alone_and_with_a_user(string? user, string password)
    {
        await using var connection = await ConnectAsync(user, password);
        (await connection.ExecuteAsync(default, "ACL", "WHOAMI")).AsString().ShouldBe(user ?? "default");
    }

    [Theory]
    [InlineData(null, "wrong", "password")]
    [InlineData("writer", "wrong", "'writer'")]
    [InlineData("nobody", "x", "'nobody'")]
    [InlineData("off", "p", "'off'")]
    [InlineData(null, null, "redis.conn.password")]
    public async Task Login_should_fail_with_a_sentence_and_without_the_password(string? user, string? password, string says)
    {
        var error = await Should.ThrowAsync<SyncException>(async () => await ConnectAsync(user, password));
        error.Code.ShouldBe(ExitCode.RedisAuthentication);
        error.Message.ShouldContain(says);
        error.Message.ShouldContain($"127.0.0.1:{server.Port}");
        if (password == "wrong") error.ToString().ShouldNotContain("wrong");
    }

    [Fact]
    public async Task Login_should_say_when_the_server_has_no_password()
    {
        using var open = await RedisServer.StartAsync();
        var options = RedisFixture.Options(open, client) with { Password = new Secret("superfluous") };
        var error = await Should.ThrowAsync<SyncException>(async () => await RespConnection.ConnectAsync(options, RedisFixture.Timeout, TimeProvider.System, default));
        error.Code.ShouldBe(ExitCode.RedisAuthentication);
        error.Message.ShouldContain("remove redis.conn.password");
    }

    [Fact]
    public async Task Login_should_do_without_the_CLIENT_command()
    {
        await using var connection = await ConnectAsync("no-client", "p");
        connection.ClientId.ShouldBe(0);
        (await SinkSession.KillAsync(connection, new RedisClientIdentity(connection.Server.RunId, 12345), default)).ShouldBeFalse();
    }

    [Fact]
    public async Task Login_should_name_the_permission_that_is_missing()
    {
        var error = await Should.ThrowAsync<SyncException>(async () => await ConnectAsync("no-info", "p"));
        error.Code.ShouldBe(ExitCode.RedisAuthentication);
        error.Message.ShouldContain("'no-info'");
        error.Message.ShouldContain("info");
        error.Message.ShouldContain("ACL SETUSER");
    }

    [Fact]
    public async Task Session_should_refuse_a_user_that_may_not_run_transactions()
    {
        var options = RedisFixture.Options(server, client) with { User = "no-multi", Password = new Secret("p") };
        var error = await Should.ThrowAsync<SyncException>(
            async () => await SinkSession.OpenAsync(options, RedisFixture.Timeout, TimeProvider.System, null, default));
        error.Code.ShouldBe(ExitCode.RedisAuthentication);
        error.Message.ShouldContain(client == RedisClient.Resp ? "multi" : "eval");
    }

    [Fact]
    public async Task Everything_should_work_with_the_rights_that_the_documentation_names()
    {
        string[] rights = "+@write +@read +multi +exec +watch +unwatch +info +select +client|setname +client|id +client|kill +eval".Split(' ');
        if (client == RedisClient.StackExchange) rights = [.. rights, "+ping"];
        string[] keys = ["~actorsync:*", "~orders:*"];
        await server.ExecAsync(["ACL", "SETUSER", "documented", "on", ">p", .. keys, .. rights]);
        var options = RedisFixture.Options(server, client) with { User = "documented", Password = new Secret("p"), Database = 1 };
        await using var old = await SinkSession.OpenAsync(options, RedisFixture.Timeout, TimeProvider.System, null, default);
        await using var session = await SinkSession.OpenAsync(options, RedisFixture.Timeout, TimeProvider.System, old.Identity, default);
        await Should.ThrowAsync<RedisTransientException>(async () => await old.Connection.ExecuteAsync(default, "INFO"));

        var redisKeys = new RedisKeys("s");
        byte[] field = "w:1:0"u8.ToArray();
        await new ProgressStore(redisKeys).BeginAsync(session.Connection, "1", default);
        (await session.WriteAsync([Batches.Single(["HSET", "orders:1", "a", "1"])], redisKeys.ProgressBytes, field, Batches.At(1), default))
            .ShouldBeSameAs(FlightResult.AllApplied);
        (await new ProgressStore(redisKeys).BeginAsync(session.Connection, "1", default)).Lowest.ShouldBe(Batches.At(1));
        var letter = new DeadLetter
        {
            Position = Batches.At(2),
            Table = "public.orders",
            Kind = ChangeKind.Insert,
            Key = "orders:1"u8.ToArray(),
            Commands = Batches.Resp(["HSET", "orders:1", "a", "2"]),
            Error = "test",
            At = DateTimeOffset.UnixEpoch,
        };
        var store = new DeadLetterStore(redisKeys, TimeProvider.System);
        await store.ParkAsync(session.Connection, [letter], (field, Batches.At(2)), default);
        (await store.LoadParkedKeysAsync(session.Connection, default)).Count.ShouldBe(1);
        (await store.ReplayAsync(session.Connection, letter.Key, false, default)).ShouldBe(new ReplayResult(1, null));
    }

    ValueTask<RespConnection> ConnectAsync(string? user, string? password) => RespConnection.ConnectAsync(
        RedisFixture.Options(server, client) with { User = user, Password = new Secret(password) }, RedisFixture.Timeout, TimeProvider.System, default);
}

public sealed class RedisAuthenticationTests() : RedisAuthenticationContract(RedisClient.Resp);

public sealed class RedisAuthenticationOnStackExchangeTests() : RedisAuthenticationContract(RedisClient.StackExchange);
