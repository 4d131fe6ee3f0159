using Sync.Contracts.Configuration;

namespace Sync.Contracts.Tests.Configuration;

public class ClusterConfigTests
{
    const string Loopback = "enabled: true, seeds: '127.0.0.1:7719'";

    static ClusterOptions Cluster(string body, params (string, string)[] environment) => Load(body, environment).Cluster;

    static SyncConfig Load(string body, params (string, string)[] environment) =>
        Given.Config($"{Given.Head}cluster: {{{body}}}\n{Given.Table}", environment);

    /// <summary>The section's text begins in column 11 of line 7.</summary>
    static string Errors(string body, params (string, string)[] environment) =>
        Given.Errors($"{Given.Head}cluster: {{{body}}}\n{Given.Table}", environment);

    static IEnumerable<string> Warnings(string body, string more = "") =>
        Given.Try($"{Given.Head}cluster: {{{body}}}\n{more}{Given.Table}").Warnings.Select(w => w.ToString());

    [Fact]
    public void File_should_set_every_option()
    {
        var config = Given.Config(Given.Head + """
            cluster:
              enabled: true
              name: shop-1
              host: 0.0.0.0
              port: 8000
              publicHost: node2.internal
              seeds: [node1.internal, "node2.internal:8001", "[fd00::1]:8002"]
              roles: [writer]
              lanes: 64
              tls: {cert: c.pem, key: /abs/k.pem, rootCert: ../root.pem}
              downing: {strategy: keep-majority, stableAfter: 3, leaseDuration: 1m}
            petabridge: {enabled: false, host: 127.0.0.2, port: 9111}

            """ + Given.Table);
        var cluster = config.Cluster;
        (cluster.Enabled, cluster.Name, cluster.Host, cluster.Port, cluster.PublicHost, cluster.Lanes, cluster.Roles)
            .ShouldBe((true, "shop-1", "0.0.0.0", 8000, "node2.internal", 64, ClusterRoles.Writer));
        cluster.Seeds.Select(s => s.ToString()).ShouldBe(["node1.internal:8000", "node2.internal:8001", "[fd00::1]:8002"]);
        cluster.Address.ToString().ShouldBe("node2.internal:8000");
        cluster.Tls.ShouldBe(new TlsOptions { Cert = "/work/c.pem", Key = "/abs/k.pem", RootCert = "/root.pem" });
        cluster.Downing.ShouldBe(new DowningOptions
        {
            Strategy = DowningStrategy.KeepMajority,
            StableAfter = TimeSpan.FromSeconds(3),
            LeaseDuration = TimeSpan.FromMinutes(1),
        });
        config.Petabridge.ShouldBe(new PetabridgeOptions { Enabled = false, Host = "127.0.0.2", Port = 9111 });
    }

    [Fact]
    public void Example_of_the_documentation_should_load_without_a_warning()
    {
        string block = File.ReadAllText(Given.RepositoryFile("docs/cluster.md")).Split("```yaml\n")[1].Split("```")[0];
        var result = Given.Try(Given.Head + block + Given.Table);
        result.Errors.Concat(result.Warnings).ShouldBeEmpty();
    }

    [Fact]
    public void Configuration_without_the_section_should_be_a_single_node()
    {
        var config = Given.Config(Given.Head + Given.Table);
        config.Cluster.ShouldBe(new ClusterOptions { Seeds = config.Cluster.Seeds });
        (config.Cluster.Enabled, config.Cluster.Lanes, config.Cluster.Seeds.Count, config.Cluster.Tls).ShouldBe((false, 256, 0, null));
    }

    [Fact]
    public void Section_that_is_not_enabled_should_be_free_to_be_unfinished() =>
        Load("host: 0.0.0.0, downing: {leaseDuration: 1s}").Cluster.Enabled.ShouldBeFalse();

    [Theory]
    [InlineData("seeds: 'a, b:7000'", "a:7719 b:7000")]
    [InlineData("port: 7000, seeds: [a]", "a:7000")]
    [InlineData("seeds: 'dns:nodes.shop.svc'", "dns:nodes.shop.svc:7719")]
    [InlineData("seeds: ['dns:nodes.shop.svc:7000', 127.0.0.1]", "dns:nodes.shop.svc:7000 127.0.0.1:7719")]
    public void Seeds_should_read_as_list_or_text(string body, string expected) => string.Join(' ', Cluster(body).Seeds).ShouldBe(expected);

