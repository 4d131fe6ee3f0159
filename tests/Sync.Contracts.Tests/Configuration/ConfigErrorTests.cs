using Sync.Contracts.Configuration;

namespace Sync.Contracts.Tests.Configuration;

public class ConfigErrorTests
{
    [Theory]
    [InlineData("flushWorker: 3", "config.yaml:7:1: unknown key 'flushWorker' (did you mean 'flushWorkers'?)")]
    [InlineData("FlushWorkers: 3", "config.yaml:7:1: unknown key 'FlushWorkers' (did you mean 'flushWorkers'?)")]
    [InlineData("masterName: x", "config.yaml:7:1: unknown key 'masterName' (it belongs to 'redis.sentinel')")]
    [InlineData("retryPolicy:\n  jiter: 1", "config.yaml:8:3: unknown key 'jiter' in 'retryPolicy' (did you mean 'jitter'?)")]
    [InlineData("xyzzy: 1", "config.yaml:7:1: unknown key 'xyzzy'")]
    [InlineData("debug: true\ndebug: false", "config.yaml:8:1: the key 'debug' stands here twice, first at config.yaml:7:1")]
    [InlineData("flushInterval: 5 minutes", "config.yaml:7:16: 'flushInterval' must be a duration such as 500ms, 2s, 1m30s or 1h over 0s and up to 1h, not '5 minutes'")]
    [InlineData("writeTimeout: -1s", "config.yaml:7:15: 'writeTimeout' must be a duration such as 500ms, 2s, 1m30s or 1h over 0s and up to 24h, not '-1s'")]
    [InlineData("flushInterval: 0", "config.yaml:7:16: 'flushInterval' must be a duration such as 500ms, 2s, 1m30s or 1h over 0s and up to 1h, not '0'")]
    [InlineData("flushWorkers: 33", "config.yaml:7:15: 'flushWorkers' must be a whole number from 1 to 32, not '33'")]
    [InlineData("flushWorkers: 0", "config.yaml:7:15: 'flushWorkers' must be a whole number from 1 to 32, not '0'")]
    [InlineData("flushWorkers: many", "config.yaml:7:15: 'flushWorkers' must be a whole number from 1 to 32, not 'many'")]
    [InlineData("flushWorkers: 1.5", "config.yaml:7:15: 'flushWorkers' must be a whole number from 1 to 32, not '1.5'")]
    [InlineData("flushWorkers: [1]", "config.yaml:7:15: 'flushWorkers' must be a whole number from 1 to 32, not a list")]
    [InlineData("flushBufferSize: {a: 1}", "config.yaml:7:18: 'flushBufferSize' must be a whole number from 1 to 100000, not a map")]
    [InlineData("debug: maybe", "config.yaml:7:8: 'debug' must be true or false, not 'maybe'")]
    [InlineData("retryPolicy: 3", "config.yaml:7:14: 'retryPolicy' must be a map, not a text")]
    [InlineData("retryPolicy: {multiplier: 0.5}", "config.yaml:7:27: 'retryPolicy.multiplier' must be a number from 1 to 100, not '0.5'")]
    [InlineData("retryPolicy: {jitter: NaN}", "config.yaml:7:23: 'retryPolicy.jitter' must be a number from 0 to 1, not 'NaN'")]
    [InlineData("retryPolicy: {maxRetries: 0}", "config.yaml:7:27: 'retryPolicy.maxRetries' must be a whole number of at least 1, not '0'")]
    [InlineData("snapshot: {mode: once}", "config.yaml:7:18: 'snapshot.mode' must be onetime, onetime_only or never, not 'once'")]
    [InlineData("snapshot: {mode: onetim}", "config.yaml:7:18: 'snapshot.mode' must be onetime, onetime_only or never, not 'onetim' (did you mean 'onetime'?)")]
    [InlineData("snapshot: {config: {name: a}}", "config.yaml:7:20: 'snapshot.config' must be a list, not a map")]
    [InlineData("snapshot: {config: [{type: full}]}", "config.yaml:7:21: 'snapshot.config[].name' is required")]
    [InlineData("snapshot: {config: [{name: orders, type: query}]}", "config.yaml:7:42: 'snapshot.config[].query' is required for type query")]
    [InlineData("snapshot: {config: [{name: order}]}", "config.yaml:7:28: table 'order' does not stand under 'tables'")]
    [InlineData("snapshot: {config: [{name: public.order}]}", "config.yaml:7:28: table 'public.order' does not stand under 'tables' (did you mean 'public.orders'?)")]
    [InlineData("snapshot: {config: [{name: orders}, {name: public.orders}]}", "config.yaml:7:44: table 'public.orders' stands in 'snapshot.config' twice")]
    [InlineData("telemetry: {otlpEndpoint: localhost}", "config.yaml:7:27: 'telemetry.otlpEndpoint' must be an address such as http://localhost:4317")]
    [InlineData("http: {port: 70000}", "config.yaml:7:14: 'http.port' must be a whole number from 0 to 65535, not '70000'")]
    [InlineData("? [a]\n: 1", "config.yaml:7:3: a key must be a text; quote placeholders, as in \"{pairs:*}\"")]
    public void Mistake_should_be_named_with_its_position(string lines, string expected) =>
        Given.Errors(Given.Head + lines + "\n" + Given.Table).ShouldBe(expected);

