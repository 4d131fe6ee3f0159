using Akka.Actor;
using Akka.Cluster.Hosting;
using Akka.Cluster.Sharding;
using Akka.Configuration;
using Akka.Hosting;
using Sync.Actors.DeadLetters;
using Sync.Actors.Lanes;
using Sync.Actors.Orders;
using Sync.Actors.Ports;
using Sync.Actors.Reading;
using Sync.Actors.Status;
using Sync.Actors.Writing;
using Sync.Contracts.Cluster;
using Sync.Engine.Batching;

namespace Sync.Actors;

/// <summary>Names the shard region of lanes in the registry, or on a node that carries none its proxy.</summary>
public sealed class LaneRegion;

/// <summary>Names the way to lanes that a reader takes: a proxy of the region, which is there still when the lanes of a node that leaves have moved.</summary>
public sealed class LaneProxy;

/// <summary>
/// Registers the actors of ActorSync. A node calls <see cref="AddActorSync"/> first, then <see cref="AddActorSyncWriter"/> and <see cref="AddActorSyncReader"/>
/// for the roles it has.
/// </summary>
public static class ActorSyncActors
{
    /// <summary>The role of nodes that carry lanes.</summary>
    public const string WriterRole = "writer";

    /// <summary>The role of nodes that may hold the slot.</summary>
    public const string ReaderRole = "reader";

    const string configuration = "Sync.Actors.actorsync.hocon";

    /// <summary>What every node has: serializers, settings, and the actors that tell and order.</summary>
    /// <param name="builder">Of the node.</param>
    /// <param name="node">The name of the node, for people.</param>
    /// <param name="status">How it tells about lanes.</param>
    /// <param name="deadLetters">How orders travel.</param>
    public static AkkaConfigurationBuilder AddActorSync(this AkkaConfigurationBuilder builder, string node, StatusOptions status, DeadLetterOrderOptions deadLetters) => builder
        .AddHocon(ReadConfiguration(), HoconAddMode.Append)
        .WithActors((system, registry) =>
        {
            // The proxy is there for longer, on a node that leaves.
            Func<IActorRef?> region = () => registry.TryGet<LaneProxy>(out var proxy) ? proxy : registry.TryGet<LaneRegion>(out var known) ? known : null;
            registry.Register<StatusActor>(system.ActorOf(Props.Create(() => new StatusActor(node, status, region)), StatusActor.Name));
            registry.Register<DeadLetterActor>(system.ActorOf(Props.Create(() => new DeadLetterActor(region, deadLetters)), DeadLetterActor.Name));
        });

    /// <summary>What brings operators' orders to the node that reads; on every node.</summary>
    /// <param name="builder">Of the node.</param>
    /// <param name="desk">Carries them out if this node reads.</param>
    public static AkkaConfigurationBuilder AddActorSyncOrders(this AkkaConfigurationBuilder builder, IReaderDesk desk) => builder
        .WithActors((system, registry) =>
        {
            Func<IEnumerable<ICanTell>> readers = () => Readers(system);
            registry.Register<ReaderOrderActor>(system.ActorOf(Props.Create(() => new ReaderOrderActor(desk, readers, new ReaderOrderOptions())), ReaderOrderActor.Name));
        });

    /// <summary>A node that carries lanes and writes to Redis.</summary>
    /// <param name="builder">Of the node.</param>
    /// <param name="node">The name of the node, for people.</param>
    /// <param name="store">Who owns a lane.</param>
    /// <param name="writers">Makes writers.</param>
    /// <param name="fate">Told of what a user has to mend.</param>
    /// <param name="lanes">How lanes work.</param>
    /// <param name="options">How writers work.</param>
    /// <param name="repeated">Told how many rows came to a lane though Redis has them.</param>
    public static AkkaConfigurationBuilder AddActorSyncWriter(
        this AkkaConfigurationBuilder builder, string node, ILaneStore store, ILaneWriterFactory writers, INodeFate fate, LaneOptions lanes, WriterOptions options,
        Action<int>? repeated = null) => builder
        .WithActors((system, registry) =>
            registry.Register<RedisWriterPool>(system.ActorOf(Props.Create(() => new RedisWriterPool(writers, options, fate, TimeProvider.System)), "actorsync-writers")))
        .WithShardRegion<LaneRegion>(
            LaneExtractor.Region,
            (_, registry) =>
            {
                var context = new LaneContext(
                    store, registry.Get<RedisWriterPool>(), registry.Get<StatusActor>(), new BatchPool(lanes.Lanes / 2), lanes, fate, node, TimeProvider.System)
                {
                    Repeated = repeated ?? (_ => { }),
                };
                return entity => LaneProps(entity, context);
            },
            new LaneExtractor(lanes.Lanes),
            new ShardOptions
            {
                Role = WriterRole,
                StateStoreMode = StateStoreMode.DData,
                RememberEntities = false,
                ShouldPassivateIdleEntities = false,
                HandOffStopMessage = HandOffLane.Instance,
            });

    /// <summary>A node that may hold the slot.</summary>
    /// <param name="builder">Of the node.</param>
    /// <param name="node">The name of the node, for people.</param>
    /// <param name="isWriter">Whether it carries lanes as well.</param>
    /// <param name="sources">Makes the source of each start.</param>
    /// <param name="fate">Told of what a user has to mend.</param>
    /// <param name="options">How the reader works.</param>
    public static AkkaConfigurationBuilder AddActorSyncReader(
        this AkkaConfigurationBuilder builder, string node, bool isWriter, ILaneSourceFactory sources, INodeFate fate, ReaderOptions options)
    {
        builder.WithShardRegionProxy<LaneProxy>(LaneExtractor.Region, WriterRole, new LaneExtractor(options.Lanes));
        if (!isWriter) builder.WithActors((_, registry) => registry.Register<LaneRegion>(registry.Get<LaneProxy>()));
        return builder.WithSingleton<ReplicationReaderActor>(
            "actorsync-reader",
            (system, registry, _) => Props.Create(() => new ReplicationReaderActor(
                sources, registry.Get<LaneProxy>(), options, fate, TimeProvider.System, (self, epoch) => Greet(system, self, new ReaderHello(epoch, node)))),
            new ClusterSingletonOptions { Role = ReaderRole, TerminationMessage = StopReader.Instance });
    }

    /// <summary>A lane as the shard region starts it.</summary>
    static Props LaneProps(string entity, LaneContext context) => Props.Create(() => new LaneActor(LaneExtractor.LaneOf(entity), context));

    static IEnumerable<ICanTell> Readers(ActorSystem system) => Akka.Cluster.Cluster.Get(system).State.Members.Where(member => member.HasRole(ReaderRole))
        .Select(member => system.ActorSelection(new RootActorPath(member.Address) / "user" / ReaderOrderActor.Name));

    static void Greet(ActorSystem system, IActorRef self, ReaderHello hello)
    {
        foreach (var member in Akka.Cluster.Cluster.Get(system).State.Members)
            system.ActorSelection(new RootActorPath(member.Address) / "user" / StatusActor.Name).Tell(hello, self);
    }

    internal static Config ReadConfiguration()
    {
        using var reader = new StreamReader(typeof(ActorSyncActors).Assembly.GetManifestResourceStream(configuration)!);
        return ConfigurationFactory.ParseString(reader.ReadToEnd());
    }
}