    [Fact]
    public void Environment_should_set_every_kind_of_key()
    {
        var config = Load(
            "tls: none",
            ("ACTORSYNC_CLUSTER_ENABLED", "true"), ("ACTORSYNC_CLUSTER_HOST", "0.0.0.0"), ("ACTORSYNC_CLUSTER_PUBLIC_HOST", "10.0.0.3"),
            ("ACTORSYNC_CLUSTER_SEEDS", "dns:nodes,10.0.0.1:7000"), ("ACTORSYNC_CLUSTER_ROLES_0", "reader"), ("ACTORSYNC_CLUSTER_DOWNING_STABLEAFTER", "1500ms"),
            ("ACTORSYNC_CLUSTER_TLS_CERT", "c"), ("ACTORSYNC_CLUSTER_TLS_KEY", "k"), ("ACTORSYNC_CLUSTER_TLS_ROOTCERT", "r"), ("ACTORSYNC_PETABRIDGE_PORT", "9200"));
        config.Cluster.Seeds.Select(s => s.ToString()).ShouldBe(["dns:nodes:7719", "10.0.0.1:7000"]);
        (config.Cluster.PublicHost, config.Cluster.Roles, config.Cluster.Downing.StableAfter, config.Petabridge.Port)
            .ShouldBe(("10.0.0.3", ClusterRoles.Reader, TimeSpan.FromMilliseconds(1500), 9200));
        config.Cluster.Tls.ShouldBe(new TlsOptions { Cert = "/work/c", Key = "/work/k", RootCert = "/work/r" });
    }

    [Theory]
    [InlineData("a,b,c", "auto", DowningStrategy.KeepMajority)]
    [InlineData("a,b", "auto", DowningStrategy.LeaseMajority)]
    [InlineData("dns:nodes", "auto", DowningStrategy.LeaseMajority)]
    [InlineData("a,b,c", "lease-majority", DowningStrategy.LeaseMajority)]
    [InlineData("dns:nodes", "keep-majority", DowningStrategy.KeepMajority)]
    public void Strategy_should_follow_from_what_is_the_same_on_every_node(string seeds, string strategy, DowningStrategy expected) =>
        Cluster($"seeds: '{seeds}', downing: {{strategy: {strategy}}}").EffectiveDowning.ShouldBe(expected);

    [Theory]
    [InlineData("host: 127.0.0.1")]
    [InlineData("host: localhost")]
    [InlineData("host: '::1'")]
    [InlineData("host: '[::1]'")]
    [InlineData("host: 127.8.0.1")]
    [InlineData("host: 10.0.0.1, tls: none")]
    [InlineData("host: 10.0.0.1, tls: {cert: c, key: k, rootCert: r}")]
    public void Plain_connections_should_be_for_loopback_or_asked_for_by_name(string body) => Cluster($"{Loopback}, {body}").Enabled.ShouldBeTrue();

    [Theory]
    [InlineData("lanes: 0", "7:18: 'cluster.lanes' must be a whole number from 1 to 4096, not '0'")]
    [InlineData("lanes: 4097", "7:18: 'cluster.lanes' must be a whole number from 1 to 4096, not '4097'")]
    [InlineData("port: 0", "7:17: 'cluster.port' must be a whole number from 1 to 65535, not '0'")]
    [InlineData("lane: 3", "7:11: unknown key 'lane' in 'cluster' (did you mean 'lanes'?)")]
    [InlineData("name: my cluster", "7:17: 'cluster.name' must be letters, digits and hyphens, not beginning with a hyphen, up to 63, not 'my cluster'")]
    [InlineData("name: -x", "7:17: 'cluster.name' must be letters, digits and hyphens, not beginning with a hyphen, up to 63, not '-x'")]
    [InlineData("host: 'a b'", "7:17: 'cluster.host' must be a host name or an IP address, not 'a b'")]
    [InlineData("host: '*'", "7:17: 'cluster.host' must be a host name or an IP address, not '*'")]
    [InlineData("publicHost: 'node1:7719'", "7:23: 'cluster.publicHost' must be a host name or an IP address without a port, not 'node1:7719': the port belongs in 'cluster.port'")]
    [InlineData("seeds: 'a:b'", "7:18: 'cluster.seeds' must be host, host:port, an IPv6 address or [IPv6 address]:port, not 'a:b': 'b' is no port from 1 to 65535")]
    [InlineData("seeds: 'dns:10.0.0.1'", "7:18: 'cluster.seeds' must hold a name behind 'dns:', not '10.0.0.1'")]
    [InlineData("seeds: 'a,a:7719'", "7:18: 'cluster.seeds' names a:7719 twice")]
    [InlineData("roles: [redaer]", "7:19: 'cluster.roles' must hold reader, writer or both, not 'redaer' (did you mean 'reader'?)")]
    [InlineData("roles: []", "7:18: 'cluster.roles' must hold reader, writer or both, not an empty list")]
    [InlineData("tls: true", "7:16: 'cluster.tls' must be a map of files, or none, not 'true'")]
    [InlineData("tls: [none]", "7:16: 'cluster.tls' must be a map of files, or none, not a list")]
    [InlineData("tls: {cert: c, key: k}", "7:16: 'cluster.tls' must name 'cert', 'key' and 'rootCert': nodes know each other by certificates")]
    [InlineData("downing: {strategy: static-quorum}", "7:31: 'cluster.downing.strategy' must be auto, keep-majority or lease-majority, not 'static-quorum'")]
    [InlineData("downing: {stableAfter: 0}", "7:34: 'cluster.downing.stableAfter' must be a duration such as 500ms, 2s, 1m30s or 1h over 0s and up to 24h, not '0'")]
    public void Mistake_should_be_named_with_its_position(string body, string expected) => Errors(body).ShouldBe("config.yaml:" + expected);

