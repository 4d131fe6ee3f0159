using Akka.Actor;
using Akka.Hosting;
using Sync.Actors;
using Sync.Actors.Control;
using Sync.Actors.DeadLetters;
using Sync.Actors.Hosting;
using Sync.Actors.Inspection;
using Sync.Actors.Lanes;
using Sync.Actors.Orders;
using Sync.Actors.Ports;
using Sync.Actors.Reading;
using Sync.Actors.Status;
using Sync.Actors.Writing;
using Sync.Contracts;
using Sync.Contracts.Configuration;
using Sync.Engine.Lanes;
using Sync.Node.Hosting;
using Sync.Postgres.Connections;
using Sync.Postgres.Leases;

namespace Sync.Node.Cluster;

/// <summary>The actor system of a node, started: a member of the cluster with the actors of its roles.</summary>
sealed class ClusterSystem : IAsyncDisposable
{
    readonly IHost host;
    readonly ActorRegistry registry;

    ClusterSystem(IHost host, SyncConfig config, ClusterHostSettings settings)
    {
        this.host = host;
        System = host.Services.GetRequiredService<ActorSystem>();
        registry = ActorRegistry.For(System);
        Inspector = new ClusterInspector(Akka.Cluster.Cluster.Get(System), Region, config.Cluster, settings);
        Lanes = config.Cluster.Roles.HasFlag(ClusterRoles.Writer) ? Region() : null;
        Ended = ClusterEnd.WhenEndedAsync(System);
    }

    public ActorSystem System { get; }
    public ClusterInspector Inspector { get; }

    /// <summary>The end of the system, whoever ended it.</summary>
    public Task<ExitCode> Ended { get; }

    /// <summary>Whether this node is a full member.</summary>
    public bool IsUp => Akka.Cluster.Cluster.Get(System).SelfMember.Status == Akka.Cluster.MemberStatus.Up;

    /// <summary>Tells about lanes.</summary>
    public IActorRef Status => registry.Get<StatusActor>();

    /// <summary>Keeps and carries out what operators ask for, wherever in the cluster it runs.</summary>
    public IActorRef Control => registry.Get<ControlKey>();

    /// <summary>What this node knows of the members.</summary>
    /// <param name="lanesHere">Lanes that this node carries.</param>
    /// <param name="isReader">Whether it reads the slot.</param>
    public ClusterCounts Count(int lanesHere, bool isReader)
    {
        var state = Akka.Cluster.Cluster.Get(System).State;
        return new ClusterCounts(state.Members.Count(m => m.Status == Akka.Cluster.MemberStatus.Up), state.Unreachable.Count, lanesHere, isReader);
    }

    /// <summary>The region of this node's lanes; null when it carries none.</summary>
    public IActorRef? Lanes { get; }

    /// <summary>Brings orders to the node that reads.</summary>
    public IActorRef Orders => registry.Get<ReaderOrderActor>();

    /// <summary>The reader's way to lanes; null when this node does not read.</summary>
    public IActorRef? Proxy => registry.TryGet<LaneProxy>(out var proxy) ? proxy : null;

    IActorRef? Region() => registry.TryGet<LaneRegion>(out var region) ? region : null;

    public static async Task<ClusterSystem> StartAsync(
        SyncConfig config, ClusterHostSettings settings, NodeLanes lanes, ILaneSourceFactory sources, IReaderDesk desk, INodeFate fate, IPetabridgeText text, ILogger logger,
        int major, CancellationToken cancellationToken)
    {
        string journal = await new PostgresConnector(config.Postgres.Conn).ConnectionStringAsync(major, cancellationToken);
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.Services.Configure<Microsoft.Extensions.Hosting.HostOptions>(o => o.ShutdownTimeout = 2 * config.ShutdownTimeout);
        builder.Services.AddSingleton<ILoggerFactory>(new OneLoggerFactory(logger));
        builder.Services.AddSingleton<IHostLifetime, NoLifetime>();
        var petabridge = PetabridgeLoader.Load(config.Petabridge, logger);
        builder.Services.AddAkka(config.Cluster.Name, akka =>
        {
            Add(akka, config, journal, settings, lanes, sources, desk, fate);
            petabridge?.AddTo(akka, config.Petabridge, text);
        });
        var host = builder.Build();
        try
        {
            await host.StartAsync(cancellationToken);
            return new ClusterSystem(host, config, settings);
        }
        catch
        {
            host.Dispose();
            throw;
        }
    }

