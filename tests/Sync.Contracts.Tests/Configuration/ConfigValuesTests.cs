using Sync.Contracts.Configuration;
using Sync.Contracts.Configuration.Keys;

namespace Sync.Contracts.Tests.Configuration;

public class ConfigValuesTests
{
    [Fact]
    public void File_should_set_every_option()
    {
        var config = Given.Config("""
            flushInterval: 250
            flushBufferSize: 7
            flushQueueDepth: 8
            flushWorkers: 3
            maxWriteQueueSize: 5000
            writeTimeout: 4
            shutdownTimeout: 1500
            statsInterval: 0
            debug: true
            retryPolicy:
              maxRetries: 4
              maxConnectionRetries: 9
              initialBackoff: 0.5
              multiplier: 1.5
              jitter: 0.1
              maxBackoff: 1m
            postgres:
              conn:
                host: a, b,c
                port: 1,2,3
                database: shop
                user: repl
                password: s3cret
                tls: {cert: c.pem, key: /abs/k.pem, rootCert: ../root.pem}
              repl: {pub: p, slot: s_1, owner: user, failover: true}
              numericMode: string
              standByTimeout: 5
              receiveTimeout: 30s
            redis:
              conn:
                host: cache
                port: 6380
                database: 3
                user: app
                password: hidden
                tls: true
              commitTimeColumn: committed_at
              sentinel: {hosts: ["s1", "s2:1", "[::1]:2"], masterName: mymaster, user: u, password: pw}
            snapshot:
              mode: onetime_only
              batchSize: 10
              parallelWorkers: 4
              abortOnError: yes
              queryTimeout: 1h
              maxWriteQueueSize: 77
              config:
                - {name: orders, type: query, query: "id > 5"}
                - {name: public.items, type: full}
            tables: [orders, items]
            http: {enabled: false, host: 0.0.0.0, port: 0}
            telemetry: {otlpEndpoint: "http://localhost:4317"}
            """);

        config.Source.ShouldBe("config.yaml");
        config.FlushInterval.ShouldBe(TimeSpan.FromMilliseconds(250));
        config.FlushBufferSize.ShouldBe(7);
        config.FlushQueueDepth.ShouldBe(8);
        config.FlushWorkers.ShouldBe(3);
        config.MaxWriteQueueSize.ShouldBe(5000);
        config.WriteTimeout.ShouldBe(TimeSpan.FromSeconds(4));
        config.ShutdownTimeout.ShouldBe(TimeSpan.FromMilliseconds(1500));
        config.StatsInterval.ShouldBe(TimeSpan.Zero);
        config.Debug.ShouldBeTrue();
        config.RetryPolicy.ShouldBe(new RetryOptions
        {
            MaxRetries = 4,
            MaxConnectionRetries = 9,
            InitialBackoff = TimeSpan.FromMilliseconds(500),
            Multiplier = 1.5,
            Jitter = 0.1,
            MaxBackoff = TimeSpan.FromMinutes(1),
        });
        var pg = config.Postgres;
        pg.Conn.Hosts.ShouldBe([new("a", 1), new("b", 2), new("c", 3)]);
        (pg.Conn.Database, pg.Conn.User, pg.Conn.Password.Reveal()).ShouldBe(("shop", "repl", "s3cret"));
        pg.Conn.Tls.ShouldBe(new TlsOptions { Cert = "/work/c.pem", Key = "/abs/k.pem", RootCert = "/root.pem" });
        pg.Repl.ShouldBe(new ReplicationOptions { Pub = "p", Slot = "s_1", Owner = ReplicationOwner.User, Failover = true });
        (pg.NumericMode, pg.StandByTimeout, pg.ReceiveTimeout).ShouldBe((NumericMode.String, TimeSpan.FromSeconds(5), TimeSpan.FromSeconds(30)));
        var redis = config.Redis;
        (redis.Conn.Host, redis.Conn.Port, redis.Conn.Database, redis.Conn.User, redis.Conn.Password.Reveal()).ShouldBe(("cache", 6380, 3, "app", "hidden"));
        redis.Conn.Tls.ShouldBe(new TlsOptions());
        redis.CommitTimeColumn.ShouldBe("committed_at");
        var sentinel = redis.Sentinel.ShouldNotBeNull();
        sentinel.Hosts.ShouldBe([new("s1", 26379), new("s2", 1), new("::1", 2)]);
        (sentinel.MasterName, sentinel.User, sentinel.Password.Reveal()).ShouldBe(("mymaster", "u", "pw"));
        var snapshot = config.Snapshot;
        (snapshot.Mode, snapshot.BatchSize, snapshot.ParallelWorkers, snapshot.AbortOnError).ShouldBe((SnapshotMode.OnetimeOnly, 10, 4, true));
        (snapshot.QueryTimeout, snapshot.MaxWriteQueueSize).ShouldBe((TimeSpan.FromHours(1), 77));
        snapshot.Config.Select(c => (c.Schema, c.Name, c.Query)).ShouldBe([("public", "orders", "id > 5"), ("public", "items", null)]);
        (config.Http.Enabled, config.Http.Host, config.Http.Port).ShouldBe((false, "0.0.0.0", 0));
        config.Telemetry.OtlpEndpoint.ShouldBe(new Uri("http://localhost:4317"));
    }

