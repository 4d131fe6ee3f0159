using System.Runtime.InteropServices;
using Sync.Contracts.Configuration;
using Sync.Node.Tests.Commands;
using Sync.Postgres.Connections;
using Sync.Postgres.Slots;

namespace Sync.Node.Tests.Cluster;

/// <summary>A node alone, which knows of the others by what PostgreSQL tells only.</summary>
[Collection(ClusterCommandCollection.Name)]
[Trait("Speed", "Slow")]
public sealed class ClusterPresenceTests(CommandServers servers)
{
    [Fact]
    public async Task A_first_seed_should_begin_no_cluster_while_there_are_members_though_nobody_reads_or_answers()
    {
        using var place = (await Workplace.CreateAsync(servers)).Configure();
        var source = new PostgresConnectionOptions { Hosts = [new("127.0.0.1", servers.Postgres.Port)], Database = place.Database, User = "postgres", Password = new Secret(CommandServers.Password) };
        await using var primary = await new PostgresConnector(source).FindPrimaryAsync();
        var member = await MemberLock.TakeAsync(primary, place.Slot, default);
        using var cluster = NodeCluster.Start(place, 1, 1);
        var node = cluster.Nodes[0];
        await cluster.UntilAsync(node, view => view.Members.Count == 0, "the node should be no member");
        // A first seed waits for the others' answer for 2 s before it begins a cluster by itself.
        await Task.Delay(TimeSpan.FromSeconds(6));
        (await cluster.LookAsync(node)).Members.ShouldBeEmpty();
        await member.DisposeAsync();

        await cluster.UntilAsync(node, view => view.Members is [{ Status: "Up" }], "the node should begin a cluster");
        await Eventually(true, "the node should show that it is a member");
        node.Process.Signal(PosixSignal.SIGTERM);
        (await node.Process.EndAsync()).Code.ShouldBe(0, node.Process.Out);
        await Eventually(false, "the node has left");

        async Task Eventually(bool expected, string expectation)
        {
            for (var deadline = DateTime.UtcNow.AddSeconds(30); await MemberLock.IsAnyAsync(primary, place.Slot, default) != expected; await Task.Delay(100))
                DateTime.UtcNow.ShouldBeLessThan(deadline, expectation);
        }
    }
}
