using Sync.Contracts;
using Sync.Testing;

namespace Sync.Node.Tests.Commands;

/// <summary>Servers that are set up in a way that can't work, or may lose data.</summary>
[Collection(CommandCollection.Name)]
[Trait("Speed", "Slow")]
public sealed class UnsuitableServerTests(CommandServers servers)
{
    [Theory]
    [InlineData("run")]
    [InlineData("validate --connect")]
    public async Task Wal_level_that_is_not_logical_should_be_an_error_that_says_what_to_run(string command)
    {
        await using var replica = await PostgresServer.StartAsync("wal_level = replica");
        await replica.ExecuteAsync("create table orders (id int primary key)");
        using var place = await Workplace.CreateAsync(servers);
        place.Configure().Environment["ACTORSYNC_POSTGRES_CONN_PORT"] = $"{replica.Port}";
        place.Environment["ACTORSYNC_POSTGRES_CONN_DATABASE"] = "postgres";
        var ended = await place.RunAsync(command.Split(' '));
        ended.ShouldSay(ExitCode.PostgresUnsuitable, "wal_level is replica", "ALTER SYSTEM SET wal_level = logical");
    }

    [Theory]
    [InlineData("run")]
    [InlineData("validate --connect")]
    public async Task No_slot_left_should_be_an_error(string command)
    {
        await using var full = await PostgresServer.StartAsync("max_replication_slots = 1");
        await full.ExecuteAsync("create table orders (id int primary key); select pg_create_physical_replication_slot('taken')");
        using var place = await Workplace.CreateAsync(servers);
        place.Configure().Environment["ACTORSYNC_POSTGRES_CONN_PORT"] = $"{full.Port}";
        place.Environment["ACTORSYNC_POSTGRES_CONN_DATABASE"] = "postgres";
        (await place.RunAsync(command.Split(' '))).ShouldSay(ExitCode.Slot, "No replication slot is left", "max_replication_slots");
    }

    [Fact]
    public async Task Redis_that_evicts_any_key_should_be_a_warning()
    {
        using var evicting = await RedisServer.StartAsync("--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru");
        using var place = await Workplace.CreateAsync(servers);
        place.Configure().Environment["ACTORSYNC_REDIS_CONN_PORT"] = $"{evicting.Port}";
        var ended = await place.RunAsync("validate", "--connect");
        ended.Code.ShouldBe(0);
        ended.Out.ShouldContain("warning: Redis evicts any key");
        ended.Out.ShouldContain("allkeys-lru");
        ended.Out.ShouldEndWith("1 table, 0 errors, 1 warning\n");
        (await place.RunAsync("validate", "--connect", "--strict")).Code.ShouldBe((int)ExitCode.CheckFailed);
    }

    [Fact]
    public async Task Redis_cluster_should_be_an_error()
    {
        using var cluster = await RedisServer.StartAsync("--cluster-enabled", "yes");
        using var place = await Workplace.CreateAsync(servers);
        place.Configure().Environment["ACTORSYNC_REDIS_CONN_PORT"] = $"{cluster.Port}";
        (await place.RunAsync("validate", "--connect")).ShouldSay(ExitCode.RedisUnsuitable, "is a node of a Redis Cluster", "redis.nodes");
    }

    [Fact]
    public async Task Progress_of_another_postgres_should_be_an_error()
    {
        using var place = await Workplace.CreateAsync(servers);
        await servers.Redis.ExecAsync("HSET", $"actorsync:{{{place.Slot}}}:progress", "system", "1234567890");
        (await place.Configure().RunAsync("validate", "--connect")).ShouldSay(ExitCode.ForeignProgress, "1234567890", "another slot name");
    }
}