    [Theory]
    [InlineData("postgres: {repl: {pub: p, slot: My-Slot}}", "config.yaml:1:33: 'postgres.repl.slot' must be lower-case letters, digits and underscores, up to 63, not 'My-Slot'")]
    [InlineData("postgres: {repl: {slot: s}}", "config.yaml:1:18: 'postgres.repl.pub' is required (variable ACTORSYNC_POSTGRES_REPL_PUB)")]
    [InlineData("postgres: {repl: {pub: '', slot: s}}", "config.yaml:1:24: 'postgres.repl.pub' is required (variable ACTORSYNC_POSTGRES_REPL_PUB)")]
    [InlineData("postgres: {repl: {pub: p, slot: s, owner: me}}", "config.yaml:1:43: 'postgres.repl.owner' must be app or user, not 'me'")]
    [InlineData("postgres: {repl: {pub: p, slot: s}, conn: {port: 99999}}", "config.yaml:1:50: 'postgres.conn.port' must be whole numbers from 1 to 65535, not '99999'")]
    [InlineData("postgres: {repl: {pub: p, slot: s}, conn: {host: 'a,b', port: '1,2,3'}}", "config.yaml:1:63: 'postgres.conn.port' must be one port or as many as hosts (2), not 3")]
    [InlineData("postgres: {repl: {pub: p, slot: s}, conn: {host: 'a,,b'}}", "config.yaml:1:50: 'postgres.conn.host' names an empty host")]
    [InlineData("postgres: {repl: {pub: p, slot: s}, conn: {host: {a: b}}}", "config.yaml:1:50: 'postgres.conn.host' must be a list of texts, not a map")]
    [InlineData("postgres: {repl: {pub: p, slot: s}, conn: {tls: {cert: a}}}", "config.yaml:1:49: 'postgres.conn.tls' must name 'cert' and 'key' together, or neither")]
    [InlineData("postgres: {repl: {pub: p, slot: s}, conn: {tls: maybe}}", "config.yaml:1:49: 'postgres.conn.tls' must be a map of files, or true or false, not 'maybe'")]
    [InlineData("postgres: {repl: {pub: p, slot: s}}\nredis: {nodes: 'a:b'}", "config.yaml:2:16: 'redis.nodes' must be host, host:port, an IPv6 address or [IPv6 address]:port, not 'a:b': 'b' is no port from 1 to 65535")]
    [InlineData("postgres: {repl: {pub: p, slot: s}}\nredis: {nodes: a, conn: {database: 2}}", "config.yaml:2:36: 'redis.conn.database' must be 0 with 'redis.nodes': a Redis Cluster has no other")]
    [InlineData("postgres: {repl: {pub: p, slot: s}}\nredis: {nodes: a, client: stackexchange}", "config.yaml:2:27: 'redis.client' must be resp with 'redis.nodes': the positions per hash slot of a Redis Cluster need ActorSync's own client")]
    [InlineData("postgres: {repl: {pub: p, slot: s}}\nredis: {options: 'password=hidden'}", "config.yaml:2:18: 'redis.options' are those of StackExchange.Redis: they need 'redis.client: stackexchange'")]
    [InlineData("postgres: {repl: {pub: p, slot: s}}\nredis: {client: stackexchnge}", "config.yaml:2:17: 'redis.client' must be resp or stackexchange, not 'stackexchnge' (did you mean 'stackexchange'?)")]
    [InlineData("postgres: {repl: {pub: p, slot: s}}\nredis: {nodes: a, sentinel: {hosts: b, masterName: m}}", "config.yaml:2:29: 'redis.nodes' and 'redis.sentinel' exclude each other: a Cluster has no Sentinels")]
    [InlineData("postgres: {repl: {pub: p, slot: s}}\nredis: {sentinel: {masterName: m}}", "config.yaml:2:19: 'redis.sentinel.hosts' is required (variable ACTORSYNC_REDIS_SENTINEL_HOSTS)")]
    public void Connection_mistake_should_be_named_with_its_position(string head, string expected) =>
        Given.Errors(head + "\n" + Given.Table).ShouldBe(expected);

