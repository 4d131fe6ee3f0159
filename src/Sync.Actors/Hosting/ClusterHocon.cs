using System.Globalization;
using Sync.Actors.Coordination;
using Sync.Actors.Hosting.Tls;
using Sync.Contracts.Configuration;

namespace Sync.Actors.Hosting;

/// <summary>
/// All that Akka.NET is told about remoting and the cluster, in the one form that covers every setting. Times are chosen so that changes flow again
/// within 12 s after a node was killed, whatever it did:
/// <list type="bullet">
/// <item>A node counts as unreachable about 3 s after its last heartbeat: two a second, a pause of 2 s that is nobody's fault, and six mean deviations. That alone
/// harms nobody; one that is heard again before it is downed goes on as if nothing had been, so a pause of 4.5 s is survived at the defaults.</item>
/// <item>After <c>downing.stableAfter</c> (2 s) and the resolver's tick (up to 1 s) it is downed, and with the next round of the leader it is no member any more.</item>
/// <item>The singletons and the coordinator of the lanes wait half a second for those of the other side to end. It need not be longer, as Redis refuses the
/// writes of whoever was replaced. Then the lanes are placed anew, which takes a second or two.</item>
/// </list>
/// </summary>
static class ClusterHocon
{
    /// <summary>Messages are below 1 MiB (<see cref="Contracts.Cluster.Wire.LaneFrames"/>), except for one row that is larger by itself.</summary>
    public const int MaxFrameBytes = 64 * 1024 * 1024;

    /// <summary>Where the lease's settings stand.</summary>
    public const string LeasePath = "actorsync.lease";

    /// <summary>The lease of a cluster's downing.</summary>
    public static string LeaseName(ClusterOptions options, string slot) => $"{options.Name}-{slot}-downing";

    /// <summary>The form of a node's address in the cluster.</summary>
    public static string Address(ClusterOptions options, HostPort node) => $"{(options.Tls is null ? "akka.tcp" : "akka.ssl.tcp")}://{options.Name}@{node}";

    /// <param name="options">The <c>cluster</c> section.</param>
    /// <param name="settings">The rest.</param>
    public static string Build(ClusterOptions options, ClusterHostSettings settings) =>
        $$"""
        akka.actor.provider = cluster
        {{Remote(options)}}
        {{Cluster(options, settings)}}
        {{Downing(options, settings)}}
        {{Tools(settings.ShutdownTimeout)}}
        {{Shutdown(settings.ShutdownTimeout)}}
        """;

    // A gate keeps a node that was started again out for as long; what hammering it would cost is one refused connection a second.
    static string Remote(ClusterOptions options) =>
        $$"""
        akka.remote {
          retry-gate-closed-for = 1 s
          handshake-timeout = 5 s
          log-remote-lifecycle-events = off
          {{(options.Tls is null ? "" : $"enabled-transports = [\"{TlsTransport.ConfigPath}\"]")}}
        }
        {{(options.Tls is null ? "akka.remote.dot-netty.tcp" : TlsTransport.ConfigPath)}} {
          {{(options.Tls is null ? "" : $"transport-class = \"{typeof(TlsTransport).AssemblyQualifiedName}\"\n  applied-adapters = []")}}
          hostname = {{Text(options.Host)}}
          public-hostname = {{Text(options.Address.Host)}}
          port = {{options.Port}}
          connection-timeout = 5 s
          maximum-frame-size = {{MaxFrameBytes}}b
          send-buffer-size = 0b
          receive-buffer-size = 0b
        }
        """;

    static string Cluster(ClusterOptions options, ClusterHostSettings settings) =>
        $$"""
        akka.cluster {
          seed-nodes = [{{string.Join(", ", Seeds(options, settings).Select(s => Text(Address(options, s))))}}]
          shutdown-after-unsuccessful-join-seed-nodes = {{(settings.OnlyJoins ? "20 s" : "off")}}
          roles = [{{string.Join(", ", RoleNames(options.Roles))}}]
          min-nr-of-members = 1
          seed-node-timeout = 2 s
          retry-unsuccessful-join-after = 2 s
          allow-weakly-up-members = off
          run-coordinated-shutdown-when-down = on
          gossip-interval = 300 ms
          leader-actions-interval = 300 ms
          unreachable-nodes-reaper-interval = 300 ms
          periodic-tasks-initial-delay = 300 ms
          failure-detector {
            heartbeat-interval = 500 ms
            threshold = 8.0
            min-std-deviation = 100 ms
            acceptable-heartbeat-pause = 2 s
          }
        }
        """;

    // Only a node that is the first of its own list begins a cluster.
    static IEnumerable<HostPort> Seeds(ClusterOptions options, ClusterHostSettings settings) => settings.OnlyJoins ? settings.Seeds.Where(s => s != options.Address) : settings.Seeds;

