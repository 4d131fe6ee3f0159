using System.Diagnostics;
using System.Runtime.InteropServices;
using Sync.Node.Tests.Commands;

namespace Sync.Node.Tests.Cluster;

/// <summary>Nodes that do not all have both roles, as processes of their own.</summary>
[Collection(ClusterCommandCollection.Name)]
[Trait("Speed", "Slow")]
public sealed class RolesTests(CommandServers servers)
{
    /// <summary>A node that waits in vain for one that could take over gives up after three tenths of its shutdownTimeout, 24 s here.</summary>
    static readonly TimeSpan prompt = TimeSpan.FromSeconds(20), patience = TimeSpan.FromSeconds(60);

    async Task<Workplace> PlaceAsync()
    {
        await servers.Redis.ExecAsync("FLUSHALL");
        return (await Workplace.CreateAsync(servers, "create table orders (id int primary key, note text)")).Configure(
            "- orders: { commands: [[SET, 'orders:{id}', '{note}'], [INCR, 'n:{id}']] }", more: "http: { port: 0 }\nshutdownTimeout: 80s");
    }

    async Task ArrivesAsync(string value)
    {
        for (var watch = Stopwatch.StartNew(); ; await Task.Delay(20))
        {
            var shown = (object?[])(await servers.Redis.ExecAsync(["MGET", .. Enumerable.Range(1, 100).Select(i => $"orders:{i}")]))!;
            if (shown.All(v => Equals(v, value))) return;
            watch.Elapsed.ShouldBeLessThan(patience, $"all orders should be {value}; they are {string.Join(' ', shown)}");
        }
    }

    static async Task EndsAsync(NodeCluster.Node node)
    {
        var watch = Stopwatch.StartNew();
        node.Process.Signal(PosixSignal.SIGTERM);
        (await node.Process.EndAsync()).Code.ShouldBe(0, node.Process.Out);
        watch.Elapsed.ShouldBeLessThan(prompt, node.Process.Out);
    }

    [Fact]
    public async Task A_reader_without_lanes_should_hand_over_to_another_one_and_the_last_one_end_at_once()
    {
        using var place = await PlaceAsync();
        using var cluster = await NodeCluster.StartAsync(place, 3, "reader", "reader", "writer");
        await cluster.StreamsAsync();
        await place.SqlAsync("insert into orders select i, 'a' from generate_series(1, 100) i");
        await ArrivesAsync("a");
        var writer = cluster.Nodes[2];
        var view = await cluster.UntilAsync(writer, v => v.Reader is not null && v.LanesKnown && v.Members.Single(m => m.Address == writer.Address).Lanes.Count == 32, "the writer should have all lanes");
        view.Reader.ShouldNotBe(writer.Address);
        var first = cluster.Of(view.Reader);
        var second = cluster.Nodes.Single(n => n != first && n != writer);

        await place.SqlAsync("update orders set note = 'b'");
        await EndsAsync(first);
        await ArrivesAsync("b");
        await cluster.UntilAsync(writer, v => v.Reader == second.Address && v.Members.Count == 2, "the other one should read");
        await place.SqlAsync("update orders set note = 'c'");
        await ArrivesAsync("c");
        await EndsAsync(second);
        ((object?[])(await servers.Redis.ExecAsync(["MGET", .. Enumerable.Range(1, 100).Select(i => $"n:{i}")]))!).ShouldAllBe(n => Equals(n, "3"));
    }

    [Fact]
    public async Task The_only_reader_should_hand_its_lanes_over_and_end_at_once()
    {
        using var place = await PlaceAsync();
        using var cluster = await NodeCluster.StartAsync(place, 2, "reader,writer", "writer");
        await cluster.StreamsAsync();
        await place.SqlAsync("insert into orders select i, 'a' from generate_series(1, 100) i");
        await ArrivesAsync("a");
        await place.SqlAsync("update orders set note = 'b'");
        await EndsAsync(cluster.Nodes[0]);
        // What was committed before is there: it was read, and the other node had the lanes.
        await ArrivesAsync("b");
        var view = await cluster.UntilAsync(cluster.Nodes[1], v => v.Members.Count == 1, "one should be left");
        view.Reader.ShouldBeNull();
    }
}