    static void Add(
        AkkaConfigurationBuilder akka, SyncConfig config, string journal, ClusterHostSettings settings, NodeLanes lanes, ILaneSourceFactory sources, IReaderDesk desk, INodeFate fate)
    {
        int count = config.Cluster.Lanes;
        string node = config.Cluster.Address.ToString();
        akka.ConfigureLoggers(log =>
        {
            log.ClearLoggers();
            log.LogLevel = config.Debug ? Akka.Event.LogLevel.InfoLevel : Akka.Event.LogLevel.WarningLevel;
            log.AddLoggerFactory();
        });
        akka.AddActorSyncCluster(config.Cluster, settings);
        akka.AddActorSync(node, new StatusOptions { Lanes = count }, new DeadLetterOrderOptions { Lanes = count });
        akka.AddActorSyncOrders(desk);
        akka.AddActorSyncControl(new ControlSettings
        {
            Slot = config.Postgres.Repl.Slot,
            ConnectionString = journal,
            Schema = ClusterSchema.Name,
            Executor = (system, registry) => new ControlExecutor(Akka.Cluster.Cluster.Get(system), () => registry.Get<DeadLetterActor>(), new Dictionary<string, ControlVerb>()),
        });
        long waiting = (long)config.FlushBufferSize * config.FlushQueueDepth;
        bool isWriter = config.Cluster.Roles.HasFlag(ClusterRoles.Writer);
        if (isWriter)
            akka.AddActorSyncWriter(
                node, lanes.Store, lanes.Writers, fate,
                AtMost(waiting, new LaneOptions { Lanes = count, Takeover = config.RetryPolicy, Drain = config.ShutdownTimeout / 3 }),
                AtMost(waiting, new WriterOptions { Writers = config.FlushWorkers, Restart = config.RetryPolicy }), lanes.Repeated);
        if (config.Cluster.Roles.HasFlag(ClusterRoles.Reader))
            akka.AddActorSyncReader(
                node, isWriter, sources, fate,
                new ReaderOptions { Lanes = count, Sender = LaneSenderOptions.Default, Shutdown = config.ShutdownTimeout, Restart = config.RetryPolicy });
    }

    /// <summary>A transaction has no more rows than may wait for a writer, as with a single host.</summary>
    static LaneOptions AtMost(long rows, LaneOptions lanes) => lanes with { Flight = lanes.Flight with { Rows = (int)Math.Min(rows, lanes.Flight.Rows) } };

    static WriterOptions AtMost(long rows, WriterOptions writers) => writers with { Rows = (int)Math.Min(rows, writers.Rows) };

    /// <summary>Leaves the cluster, its lanes drained and the reader handed over, as far as there is time for that.</summary>
    public Task StopAsync() => host.StopAsync(CancellationToken.None);

    /// <summary>Takes this node out; nothing of it is handed over.</summary>
    public void Down()
    {
        var membership = Akka.Cluster.Cluster.Get(System);
        membership.Down(membership.SelfAddress);
    }

    /// <summary>Ends the whole cluster: its nodes end as ones that are downed, and join the other one when they are started again.</summary>
    public async Task DissolveAsync()
    {
        var membership = Akka.Cluster.Cluster.Get(System);
        foreach (var member in membership.State.Members)
            if (member.UniqueAddress != membership.SelfUniqueAddress) membership.Down(member.Address);
        // Some rounds of gossip, so that they hear of it.
        await Task.Delay(TimeSpan.FromSeconds(1));
        Down();
    }

    public async ValueTask DisposeAsync()
    {
        if (host is IAsyncDisposable disposable) await disposable.DisposeAsync();
        else host.Dispose();
    }

    /// <summary>Signals are ours: they end the node, which ends the system.</summary>
    sealed class NoLifetime : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }

    /// <summary>One log for all, but for what the host below says of itself.</summary>
    sealed class OneLoggerFactory(ILogger logger) : ILoggerFactory
    {
        public ILogger CreateLogger(string categoryName) =>
            categoryName.StartsWith("Microsoft.", StringComparison.Ordinal) ? Microsoft.Extensions.Logging.Abstractions.NullLogger.Instance : logger;

        public void AddProvider(ILoggerProvider provider) { }

        public void Dispose() { }
    }
}
