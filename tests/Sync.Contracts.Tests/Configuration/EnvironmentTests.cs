using Sync.Contracts.Configuration;

namespace Sync.Contracts.Tests.Configuration;

public class EnvironmentTests
{
    static readonly (string, string)[] Enough = [("PG2REDIS_POSTGRES_REPL_PUB", "p"), ("PG2REDIS_POSTGRES_REPL_SLOT", "s"), ("PG2REDIS_T_0_NAME", "orders")];

    static SyncConfig FromEnvironment(params (string Name, string Value)[] variables) =>
        ConfigLoader.Load(null, Given.Environment([.. Enough, .. variables]), "/work", _ => null);

    static string Errors(params (string Name, string Value)[] variables) =>
        string.Join('\n', ConfigLoader.TryLoad(null, Given.Environment([.. Enough, .. variables]), "/work", _ => null).Errors);

    static TableConfig Table(params (string Name, string Value)[] variables) => FromEnvironment(variables).Tables.ShouldHaveSingleItem();

    [Fact]
    public void Environment_alone_should_be_enough()
    {
        var config = FromEnvironment();
        config.Source.ShouldBe("environment");
        config.Tables.ShouldHaveSingleItem().Position.ToString().ShouldBe("PG2REDIS_T_0_NAME");
    }

    [Fact]
    public void Environment_should_beat_the_file_key_by_key()
    {
        var config = Given.Config(
            "flushWorkers: 3\nredis: {conn: {host: file, port: 1, tls: {rootCert: a.pem}}}\npostgres: {repl: {pub: p, slot: s}}\n" + Given.Table,
            ("PG2REDIS_REDIS_CONN_HOST", "env"), ("ACTORSYNC_FLUSHWORKERS", "5"), ("ACTORSYNC_POSTGRES_REPL_PUB", "q"), ("UNRELATED", "x"));
        (config.Redis.Conn.Host, config.Redis.Conn.Port, config.FlushWorkers).ShouldBe(("env", 1, 5));
        (config.Postgres.Repl.Pub, config.Postgres.Repl.Slot, config.Redis.Conn.Tls!.RootCert).ShouldBe(("q", "s", "/work/a.pem"));
    }

    [Fact]
    public void Override_should_not_leak_through_an_anchor()
    {
        var config = Given.Config(
            "postgres: {repl: {pub: p, slot: s}, conn: {tls: &tls {rootCert: a.pem}}}\nredis: {conn: {tls: *tls}}\n" + Given.Table,
            ("ACTORSYNC_POSTGRES_CONN_TLS_ROOTCERT", "/b.pem"));
        (config.Postgres.Conn.Tls!.RootCert, config.Redis.Conn.Tls!.RootCert).ShouldBe(("/b.pem", "/work/a.pem"));
    }

    [Fact]
    public void Ours_should_beat_the_references_with_a_warning()
    {
        var result = Given.Try(Given.Head + Given.Table, ("ACTORSYNC_FLUSH_WORKERS", "5"), ("PG2REDIS_FLUSHWORKERS", "6"), ("ACTORSYNC_DEBUG", "1"), ("PG2REDIS_DEBUG", "1"));
        result.Config!.FlushWorkers.ShouldBe(5);
        result.Warnings.ShouldHaveSingleItem().ToString().ShouldBe("PG2REDIS_FLUSHWORKERS: PG2REDIS_FLUSHWORKERS is ignored because ACTORSYNC_FLUSH_WORKERS is set as well.");
    }

    [Theory]
    [InlineData("FLUSHINTERVAL")]
    [InlineData("FLUSH_INTERVAL")]
    public void Camel_case_should_be_joined_or_split(string name) =>
        FromEnvironment(("ACTORSYNC_" + name, "250")).FlushInterval.ShouldBe(TimeSpan.FromMilliseconds(250));

