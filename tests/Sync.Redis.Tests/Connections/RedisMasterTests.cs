using Sync.Contracts;
using Sync.Contracts.Configuration;
using Sync.Redis.Connections;
using Sync.Redis.Errors;
using Sync.Redis.Tests.Support;
using Sync.Testing;

namespace Sync.Redis.Tests.Connections;

/// <summary>How a master is found, with real Sentinels.</summary>
public sealed class RedisMasterTests(RedisFixture redis) : IClassFixture<RedisFixture>
{
    const string Name = "orders";

    [Fact]
    public async Task Master_should_be_found_through_the_second_Sentinel_when_the_first_is_down()
    {
        using var sentinel = await SentinelServer.StartAsync(Name, redis.Server.Port);
        await using var connection = await ConnectAsync(Options(Ports.Free(), sentinel.Port));
        connection.Endpoint.ShouldBe($"127.0.0.1:{redis.Server.Port}");
        connection.Server.Role.ShouldBe("master");
    }

    [Fact]
    public async Task Sentinels_that_are_not_there_should_be_worth_another_attempt_and_be_named()
    {
        int one = Ports.Free(), two = Ports.Free();
        var error = await Should.ThrowAsync<RedisTransientException>(async () => await ConnectAsync(Options(one, two)));
        error.OutcomeUnknown.ShouldBeFalse();
        error.Message.ShouldContain($"no master '{Name}'");
        error.Message.ShouldContain($"127.0.0.1:{one}");
        error.Message.ShouldContain($"127.0.0.1:{two}");
    }

    [Fact]
    public async Task Unknown_master_name_should_be_final_only_when_every_Sentinel_says_so()
    {
        using var sentinel = await SentinelServer.StartAsync("others", redis.Server.Port);
        var final = await Should.ThrowAsync<SyncException>(async () => await ConnectAsync(Options(sentinel.Port)));
        final.Code.ShouldBe(ExitCode.Configuration);
        final.Message.ShouldContain($"No Sentinel knows a master named '{Name}'");
        final.Message.ShouldContain("redis.sentinel.masterName");
        var passing = await Should.ThrowAsync<RedisTransientException>(async () => await ConnectAsync(Options(sentinel.Port, Ports.Free())));
        passing.Message.ShouldContain("redis.sentinel.masterName");
    }

    [Fact]
    public async Task Password_of_the_Sentinels_should_be_theirs_and_never_be_shown()
    {
        using var sentinel = await SentinelServer.StartAsync(Name, redis.Server.Port, password: "open-sesame");
        await using (var connection = await ConnectAsync(Options("open-sesame", sentinel.Port)))
            connection.Endpoint.ShouldBe($"127.0.0.1:{redis.Server.Port}");
        foreach (string? wrong in (string?[])["not-this-one", null])
        {
            var error = await Should.ThrowAsync<SyncException>(async () => await ConnectAsync(Options(wrong, sentinel.Port)));
            error.Code.ShouldBe(ExitCode.RedisAuthentication);
            error.Message.ShouldContain($"127.0.0.1:{sentinel.Port}");
            error.Message.ShouldContain("redis.sentinel.password");
            error.Message.ShouldNotContain("not-this-one");
        }
    }

    [Fact]
    public async Task Redis_that_is_no_Sentinel_should_be_told_apart()
    {
        var error = await Should.ThrowAsync<SyncException>(async () => await ConnectAsync(Options(redis.Server.Port)));
        error.Code.ShouldBe(ExitCode.RedisUnsuitable);
        error.Message.ShouldContain("is no Sentinel");
    }

    [Fact]
    public async Task Server_that_calls_itself_a_replica_should_not_be_written_to()
    {
        using var server = await RedisServer.StartAsync();
        using var sentinel = await SentinelServer.StartAsync(Name, server.Port);
        await server.ExecAsync("REPLICAOF", "127.0.0.1", $"{Ports.Free()}");
        var error = await Should.ThrowAsync<RedisTransientException>(async () => await ConnectAsync(Options(sentinel.Port)));
        error.Message.ShouldContain($"127.0.0.1:{server.Port} is a replica");
    }

    static RedisOptions Options(params int[] ports) => Options(null, ports);

    static RedisOptions Options(string? password, params int[] ports) => new()
    {
        Sentinel = new SentinelOptions
        {
            Hosts = [.. ports.Select(port => new HostPort("127.0.0.1", port))],
            MasterName = Name,
            Password = password is null ? default : new Secret(password),
        },
    };

    static ValueTask<RespConnection> ConnectAsync(RedisOptions options) => RedisMaster.ConnectAsync(options, RedisFixture.Timeout, TimeProvider.System, default);
}