    [Fact]
    public void Absent_keys_should_give_the_models_defaults()
    {
        var config = Given.Config(Given.Head + Given.Table);
        var model = new SyncConfig();
        Describe(config).ShouldBe(Describe(model with { Source = "config.yaml", Tables = config.Tables, Postgres = model.Postgres with { Repl = config.Postgres.Repl }, Redis = model.Redis with { Tag = "shop" } }));
        config.Postgres.Repl.ShouldBe(new ReplicationOptions { Pub = "shop", Slot = "shop" });
    }

    public static TheoryData<string> KeysWithDefault() =>
        [.. ConfigKeys.All.Where(k => k is { Default: not null, DefaultIsComputed: false } && !k.Path.Contains("[]")).Select(k => k.Path)];

    /// <summary>The default a key's row promises is the default the loader gives.</summary>
    [Theory]
    [MemberData(nameof(KeysWithDefault))]
    public void Default_should_change_nothing_when_written_out(string path)
    {
        string name = "ACTORSYNC_" + path.Replace('.', '_').ToUpperInvariant();
        var plain = Given.Config(Given.Head + Given.Table);
        Describe(Given.Config(Given.Head + Given.Table, (name, ConfigKeys.At(path).Default!))).ShouldBe(Describe(plain));
    }

    [Fact]
    public void Table_defaults_should_change_nothing_when_written_out()
    {
        string defaults = string.Join('\n', ConfigKeys.Under("tables[]").Where(k => k.Default is not null && k.Kind != ConfigKind.CommandList).Select(k => $"{k.Name}: {k.Default}"));
        var written = Given.TableWith("ttl: 1h\n" + defaults);
        var plain = Given.TableWith("ttl: 1h");
        (written.TtlJitter, written.Action, written.Commands).ShouldBe((plain.TtlJitter, plain.Action, plain.Commands));
    }

    [Theory]
    [InlineData("tls: true", true)]
    [InlineData("tls: {}", true)]
    [InlineData("tls: false", false)]
    [InlineData("tls:", false)]
    public void Tls_should_be_on_for_true_and_for_an_empty_map(string line, bool on)
    {
        var config = Given.Config($"postgres: {{repl: {{pub: p, slot: s}}}}\nredis:\n  conn:\n    {line}\n{Given.Table}");
        config.Redis.Conn.Tls.ShouldBe(on ? new TlsOptions() : null);
    }

    [Theory]
    [InlineData("host: a", "a:5432")]
    [InlineData("host: 'a,b'", "a:5432 b:5432")]
    [InlineData("{host: 'a,b', port: 6}", "a:6 b:6")]
    [InlineData("{host: [a, b], port: [6, 7]}", "a:6 b:7")]
    [InlineData("port: 6", "localhost:6")]
    [InlineData("host: /var/run/postgresql", "/var/run/postgresql:5432")]
    [InlineData("host: '::1'", "[::1]:5432")]
    public void Postgres_hosts_and_ports_should_pair(string conn, string expected) =>
        string.Join(' ', Given.Config($"postgres:\n  repl: {{pub: p, slot: s}}\n  conn:\n    {conn}\n{Given.Table}").Postgres.Conn.Hosts).ShouldBe(expected);

    [Theory]
    [InlineData("nodes: 'a, b:7000'")]
    [InlineData("nodes: [a, 'b:7000']")]
    public void Redis_nodes_should_read_as_list_or_text(string line) =>
        Given.Config($"postgres: {{repl: {{pub: p, slot: s}}}}\nredis:\n  {line}\n{Given.Table}").Redis.Nodes.ShouldBe([new("a", 6379), new("b", 7000)]);

    [Fact]
    public void Queue_size_of_zero_should_mean_none()
    {
        var config = Given.Config(Given.Head + "maxWriteQueueSize: 0\nsnapshot: {maxWriteQueueSize: 0, queryTimeout: 0}\n" + Given.Table);
        config.MaxWriteQueueSize.ShouldBeNull();
        config.Snapshot.MaxWriteQueueSize.ShouldBeNull();
        config.Snapshot.QueryTimeout.ShouldBeNull();
    }

    [Fact]
    public void Snapshot_entry_with_a_query_should_need_no_type() =>
        Given.Config(Given.Head + "snapshot: {config: [{name: orders, query: x > 1}]}\n" + Given.Table).Snapshot.Config.ShouldHaveSingleItem().Query.ShouldBe("x > 1");

    [Fact]
    public void Anchors_and_merge_keys_should_expand()
    {
        var config = Given.Config("""
            postgres: {repl: {pub: p, slot: s}}
            tables:
              - orders: &body
                  ttl: 1h
                  commands: &commands [[SADD, all, "{id}"]]
              - items: *body
              - parts: {<<: *body, ttl: 2h}
              - other: {commands: *commands}
            """);
        config.Tables.Select(t => t.Ttl?.TotalHours).ShouldBe([1, 1, 2, null]);
        config.Tables.ShouldAllBe(t => t.Commands!.Count == 1);
    }

    static string Describe(SyncConfig config) =>
        System.Text.Json.JsonSerializer.Serialize(config, new System.Text.Json.JsonSerializerOptions { WriteIndented = true });
}