    [Fact]
    public void Nested_keys_should_be_read()
    {
        var config = FromEnvironment(
            ("ACTORSYNC_RETRYPOLICY_MAXRETRIES", "3"), ("ACTORSYNC_RETRY_POLICY_MAX_BACKOFF", "1m"), ("ACTORSYNC_POSTGRES_STANDBYTIMEOUT", "7"),
            ("ACTORSYNC_POSTGRES_CONN_HOST", "a,b"), ("ACTORSYNC_POSTGRES_CONN_PORT", "1,2"), ("ACTORSYNC_REDIS_SENTINEL_HOSTS_1", "y"), ("ACTORSYNC_REDIS_SENTINEL_HOSTS_0", "x"),
            ("ACTORSYNC_REDIS_SENTINEL_MASTERNAME", "m"), ("ACTORSYNC_REDIS_CONN_TLS", "true"), ("ACTORSYNC_REDIS_CONN_PASSWORD", "a:b, {c}"),
            ("ACTORSYNC_SNAPSHOT_MODE", "never"), ("ACTORSYNC_HTTP_PORT", "0"), ("ACTORSYNC_TELEMETRY_OTLPENDPOINT", "https://x"));
        (config.RetryPolicy.MaxRetries, config.RetryPolicy.MaxBackoff, config.Postgres.StandByTimeout).ShouldBe((3, TimeSpan.FromMinutes(1), TimeSpan.FromSeconds(7)));
        config.Postgres.Conn.Hosts.ShouldBe([new("a", 1), new("b", 2)]);
        config.Redis.Sentinel!.Hosts.ShouldBe([new("x", 26379), new("y", 26379)]);
        config.Redis.Conn.Tls.ShouldBe(new TlsOptions());
        config.Redis.Conn.Password.Reveal().ShouldBe("a:b, {c}");
        (config.Snapshot.Mode, config.Http.Port, config.Telemetry.OtlpEndpoint!.Host).ShouldBe((SnapshotMode.Never, 0, "x"));
    }

    [Fact]
    public void Tls_flag_and_files_should_go_together_in_any_order()
    {
        var config = Given.Config(
            "postgres: {repl: {pub: p, slot: s}, conn: {tls: false}}\n" + Given.Table,
            ("ACTORSYNC_POSTGRES_CONN_TLS_CERT", "/c"), ("ACTORSYNC_POSTGRES_CONN_TLS_KEY", "/k"), ("ACTORSYNC_POSTGRES_CONN_TLS", "true"));
        config.Postgres.Conn.Tls.ShouldBe(new TlsOptions { Cert = "/c", Key = "/k" });
    }

    [Fact]
    public void Empty_variable_should_count_as_not_set() => FromEnvironment(("ACTORSYNC_FLUSHWORKERS", ""), ("ACTORSYNC_NONSENSE", "")).Debug.ShouldBeFalse();

    [Fact]
    public void Snapshot_entries_should_replace_those_of_the_same_table()
    {
        var config = Given.Config(
            Given.Head + "snapshot: {config: [{name: orders, type: full}, {name: items}]}\ntables: [orders, items, parts]\n",
            ("ACTORSYNC_SNAPSHOT_CONFIG_0_NAME", "public.orders"), ("ACTORSYNC_SNAPSHOT_CONFIG_0_TYPE", "query"), ("ACTORSYNC_SNAPSHOT_CONFIG_0_QUERY", "id > 1"),
            ("ACTORSYNC_SNAPSHOT_CONFIG_1_NAME", "parts"));
        config.Snapshot.Config.Select(c => (c.Name, c.Query)).ShouldBe([("items", null), ("orders", "id > 1"), ("parts", null)]);
    }

    [Theory]
    [InlineData("ACTORSYNC_FLUSHWORKER", "3", "ACTORSYNC_FLUSHWORKER: unknown variable 'ACTORSYNC_FLUSHWORKER' (did you mean 'ACTORSYNC_FLUSHWORKERS'?)")]
    [InlineData("PG2REDIS_REDIS_CON_HOST", "3", "PG2REDIS_REDIS_CON_HOST: unknown variable 'PG2REDIS_REDIS_CON_HOST' (did you mean 'PG2REDIS_REDIS_CONN_HOST'?)")]
    [InlineData("ACTORSYNC_XYZ", "hunter2", "ACTORSYNC_XYZ: unknown variable 'ACTORSYNC_XYZ'")]
    [InlineData("ACTORSYNC_T_0_COMANDS", "x", "ACTORSYNC_T_0_COMANDS: unknown variable 'ACTORSYNC_T_0_COMANDS' (did you mean 'COMMANDS'?)")]
    [InlineData("ACTORSYNC_T_X_NAME", "x", "ACTORSYNC_T_X_NAME: unknown variable 'ACTORSYNC_T_X_NAME' (tables are written as T_0_NAME, T_0_COMMANDS_0, …)")]
    [InlineData("ACTORSYNC_T_1_TTL", "1h", "ACTORSYNC_T_1_TTL: T_1 has no name; set ACTORSYNC_T_1_NAME")]
    [InlineData("ACTORSYNC_T_1_NAME", "a.b.c", "ACTORSYNC_T_1_NAME: 'a.b.c' is not a table name; write table or schema.table")]
    [InlineData("ACTORSYNC_FLUSHWORKERS", "many", "ACTORSYNC_FLUSHWORKERS: 'flushWorkers' must be a whole number from 1 to 32, not 'many'")]
    [InlineData("ACTORSYNC_T_0_TTL", "long", "ACTORSYNC_T_0_TTL: 'tables[].ttl' must be a duration such as 500ms, 2s, 1m30s or 1h over 0s and up to 876000h, not 'long'")]
    [InlineData("ACTORSYNC_T_0_COMMANDS_0", "HST/a/b/c", "ACTORSYNC_T_0_COMMANDS_0: unknown command 'HST' (did you mean 'HSET'?)")]
    [InlineData("ACTORSYNC_T_0_COMMANDS_0", "HSET", "ACTORSYNC_T_0_COMMANDS_0: HSET takes at least 3 arguments after its name, not 0")]
    [InlineData("ACTORSYNC_T_0_WHEN_COLUMN", "a", "ACTORSYNC_T_0_WHEN_COLUMN: a condition needs the key 'op', such as \"=\"")]
    public void Mistake_should_name_the_variable(string name, string value, string expected) => Errors((name, value)).ShouldBe(expected);