    [Theory]
    [InlineData("", "config.yaml:1:1: 'tables' must name at least one table")]
    [InlineData("tables: []", "config.yaml:7:9: 'tables' must name at least one table")]
    [InlineData("tables:\n  orders: {}", "config.yaml:8:3: 'tables' must be a list, not a map; write each table as '- public.orders:'")]
    [InlineData("tables:\n  - orders\n  - public.orders", "config.yaml:9:5: table 'public.orders' stands here twice, first at config.yaml:8:5")]
    [InlineData("tables:\n  - a.b.c", "config.yaml:8:5: 'a.b.c' is not a table name; write table, schema.table, or \"Schema\".\"table\" with quotes around names that hold dots")]
    [InlineData("tables:\n  - orders: text", "config.yaml:8:13: table 'orders' must hold a map with keys such as 'commands', not a text")]
    [InlineData("tables:\n  - orders:\n    ttl: 1h", "config.yaml:8:5: the keys of table 'orders' must be indented under its name")]
    [InlineData("tables:\n  - orders: {}\n    items: {}", "config.yaml:8:5: an entry of 'tables' holds one table; begin each with '- ', or give it a 'name'")]
    [InlineData("tables:\n  -\n", "config.yaml:8:4: an entry of 'tables' is empty; it names a table, as in '- public.orders:'")]
    [InlineData("tables:\n  - [a]", "config.yaml:8:5: an entry of 'tables' must name a table, as in '- public.orders:', not be a list")]
    public void Table_list_mistake_should_be_named_with_its_position(string tables, string expected) =>
        Given.Errors(Given.Head + tables).ShouldBe(expected);

    [Fact]
    public void All_mistakes_should_be_reported_at_once()
    {
        var thrown = Should.Throw<SyncException>(() => ConfigLoader.Load(
            "config.yaml", Given.NoEnvironment, "/work", _ => "flushWorker: 1\npostgres:\n  repl: {slot: S}\ntables:\n  - orders:\n      comands: []\n      ttl: x\n"));
        thrown.Code.ShouldBe(ExitCode.Configuration);
        thrown.Message.Split('\n').Select(l => l.Split(": ")[0]).ShouldBe(["config.yaml:1:1", "config.yaml:3:9", "config.yaml:3:16", "config.yaml:6:7", "config.yaml:7:12"]);
    }

