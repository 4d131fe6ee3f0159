using Akka.Cluster;
using Akka.Hosting;
using Microsoft.Extensions.Hosting;
using Sync.Actors.Hosting;
using Sync.Actors.Tests.Hosting.Tls;
using Sync.Contracts;
using Sync.Contracts.Configuration;

namespace Sync.Actors.Tests.Hosting;

/// <summary>A node of a cluster in this process: an actor system with remoting of its own.</summary>
sealed class TestNode : IAsyncDisposable
{
    readonly IHost host;

    TestNode(IHost host, ActorSystem system)
    {
        this.host = host;
        System = system;
        Cluster = Cluster.Get(system);
        Ended = ClusterEnd.WhenEndedAsync(system);
    }

    public ActorSystem System { get; }
    public Cluster Cluster { get; }

    /// <summary>What the process would end with.</summary>
    public Task<ExitCode> Ended { get; }

    public string Address => $"{Cluster.SelfAddress.Host}:{Cluster.SelfAddress.Port}";

    /// <summary>Options of a node on loopback whose cluster begins with it.</summary>
    public static ClusterOptions Options(int port, string host = "127.0.0.1", string? publicHost = null, DowningStrategy strategy = DowningStrategy.KeepMajority) => new()
    {
        Enabled = true,
        Host = host,
        PublicHost = publicHost,
        Port = port,
        Downing = new DowningOptions { Strategy = strategy },
    };

    public static ClusterHostSettings Settings(params ClusterOptions[] seeds) =>
        new() { Seeds = [.. seeds.Select(s => s.Address)], Slot = "shop", ShutdownTimeout = TimeSpan.FromSeconds(20) };

    public static async Task<TestNode> StartAsync(ClusterOptions options, ClusterHostSettings settings, Action<AkkaConfigurationBuilder>? more = null)
    {
        ActorSystem? system = null;
        var host = new HostBuilder().ConfigureServices(services => services.AddAkka(options.Name, builder =>
        {
            builder.AddActorSyncCluster(options, settings).ConfigureLoggers(loggers =>
            {
                loggers.ClearLoggers();
                loggers.LogLevel = Akka.Event.LogLevel.WarningLevel;
            });
            if (options.Tls is not null && AkkaTls.Wanted) AkkaTls.Use(builder, options);
            more?.Invoke(builder);
            builder.WithActors((started, _) => system = started);
        })).Build();
        await host.StartAsync();
        return new TestNode(host, system!);
    }

    /// <summary>Starts nodes one after the other, the first one as the seed, and waits until each sees all.</summary>
    public static async Task<TestNode[]> StartAllAsync(params (ClusterOptions Options, ClusterHostSettings Settings)[] nodes)
    {
        var started = new List<TestNode>();
        foreach (var (options, settings) in nodes) started.Add(await StartAsync(options, settings));
        foreach (var node in started) await node.UntilAsync(s => s.Members.Count(m => m.Status == MemberStatus.Up) == nodes.Length && s.Unreachable.IsEmpty, 30);
        return [.. started];
    }

    /// <summary>Waits until the node sees the cluster so.</summary>
    public async Task UntilAsync(Func<ClusterEvent.CurrentClusterState, bool> condition, double seconds)
    {
        var limit = Task.Delay(TimeSpan.FromSeconds(seconds));
        while (!condition(Cluster.State))
        {
            if (limit.IsCompleted) throw new TimeoutException($"After {seconds} s {Address} sees {string.Join(", ", Cluster.State.Members)}; unreachable {string.Join(", ", Cluster.State.Unreachable)}.");
            await Task.Delay(20);
        }
    }

    /// <summary>Ends the node as a kill would: its connections break, and nobody hears a word.</summary>
    public void Kill() => ((ExtendedActorSystem)System).Abort();

    public async ValueTask DisposeAsync()
    {
        if (!System.WhenTerminated.IsCompleted) Kill();
        await System.WhenTerminated;
        host.Dispose();
    }
}