    [Fact]
    public void Whole_and_part_should_contradict_each_other() =>
        Errors(("ACTORSYNC_T_0_TAGS", "a"), ("ACTORSYNC_T_0_TAGS_0", "b")).ShouldBe("ACTORSYNC_T_0_TAGS: this variable and ACTORSYNC_T_0_TAGS_0 contradict each other");

    [Fact]
    public void List_and_its_item_should_contradict_each_other() =>
        Errors(("ACTORSYNC_REDIS_NODES", "a"), ("ACTORSYNC_REDIS_NODES_0", "b")).ShouldBe("ACTORSYNC_REDIS_NODES_0: this variable and ACTORSYNC_REDIS_NODES contradict each other");

    [Theory]
    [InlineData("ACTORSYNC_PORT")]
    [InlineData("ACTORSYNC_SERVICE_HOST")]
    [InlineData("ACTORSYNC_SERVICE_PORT_HTTP")]
    [InlineData("ACTORSYNC_PORT_7717_TCP_ADDR")]
    public void Service_links_of_Kubernetes_should_be_left_alone(string name) => FromEnvironment((name, "tcp://10.0.0.1:7717")).Tables.Count.ShouldBe(1);

    [Theory]
    [InlineData("HSET/orders:{id}/{pairs:*}", "HSET|orders:{id}|{pairs:*}")]
    [InlineData("sadd/a\\/b/c\\d//", "SADD|a/b|c\\d||")]
    public void Command_should_be_split_at_slashes(string value, string expected) =>
        Table(("PG2REDIS_T_0_COMMANDS_0", value)).Commands!.Single().Commands.Single().Arguments.ShouldBe(expected.Split('|'));

    [Fact]
    public void Commands_should_be_read_in_order_of_their_index()
    {
        var table = Table(
            ("PG2REDIS_T_0_COMMANDS_10", "INCR/c"), ("PG2REDIS_T_0_COMMANDS_2", "INCR/b"), ("PG2REDIS_T_0_COMMANDS_0", "INCR/a"),
            ("PG2REDIS_T_0_INSERT_COMMANDS_0", "INCR/i"), ("PG2REDIS_T_0_UPDATE_COMMANDS_0", "INCR/u"), ("PG2REDIS_T_0_DELETE_COMMANDS_0", "INCR/d"),
            ("PG2REDIS_T_0_TRUNCATE_COMMANDS_0", "DEL/t"));
        TableConfigTests.Text(table.Commands).ShouldBe("INCR a; INCR b; INCR c");
        TableConfigTests.Text(table.Insert).ShouldBe("INCR i");
        TableConfigTests.Text(table.Update).ShouldBe("INCR u");
        TableConfigTests.Text(table.Delete).ShouldBe("INCR d");
        TableConfigTests.Text(table.Truncate.Commands).ShouldBe("DEL t");
    }

    [Fact]
    public void Conditional_commands_should_be_read()
    {
        var table = Table(
            ("PG2REDIS_T_0_COMMANDS_0_COMMAND", "SADD/paid/{id}"), ("PG2REDIS_T_0_COMMANDS_0_CONDITION_COLUMN", "status"),
            ("PG2REDIS_T_0_COMMANDS_0_CONDITION_OP", "="), ("PG2REDIS_T_0_COMMANDS_0_CONDITION_VALUE", ""),
            ("PG2REDIS_T_0_COMMANDS_1_COMMAND_0", "SREM/open/{id}"), ("PG2REDIS_T_0_COMMANDS_1_COMMAND_1", "SADD/done/{id}"),
            ("PG2REDIS_T_0_COMMANDS_1_CONDITION_COLUMN", "status"), ("PG2REDIS_T_0_COMMANDS_1_CONDITION_OP", "in"), ("PG2REDIS_T_0_COMMANDS_1_CONDITION_VALUES", "a, b"),
            ("PG2REDIS_T_0_COMMANDS_2", "INCR/n"), ("PG2REDIS_T_0_COMMANDS_2_CONDITION_COLUMN", "x"), ("PG2REDIS_T_0_COMMANDS_2_CONDITION_OP", "not_in"),
            ("PG2REDIS_T_0_COMMANDS_2_CONDITION_VALUES_0", "a,b"), ("PG2REDIS_T_0_COMMANDS_2_CONDITION_VALUES_1", ""),
            ("PG2REDIS_T_0_COMMANDS_3_COMMAND_0", "SADD"), ("PG2REDIS_T_0_COMMANDS_3_COMMAND_1", "a/b"), ("PG2REDIS_T_0_COMMANDS_3_COMMAND_2", "{id}"));
        TableConfigTests.Text(table.Commands).ShouldBe("SADD paid {id}; SREM open {id} + SADD done {id}; INCR n; SADD a/b {id}");
        table.Commands!.Select(r => (r.Condition as ComparisonCondition)?.Values).ShouldBe([[""], ["a", "b"], ["a,b", ""], null]);
    }

