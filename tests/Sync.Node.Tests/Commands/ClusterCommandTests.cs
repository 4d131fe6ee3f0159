using Sync.Contracts;
using Sync.Testing;

namespace Sync.Node.Tests.Commands;

/// <summary>What a user of a Redis Cluster is told.</summary>
[Collection(CommandCollection.Name)]
[Trait("Speed", "Slow")]
public sealed class ClusterCommandTests(CommandServers servers)
{
    const string Tables = """
        - orders: { commands: [[SET, 'o:{id}', '{note}'], [SADD, all, '{id}']] }
        - items: { commands: [[SET, 'i:{{{id}}}', '{note}'], [SET, 'i:{{{id}}}:copy', '{note}']] }
        """;

    [Fact]
    public async Task Validate_should_say_what_is_promised_for_each_table_and_verify_should_compare()
    {
        using var cluster = await ClusterServers.StartAsync();
        using var place = await OpenAsync(cluster.Nodes);
        var ended = await place.RunAsync("validate", "--connect");
        ended.Code.ShouldBe(0, ended.Error);
        ended.Out.ShouldContain("Cluster of 127.0.0.1:");
        ended.Out.ShouldContain("note: public.orders: the keys of a row are in different hash slots");
        ended.Out.ShouldContain("note: public.items: the commands of a row as one transaction\n");
        ended.Out.ShouldContain("warning: rewindWindow is 5 s, but a master that is cut off");
        using (var node = place.Start("run"))
        {
            await node.SaysAsync("streaming slot");
            await place.SqlAsync("insert into orders values (1, 'one'), (2, 'two'); insert into items values (1, 'x')");
            var verified = await place.RunAsync("verify");
            verified.Code.ShouldBe(0, verified.Out + verified.Error);
        }
        (await place.RunAsync("dlq", "list")).Code.ShouldBe(0);
        (await place.RunAsync("dlq", "retry")).ShouldSay(ExitCode.CheckFailed, "dead letters of a Redis Cluster are retried and dropped by the running node");
    }

    [Fact]
    public async Task Nodes_that_are_none_should_be_named()
    {
        using var place = await OpenAsync($"127.0.0.1:{servers.Redis.Port}");
        (await place.RunAsync("run")).ShouldSay(ExitCode.RedisUnsuitable, "is no node of a Redis Cluster");
        using var gone = await OpenAsync($"127.0.0.1:{Ports.Free()}");
        (await gone.RunAsync("run")).ShouldSay(ExitCode.RedisUnreachable, "No node of the Redis Cluster tells who serves what", "can't be reached");
    }

    async Task<Workplace> OpenAsync(string nodes)
    {
        var place = await Workplace.CreateAsync(servers, "create table orders (id int primary key, note text); create table items (id int primary key, note text)");
        place.Configure(Tables);
        string file = place.Folder.File("config.yaml");
        File.WriteAllText(file, System.Text.RegularExpressions.Regex.Replace(File.ReadAllText(file), @"redis:\n.*\n", $"redis:\n  nodes: '{nodes}'\n"));
        return place;
    }
}