    [Theory]
    [InlineData("enabled: true", "7:10: 'cluster.seeds' is required (variable ACTORSYNC_CLUSTER_SEEDS)")]
    [InlineData("enabled: true, seeds: a, host: 10.0.0.1", "7:42: 'cluster.tls' is required because other machines reach 'cluster.host' (10.0.0.1): name cert, key and rootCert, or say none for plain connections")]
    [InlineData("enabled: true, seeds: a, host: 0.0.0.0, tls: none", "7:42: 'cluster.publicHost' is required because 'cluster.host' is 0.0.0.0: name what the other nodes reach this one by (variable ACTORSYNC_CLUSTER_PUBLICHOST)")]
    [InlineData("enabled: true, seeds: a, host: '::', publicHost: '::', tls: none", "7:60: 'cluster.publicHost' must be a name or address that the other nodes reach, not ::")]
    [InlineData("enabled: true, seeds: 'dns:a', publicHost: n1, host: 0.0.0.0, tls: none", "7:54: 'cluster.publicHost' must be this node's IP address, not n1, because a dns: seed is found by address")]
    [InlineData(Loopback + ", downing: {leaseDuration: 2s}", "7:76: 'cluster.downing.leaseDuration' (2s) must be longer than 'stableAfter' (2s): the lease must outlast the decision it stands for")]
    public void Settings_that_do_not_go_together_should_be_named(string body, string expected) => Errors(body).ShouldBe("config.yaml:" + expected);

    [Fact]
    public void Wildcard_should_be_no_reason_to_name_the_mistake_of_an_address_twice() =>
        Errors("enabled: true, seeds: 'dns:a', host: 0.0.0.0, tls: none").ShouldNotContain("\n");

    [Fact]
    public void Redis_Cluster_should_be_refused() =>
        Given.Errors($"postgres: {{repl: {{pub: p, slot: s}}}}\nredis: {{nodes: a}}\ncluster: {{{Loopback}}}\n{Given.Table}").ShouldBe(
            "config.yaml:2:16: 'redis.nodes' and 'cluster.enabled' exclude each other for now: the nodes of a cluster write to one Redis server, or to a master behind Sentinels");

    [Fact]
    public void Delivery_without_a_fence_should_be_refused() =>
        Errors(Loopback, ("ACTORSYNC_DELIVERY", "at-least-once")).ShouldBe(
            "ACTORSYNC_DELIVERY: 'delivery' must be exactly-once with 'cluster.enabled': only then does Redis refuse a node whose lanes another one took over");

    [Fact]
    public void Doubtful_settings_should_be_warned_of()
    {
        Warnings("enabled: true, seeds: 'a,b', publicHost: a, host: 0.0.0.0, tls: none, downing: {strategy: keep-majority}").ShouldBe(
            ["config.yaml:7:101: keep-majority among two nodes ends the second one whenever the first is lost; lease-majority, or auto, keeps either."]);
        Warnings("enabled: true, seeds: 'a,b,c'").ShouldBe(["config.yaml:7:10: 'cluster.seeds' names other machines, which can't reach this node at 127.0.0.1."]);
        Warnings(Loopback, "petabridge: {host: 0.0.0.0}\n").ShouldBe(
            ["config.yaml:8:20: 'petabridge.host' (0.0.0.0) is reached by other machines, and Petabridge.Cmd asks for no password."]);
        Warnings(Loopback).ShouldBeEmpty();
    }
}