    [Fact]
    public void Every_other_key_of_a_table_should_be_read()
    {
        var table = Table(
            ("ACTORSYNC_T_0_TTL", "1h"), ("ACTORSYNC_T_0_TTL_JITTER", "5s"), ("ACTORSYNC_T_0_PUBLISHWITHOUTIDENTITY", "true"), ("ACTORSYNC_T_0_ONUNKNOWNOLDVALUE", "park"), ("ACTORSYNC_T_0_KEY", "{a}"), ("ACTORSYNC_T_0_ACTION", "invalidate"), ("ACTORSYNC_T_0_TRUNCATE", "ignore"),
            ("ACTORSYNC_T_0_TAGS_0", "x"), ("ACTORSYNC_T_0_TAGS_1", "y,z"), ("ACTORSYNC_T_0_COLUMNS_INCLUDE", "a,b"), ("ACTORSYNC_T_0_COLUMNS_EXCLUDE_0", "c"),
            ("ACTORSYNC_T_0_COLUMNS_RENAME", "a:x, b:y"), ("ACTORSYNC_T_0_WHEN_COLUMN", "d"), ("ACTORSYNC_T_0_WHEN_OP", "is_null"));
        table.PublishWithoutIdentity.ShouldBeTrue();
        table.OnUnknownOldValue.ShouldBe(UnknownOldValue.Park);
        (table.Ttl, table.TtlJitter, table.Key, table.Action, table.Truncate.Mode)
            .ShouldBe((TimeSpan.FromHours(1), TimeSpan.FromSeconds(5), "{a}", TableAction.Invalidate, TruncateMode.Ignore));
        table.Tags.ShouldBe(["x", "y,z"]);
        table.Columns.Include.ShouldBe(["a", "b"]);
        table.Columns.Exclude.ShouldBe(["c"]);
        table.Columns.Rename.ShouldBe(new Dictionary<string, string> { ["a"] = "x", ["b"] = "y" });
        table.When.ShouldBeOfType<ComparisonCondition>().Column.ShouldBe("d");
    }

    const string TwoTables = Given.Head + """
        tables:
          - orders:
              ttl: 1h
              insert: {commands: [[INCR, i]]}
              delete: {commands: [[INCR, d]]}
          - items
        """;

    [Fact]
    public void Table_of_the_file_should_be_extended()
    {
        var config = Given.Config(TwoTables, ("PG2REDIS_T_5_NAME", "public.orders"), ("PG2REDIS_T_5_INSERT_COMMANDS_0", "INCR/x"), ("PG2REDIS_T_7_NAME", "parts"));
        config.Tables.Select(t => t.Name).ShouldBe(["orders", "items", "parts"]);
        TableConfigTests.Text(config.Tables[0].Insert).ShouldBe("INCR x");
        TableConfigTests.Text(config.Tables[0].Delete).ShouldBe("INCR d");
        config.Tables[0].Ttl.ShouldBe(TimeSpan.FromHours(1));
    }

    [Fact]
    public void Commands_of_a_variable_should_replace_those_per_operation_of_the_file()
    {
        var table = Given.Config(TwoTables, ("PG2REDIS_T_0_NAME", "orders"), ("PG2REDIS_T_0_COMMANDS_0", "INCR/x")).Tables[0];
        TableConfigTests.Text(table.Commands).ShouldBe("INCR x");
        table.IsPerOperation.ShouldBeFalse();
    }

    [Fact]
    public void Table_without_a_name_should_be_the_files_table_of_that_index() =>
        Given.Config(TwoTables, ("PG2REDIS_T_1_TTL", "2h")).Tables[1].ShouldSatisfyAllConditions(t => t.Name.ShouldBe("items"), t => t.Ttl.ShouldBe(TimeSpan.FromHours(2)));
}
