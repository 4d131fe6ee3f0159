using Akka.Configuration;
using Sync.Actors.Hosting;
using Sync.Contracts.Cluster.Wire;
using Sync.Contracts.Configuration;

namespace Sync.Actors.Tests.Hosting;

public sealed class ClusterHoconTests
{
    static readonly ClusterOptions options = new()
    {
        Enabled = true,
        Name = "orders",
        Host = "0.0.0.0",
        PublicHost = "node1.internal",
        Port = 7719,
        Roles = ClusterRoles.Writer,
        Seeds = [new(new("node1.internal", 7719), false), new(new("node2.internal", 7719), false)],
    };

    static Config Build(ClusterOptions cluster, TimeSpan? shutdown = null, bool onlyJoins = false) => ConfigurationFactory.ParseString(ClusterHocon.Build(cluster, new ClusterHostSettings
    {
        Seeds = [.. cluster.Seeds.Select(s => s.Address)],
        Slot = "shop",
        OnlyJoins = onlyJoins,
        ShutdownTimeout = shutdown ?? TimeSpan.FromSeconds(30),
    }));

    [Fact]
    public void A_node_should_listen_on_one_address_and_be_known_by_another()
    {
        var tcp = Build(options).GetConfig("akka.remote.dot-netty.tcp");
        tcp.GetString("hostname").ShouldBe("0.0.0.0");
        tcp.GetString("public-hostname").ShouldBe("node1.internal");
        tcp.GetInt("port").ShouldBe(7719);
    }

    [Fact]
    public void Batches_should_fit_into_a_frame() =>
        Build(options).GetByteSize("akka.remote.dot-netty.tcp.maximum-frame-size").ShouldNotBeNull().ShouldBeGreaterThan(2 * LaneFrames.DefaultLimit);

    [Fact]
    public void Plain_nodes_should_use_the_transport_of_Akka() => Build(options).HasPath("akka.remote.enabled-transports").ShouldBeFalse();

    [Fact]
    public void Nodes_with_certificates_should_have_no_other_transport()
    {
        var config = Build(options with { Tls = new TlsOptions { Cert = "c", Key = "k", RootCert = "r" } });
        config.GetStringList("akka.remote.enabled-transports").ShouldBe(["akka.remote.actorsync-tls"]);
        config.GetString("akka.remote.actorsync-tls.transport-class").ShouldStartWith("Sync.Actors.Hosting.Tls.TlsTransport, Sync.Actors");
        config.GetString("akka.remote.actorsync-tls.hostname").ShouldBe("0.0.0.0");
        config.GetStringList("akka.cluster.seed-nodes")[0].ShouldBe("akka.ssl.tcp://orders@node1.internal:7719");
    }

    [Fact]
    public void Seeds_and_roles_should_be_those_of_the_file()
    {
        var cluster = Build(options).GetConfig("akka.cluster");
        cluster.GetStringList("seed-nodes").ShouldBe(["akka.tcp://orders@node1.internal:7719", "akka.tcp://orders@node2.internal:7719"]);
        cluster.GetStringList("roles").ShouldBe(["writer"]);
    }

    [Fact]
    public void The_first_seed_should_begin_no_cluster_where_one_is_at_work()
    {
        // Akka.NET has a node begin a cluster only if it is the first of its own list.
        var cluster = Build(options, onlyJoins: true).GetConfig("akka.cluster");
        cluster.GetStringList("seed-nodes").ShouldBe(["akka.tcp://orders@node2.internal:7719"]);
        cluster.GetTimeSpan("shutdown-after-unsuccessful-join-seed-nodes").ShouldBe(TimeSpan.FromSeconds(20));
    }

    [Fact]
    public void Two_seeds_should_be_decided_by_the_lease()
    {
        var config = Build(options with { Downing = new DowningOptions { StableAfter = TimeSpan.FromSeconds(3), LeaseDuration = TimeSpan.FromSeconds(30) } });
        var resolver = config.GetConfig("akka.cluster.split-brain-resolver");
        resolver.GetString("active-strategy").ShouldBe("lease-majority");
        resolver.GetTimeSpan("stable-after").ShouldBe(TimeSpan.FromSeconds(3));
        resolver.GetString("lease-majority.lease-name").ShouldBe("orders-shop-downing");
        var lease = config.GetConfig(resolver.GetString("lease-majority.lease-implementation"));
        lease.GetTimeSpan("heartbeat-timeout").ShouldBe(TimeSpan.FromSeconds(30));
        lease.GetTimeSpan("heartbeat-interval").ShouldBe(TimeSpan.FromSeconds(3));
        Type.GetType(lease.GetString("lease-class")).ShouldBe(typeof(Sync.Actors.Coordination.PostgresLease));
    }

    /// <summary>While the first node of a part waits for a lease that died with its holder, the others must not take the wait for instability.</summary>
    [Fact]
    public void Waiting_for_the_lease_should_not_count_as_instability() =>
        Build(options).GetTimeSpan("akka.cluster.split-brain-resolver.down-all-when-unstable").ShouldBeGreaterThan(options.Downing.LeaseDuration);

    [Fact]
    public void Three_seeds_should_be_decided_by_majority()
    {
        var resolver = Build(options with { Seeds = [.. options.Seeds, new(new("node3.internal", 7719), false)] }).GetConfig("akka.cluster.split-brain-resolver");
        resolver.GetString("active-strategy").ShouldBe("keep-majority");
        resolver.GetTimeSpan("down-all-when-unstable").ShouldBe(TimeSpan.FromSeconds(4));
    }

    [Theory]
    [InlineData(5)]
    [InlineData(30)]
    [InlineData(120)]
    public void Leaving_should_end_within_the_shutdown_time(int seconds)
    {
        var shutdown = Build(options, TimeSpan.FromSeconds(seconds)).WithFallback(ConfigurationFactory.Default()).GetConfig("akka.coordinated-shutdown");
        var usual = shutdown.GetTimeSpan("default-phase-timeout");
        var phases = shutdown.GetConfig("phases").AsEnumerable().Select(p => p.Key).ToList();
        phases.Count.ShouldBeGreaterThan(10);
        phases.Sum(p => shutdown.GetTimeSpan($"phases.{p}.timeout", usual).TotalSeconds).ShouldBeLessThanOrEqualTo(seconds);
        shutdown.GetBoolean("run-by-clr-shutdown-hook").ShouldBeFalse();
    }

    [Fact]
    public void A_quoted_host_should_stay_a_text() =>
        Build(options with { Host = "a\"b\\c" }).GetString("akka.remote.dot-netty.tcp.hostname").ShouldBe("a\"b\\c");
}