    [Theory]
    [InlineData("a: [1", "config.yaml:")]
    [InlineData("a: b: c", "config.yaml:1:5: this is not valid YAML: ")]
    [InlineData("a: 1\n\tb: 2", "config.yaml:2:")]
    [InlineData("a: *nothing", "config.yaml:1:4: this is not valid YAML: an alias names no anchor before it; quote a text that begins with *.")]
    [InlineData("a: &a [*a]", "config.yaml:1:8: this is not valid YAML: an alias names no anchor before it; quote a text that begins with *.")]
    [InlineData("a: 1\n---\nb: 2", "config.yaml:3:1: this is not valid YAML: the file holds more than one document.")]
    [InlineData("[1, 2]", "config.yaml:1:1: the file must hold a map of keys such as 'postgres:', not a list")]
    [InlineData("postgres: {<<: 1}", "config.yaml:1:16: '<<' merges a map or a list of maps, not a text")]
    public void Broken_YAML_should_give_position_and_one_sentence(string yaml, string expected)
    {
        string errors = Given.Errors(yaml);
        errors.Split('\n').ShouldContain(line => line.StartsWith(expected));
        if (errors.Contains("not valid YAML")) errors.ShouldNotContain("\n");
    }

    [Fact]
    public void Nested_aliases_should_not_blow_up()
    {
        string yaml = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
            + string.Concat(Enumerable.Range(1, 9).Select(i => $"a{i}: &a{i} [{string.Join(", ", Enumerable.Repeat($"*a{i - 1}", 10))}]\n"));
        Given.Errors(yaml).ShouldContain("its aliases expand to too many values.");
    }

    [Fact]
    public void Deep_nesting_should_be_refused() =>
        Given.Errors("a: " + new string('[', 1000)).ShouldContain("it is nested deeper than 60 levels.");

    [Fact]
    public void Warnings_should_not_stop()
    {
        var result = Given.Try(Given.Head + "retryPolicy: {initialBackoff: 20s}\nsnapshot: {config: [{name: orders, type: full, query: x}]}\n" + Given.Table);
        result.Config.ShouldNotBeNull();
        result.Warnings.Select(w => w.ToString()).ShouldBe(
        [
            "config.yaml:7:31: 'retryPolicy.maxBackoff' (10s) is shorter than 'initialBackoff' (20s), so every delay is cut to it.",
            "config.yaml:8:55: 'snapshot.config[].query' is ignored because the type is full.",
        ]);
    }

    [Theory]
    [InlineData("hunter2")]
    [InlineData("*hunter2")]
    [InlineData("&hunter2 x")]
    [InlineData("!hunter2")]
    [InlineData("{hunter2: 1}")]
    [InlineData("[hunter2]")]
    [InlineData("\"hunter2")]
    [InlineData("'hunter2")]
    [InlineData("hunter2: x")]
    [InlineData("%hunter2")]
    [InlineData("@hunter2")]
    [InlineData("`hunter2")]
    [InlineData("|hunter2")]
    [InlineData(">hunter2")]
    [InlineData("\"\\hunter2\"")]
    [InlineData("}hunter2")]
    [InlineData("]hunter2")]
    [InlineData("? hunter2")]
    [InlineData("- hunter2")]
    [InlineData("!<hunter2> x")]
    [InlineData("!hunter2! x")]
    [InlineData("!h!hunter2 x")]
    public void Password_should_never_be_repeated(string password)
    {
        // Another mistake makes sure that there is a message in any case.
        var result = Given.Try($"flushWorkers: none\npostgres:\n  repl: {{pub: p, slot: s}}\n  conn:\n    password: {password}\nredis: {{conn: {{password: {password}}}}}\n" + Given.Table);
        result.Errors.ShouldNotBeEmpty();
        string.Join('\n', result.Errors.Concat(result.Warnings)).ShouldNotContain("hunter2");
    }
}
