using Akka.Cluster.Hosting;
using Akka.Hosting;
using Akka.Remote.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Sync.Actors.DeadLetters;
using Sync.Actors.Lanes;
using Sync.Actors.Ports;
using Sync.Actors.Reading;
using Sync.Actors.Status;
using Sync.Actors.Tests.Support;
using Sync.Actors.Writing;
using Sync.Contracts;

namespace Sync.Actors.Tests.Hosting;

/// <summary>Nodes as the host puts them together, as a cluster on loopback within this process, over what is Redis and the slot in memory.</summary>
public sealed class ActorSyncActorsTests : INodeFate
{
    const int lanes = 8, rows = 4000;

    readonly FakeRedis redis = new();

    void INodeFate.End(SyncException cause) => throw cause;

    IHost Node(string name, int port, int seedPort, FakeSlot? slot)
    {
        var builder = Host.CreateApplicationBuilder();
        builder.Services.AddAkka("actorsync-test", akka =>
        {
            akka.AddHocon("akka.loglevel = WARNING\nakka.cluster.min-nr-of-members = 2\nakka.cluster.downing-provider-class = \"\"\nakka.cluster.sharding.distributed-data.durable.keys = []", HoconAddMode.Prepend)
                .WithRemoting("127.0.0.1", port)
                .WithClustering(new ClusterOptions
                {
                    Roles = slot is null ? [ActorSyncActors.WriterRole] : [ActorSyncActors.ReaderRole],
                    SeedNodes = [$"akka.tcp://actorsync-test@127.0.0.1:{seedPort}"],
                })
                .AddActorSync(name, new StatusOptions { Lanes = lanes }, new DeadLetterOrderOptions { Lanes = lanes });
            if (slot is null) akka.AddActorSyncWriter(name, redis, redis, this, new LaneOptions { Lanes = lanes }, new WriterOptions());
            else akka.AddActorSyncReader(name, isWriter: false, slot, this, new ReaderOptions { Lanes = lanes });
        });
        return builder.Build();
    }

    [Fact]
    public async Task Rows_should_go_from_a_reader_over_the_wire_to_lanes_on_several_nodes_and_on_when_one_leaves()
    {
        List<(int Lane, string Key)> all = [.. Enumerable.Range(0, rows).Select(n => (n % lanes, $"{n % lanes}:{n % 48}"))];
        var slot = new FakeSlot(all, lanes, 1);
        var half = new TaskCompletionSource();
        Redis(all, half);
        int port = Sync.Testing.Ports.Free();
        using var reader = Node("reader", port, port, slot);
        using var first = Node("first", 0, port, null);
        using var second = Node("second", 0, port, null);
        await Task.WhenAll(reader.StartAsync(), first.StartAsync(), second.StartAsync());
        await half.Task.WaitAsync(TimeSpan.FromSeconds(60));
        // Its lanes drain and move to the other one.
        await second.StopAsync();
        await slot.Done.WaitAsync(TimeSpan.FromSeconds(60));
        foreach (var key in all.Select((row, i) => (row.Key, Number: i + 1)).GroupBy(row => row.Key)) redis.Written(key.Key).ShouldBe(key.Select(row => row.Number), key.Key);
        var status = await reader.Services.GetRequiredService<IRequiredActor<StatusActor>>().ActorRef.Ask<ClusterStatus>(ClusterStatusQuery.Instance, TimeSpan.FromSeconds(20));
        status.Lanes.Select(lane => lane.Lane).ShouldBe(Enumerable.Range(0, lanes));
        status.Lanes.ShouldAllBe(lane => lane.Node == "first");
        status.ReaderNode.ShouldBe("reader");
        await Task.WhenAll(first.StopAsync(), reader.StopAsync());
    }

    /// <summary>Each transaction takes a moment, so that the second node leaves while rows are under way.</summary>
    void Redis(List<(int Lane, string Key)> all, TaskCompletionSource half)
    {
        redis.BeforeWrite = _ => Task.Delay(20);
        redis.AfterWrite = _ =>
        {
            if (redis.WrittenRows > all.Count / 4) half.TrySetResult();
            return Task.CompletedTask;
        };
    }
}
