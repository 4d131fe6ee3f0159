using Akka.Actor;
using Akka.Cluster.Hosting;
using Akka.Hosting;
using Akka.Pattern;
using Akka.Persistence.Sql.Hosting;
using LinqToDB;
using Sync.Actors.Serialization;
using Sync.Contracts.Cluster;

namespace Sync.Actors.Control;

/// <summary>What the control actor needs.</summary>
public sealed record ControlSettings
{
    /// <summary>Of the slot.</summary>
    public required string Slot { get; init; }

    /// <summary>The source, for Npgsql. It stays out of the configuration of the actor system, where a password could be seen.</summary>
    public required string ConnectionString { get; init; }

    /// <summary>Where the journal is; has to exist. Default actorsync.</summary>
    public string Schema { get; init; } = "actorsync";

    /// <summary>Does the work.</summary>
    public required Func<ActorSystem, IActorRegistry, IControlExecutor> Executor { get; init; }

    /// <summary>How long the actor stays away after its journal could not be reached; doubled each time, up to thirty times as long. Over 0; default 1 s.</summary>
    public TimeSpan MinBackoff { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>How long the actor waits for a first message before it reads its journal unasked, above 0. Default 5 s.</summary>
    public TimeSpan Leisure { get; init; } = TimeSpan.FromSeconds(5);
}

/// <summary>Key of the control actor's proxy in the actor registry.</summary>
public sealed class ControlKey;

/// <summary>Puts the control actor into the cluster.</summary>
public static class ControlHosting
{
    /// <summary>The name of the singleton.</summary>
    public const string SingletonName = "control";

    /// <summary>The singleton, its proxy under <see cref="ControlKey"/>, its journal, and the form of its events; and what has this node leave when it says so.</summary>
    public static AkkaConfigurationBuilder AddActorSyncControl(this AkkaConfigurationBuilder builder, ControlSettings settings) => builder
        .AddActorSyncJournal(settings.ConnectionString, settings.Schema)
        .WithActors((system, registry) => registry.Register<LeavingActor>(system.ActorOf(Akka.Actor.Props.Create(() => new LeavingActor()), LeavingActor.Name)))
        .WithSingleton<ControlKey>(SingletonName, (system, registry, _) => Props(settings, system, registry));

    /// <summary>The journal and the snapshots, in tables that Akka.Persistence.Sql makes, and the form of what goes into them.</summary>
    internal static AkkaConfigurationBuilder AddActorSyncJournal(this AkkaConfigurationBuilder builder, string connectionString, string schema) => builder
        .WithSqlPersistence(new DataOptions().UseConnectionString(ProviderName.PostgreSQL15, connectionString), schemaName: schema)
        .WithCustomSerializer("actorsync", [typeof(IClusterMessage)], system => new ClusterSerializer(system));

    // A persistent actor ends when its journal fails, and the singleton's manager does not start it again.
    internal static Props Props(ControlSettings settings, ActorSystem system, IActorRegistry registry)
    {
        var executor = settings.Executor(system, registry);
        var actor = Akka.Actor.Props.Create(() => new ControlActor(settings.Slot, executor, TimeProvider.System));
        var supervised = BackoffSupervisor.Props(Backoff.OnStop(actor, "actor", settings.MinBackoff, settings.MinBackoff * 30, randomFactor: 0.2, maxNrOfRetries: -1));
        return Akka.Actor.Props.Create(() => new LateActor(supervised, settings.Leisure));
    }
}
