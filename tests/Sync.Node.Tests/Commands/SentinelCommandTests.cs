using Sync.Contracts;
using Sync.Testing;

namespace Sync.Node.Tests.Commands;

/// <summary>What a user is told when Redis stands behind Sentinels.</summary>
[Collection(NodeCommandCollection.Name)]
[Trait("Speed", "Slow")]
public sealed class SentinelCommandTests(CommandServers servers)
{
    const string Name = "orders";

    async Task<Workplace> CreateAsync(string name, params int[] ports)
    {
        var place = await Workplace.CreateAsync(servers);
        place.Configure();
        // Where redis.conn points must not matter.
        place.Environment["ACTORSYNC_REDIS_CONN_PORT"] = "1";
        place.Environment["ACTORSYNC_REDIS_SENTINEL_HOSTS"] = string.Join(',', ports.Select(port => $"127.0.0.1:{port}"));
        place.Environment["ACTORSYNC_REDIS_SENTINEL_MASTERNAME"] = name;
        return place;
    }

    [Fact]
    public async Task Live_check_should_show_the_master_and_what_is_promised()
    {
        using var sentinel = await SentinelServer.StartAsync(Name, servers.Redis.Port);
        using var place = await CreateAsync(Name, sentinel.Port);
        var ended = await place.RunAsync("validate", "--connect", "--strict");
        ended.Code.ShouldBe(0, ended.Error + ended.Out);
        ended.Out.ShouldContain($"at 127.0.0.1:{servers.Redis.Port}, database 0, master {Name}, by Sentinel");
        ended.Out.ShouldContain("note: delivery of every table: exactly once in effect");
        ended.Out.ShouldContain("what a failover loses is written again");
    }

    [Fact]
    public async Task Rewind_window_that_no_failover_fits_into_should_be_a_warning()
    {
        using var place = await CreateAsync(Name, 1);
        place.Environment["ACTORSYNC_REWINDWINDOW"] = "2s";
        var ended = await place.RunAsync("validate");
        ended.Code.ShouldBe(0, ended.Error);
        ended.Out.ShouldContain("warning: rewindWindow is 2 s");
    }

    [Fact]
    public async Task Node_should_write_to_the_master_and_name_it()
    {
        using var sentinel = await SentinelServer.StartAsync(Name, servers.Redis.Port);
        using var place = await CreateAsync(Name, sentinel.Port);
        using var node = place.Start("run");
        await node.SaysAsync($"at 127.0.0.1:{servers.Redis.Port}");
        await node.SaysAsync("streaming slot");
        node.Signal(System.Runtime.InteropServices.PosixSignal.SIGTERM);
        (await node.EndAsync()).Code.ShouldBe(0);
    }

    [Theory]
    [InlineData("run")]
    [InlineData("validate --connect")]
    [InlineData("dlq retry --all")]
    [InlineData("verify")]
    public async Task Sentinels_that_do_not_answer_should_be_named(string command)
    {
        int one = Ports.Free(), two = Ports.Free();
        using var place = await CreateAsync(Name, one, two);
        (await place.RunAsync(command.Split(' '))).ShouldSay(ExitCode.RedisUnreachable, $"no master '{Name}'", $"127.0.0.1:{one}", $"127.0.0.1:{two}");
    }

    [Theory]
    [InlineData("run")]
    [InlineData("validate --connect")]
    public async Task Master_that_no_Sentinel_knows_should_be_named(string command)
    {
        using var sentinel = await SentinelServer.StartAsync("others", servers.Redis.Port);
        using var place = await CreateAsync(Name, sentinel.Port);
        (await place.RunAsync(command.Split(' '))).ShouldSay(ExitCode.Configuration, $"'{Name}'", "redis.sentinel.masterName");
    }

    [Theory]
    [InlineData("run")]
    [InlineData("validate --connect")]
    public async Task Password_that_the_Sentinels_refuse_should_be_told_apart_from_that_of_Redis(string command)
    {
        using var sentinel = await SentinelServer.StartAsync(Name, servers.Redis.Port, password: "open-sesame");
        using var place = await CreateAsync(Name, sentinel.Port);
        place.Environment["ACTORSYNC_REDIS_SENTINEL_PASSWORD"] = "not-this-one";
        var ended = await place.RunAsync(command.Split(' '));
        ended.ShouldSay(ExitCode.RedisAuthentication, $"127.0.0.1:{sentinel.Port}", "redis.sentinel.password");
        (ended.Out + ended.Error).ShouldNotContain("not-this-one");
    }
}