    // With a lease all nodes of a part wait for what their first one hears, which takes as long as a lease that died with its holder.
    static string Downing(ClusterOptions options, ClusterHostSettings settings)
    {
        bool lease = options.EffectiveDowning == DowningStrategy.LeaseMajority;
        var unstable = TimeSpan.FromSeconds(4);
        if (lease) unstable += options.Downing.LeaseDuration;
        // Of two nodes neither is the larger part, so whoever comes first may have it.
        var minorityDelay = TimeSpan.FromMilliseconds(settings.Seeds.Count <= 2 ? 200 : 1000);
        return $$"""
            akka.cluster.downing-provider-class = "Akka.Cluster.SBR.SplitBrainResolverProvider, Akka.Cluster"
            akka.cluster.down-removal-margin = 500 ms
            akka.cluster.split-brain-resolver {
              active-strategy = {{(lease ? "lease-majority" : "keep-majority")}}
              stable-after = {{Time(options.Downing.StableAfter)}}
              down-all-when-unstable = {{Time(unstable)}}
              lease-majority {
                lease-implementation = "{{LeasePath}}"
                lease-name = {{Text(LeaseName(options, settings.Slot))}}
                acquire-lease-delay-for-minority = {{Time(minorityDelay)}}
                release-after = {{Time(options.Downing.LeaseDuration / 2)}}
              }
            }
            {{LeasePath}} {
              lease-class = "{{typeof(PostgresLease).AssemblyQualifiedName}}"
              heartbeat-timeout = {{Time(options.Downing.LeaseDuration)}}
              heartbeat-interval = {{Time(options.Downing.LeaseDuration / 10)}}
              lease-operation-timeout = {{Time(options.Downing.LeaseDuration / 5)}}
            }
            """;
    }

    // How fast singletons and lanes find a new place; what lanes are like stands with them, in actorsync.hocon. The coordinator's state is kept by a majority of
    // nodes: more than that, as is the default, would have it wait for nodes that are about to leave or dead already. What a majority may miss when several nodes
    // die at once is a lane with two owners, whom Redis tells apart. That state has no deltas to send.
    static string Tools(TimeSpan shutdownTimeout) =>
        $$"""
        {{ReplicatorMailbox.DispatcherPath}} {
          type = Dispatcher
          throughput = 30
          mailbox-type = "{{typeof(ReplicatorMailbox).AssemblyQualifiedName}}"
        }
        akka.cluster.singleton {
          hand-over-retry-interval = 200 ms
          min-number-of-hand-over-retries = {{Math.Max(15, (int)(shutdownTimeout.TotalMilliseconds / 200))}}
        }
        akka.cluster.singleton-proxy.singleton-identification-interval = 300 ms
        akka.cluster.sharding {
          retry-interval = 500 ms
          shard-start-timeout = 5 s
          shard-failure-backoff = 1 s
          entity-restart-backoff = 1 s
          coordinator-failure-backoff = 1 s
          waiting-for-state-timeout = 1 s
          updating-state-timeout = 2 s
          coordinator-state {
            write-majority-plus = 0
            read-majority-plus = 0
          }
          distributed-data {
            majority-min-cap = 2
            delta-crdt.enabled = off
            use-dispatcher = "{{ReplicatorMailbox.DispatcherPath}}"
            durable.keys = []
            gossip-interval = 500 ms
            notify-subscribers-interval = 100 ms
          }
        }
        """;

    // The phases one after the other stay below the whole time. In the longest of them, ahead of Akka's own, the host moves lanes and reader away; what it did not get done is left to the others.
    // A region gives its lanes up by itself one second before the end of its phase, whoever asked it to go.
    static string Shutdown(TimeSpan whole) =>
        $$"""
        akka.coordinated-shutdown {
          run-by-clr-shutdown-hook = off
          exit-clr = off
          default-phase-timeout = {{Time(whole * 0.01)}}
          phases {
            before-cluster-shutdown.timeout = {{Time(whole * 0.30)}}
            cluster-sharding-shutdown-region.timeout = {{Time(whole * 0.30)}}
            cluster-leave.timeout = {{Time(whole * 0.05)}}
            cluster-exiting.timeout = {{Time(whole * 0.10)}}
            cluster-exiting-done.timeout = {{Time(whole * 0.05)}}
            actor-system-terminate.timeout = {{Time(whole * 0.10)}}
          }
        }
        """;

    /// <summary>The names of roles in the cluster.</summary>
    public static IEnumerable<string> RoleNames(ClusterRoles roles)
    {
        if (roles.HasFlag(ClusterRoles.Reader)) yield return ActorSyncActors.ReaderRole;
        if (roles.HasFlag(ClusterRoles.Writer)) yield return ActorSyncActors.WriterRole;
    }

    static string Time(TimeSpan time) => string.Create(CultureInfo.InvariantCulture, $"{(long)time.TotalMilliseconds} ms");

    static string Text(string value) => $"\"{value.Replace("\\", "\\\\").Replace("\"", "\\\"")}\"";
}
