using Sync.Contracts;
using Sync.Testing;

namespace Sync.Node.Tests.Commands;

/// <summary>Every kind of bad input ends with one sentence that names it, and with an exit code of its own.</summary>
[Collection(CommandCollection.Name)]
public sealed class BadInputTests(CommandServers servers) : IAsyncLifetime
{
    Workplace place = null!;

    public async Task InitializeAsync() => place = await Workplace.CreateAsync(servers);

    public Task DisposeAsync()
    {
        place.Dispose();
        return Task.CompletedTask;
    }

    [Fact]
    public async Task Missing_file_should_be_named() =>
        (await place.RunAsync("run", "--config", "nowhere.yaml")).ShouldSay(ExitCode.Configuration, "nowhere.yaml", "does not exist");

    [Fact]
    public async Task No_configuration_should_say_how_to_give_one()
    {
        place.Environment.Clear();
        (await place.RunAsync("run")).ShouldSay(ExitCode.Configuration, "--config");
    }

    [Theory]
    [InlineData("flushWorker: 3", "config.yaml:6:1: ", "'flushWorker'", "'flushWorkers'")]
    [InlineData("flushInterval: soon", "config.yaml:6:", "soon")]
    [InlineData("writeTimeout: -3s", "config.yaml:6:", "-3s")]
    [InlineData("flushWorkers: 99", "config.yaml:6:", "99")]
    public async Task Wrong_keys_and_values_should_be_placed(string line, params string[] parts) =>
        (await place.Configure(more: line).RunAsync("validate")).ShouldSay(ExitCode.Configuration, parts);

    [Theory]
    [InlineData("- orders: { commands: [[HST, 'o:{id}', note, '{note}']] }", "'HST'", "'HSET'")]
    [InlineData("- orders: { commands: [{ command: [DEL, 'o:{id}'], condition: { column: id, op: like, value: 1 } }] }", "like")]
    [InlineData("- orders: { commands: [[SET, 'o:{id', '{note}']] }", "'o:{id'", "never closed")]
    [InlineData("- orders: { commands: [[SET, '{pairs:*}', x]] }", "SET", "key")]
    [InlineData("- orders: { key: '{columns:*}' }", "'key'")]
    [InlineData("- orders: { truncate: { commands: [[DEL, 'o:{id}']] } }", "truncate")]
    public async Task Wrong_commands_conditions_and_templates_should_be_found_without_servers(string table, params string[] parts)
    {
        var ended = await place.Configure(table).RunAsync("validate");
        ended.ShouldSay(ExitCode.Configuration, ["config.yaml:", .. parts]);
    }

    [Fact]
    public async Task Several_errors_should_be_a_line_each()
    {
        var ended = await place.Configure(more: "flushWorker: 3\ndebig: true").RunAsync("run");
        ended.Code.ShouldBe((int)ExitCode.Configuration);
        ended.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries).Length.ShouldBe(2);
    }

    [Theory]
    [InlineData("run")]
    [InlineData("validate --connect")]
    public async Task Placeholder_without_a_column_should_name_both(string command)
    {
        var ended = await place.Configure("- orders: { commands: [[SET, 'o:{id}', '{nota}']] }").RunAsync(command.Split(' '));
        ended.ShouldSay(ExitCode.Schema, "config.yaml:", "'nota'", "public.orders");
    }

    [Theory]
    [InlineData("run")]
    [InlineData("validate --connect")]
    public async Task Missing_table_should_be_named(string command) =>
        (await place.Configure("- oders").RunAsync(command.Split(' '))).ShouldSay(ExitCode.Schema, "public.oders", place.Database);

    [Theory]
    [InlineData("run")]
    [InlineData("validate --connect")]
    public async Task Table_outside_the_users_publication_should_be_an_error_that_says_what_to_run(string command)
    {
        await place.SqlAsync("create table other (id int primary key); create publication pub for table other");
        await place.SqlAsync($"select pg_create_logical_replication_slot('{place.Slot}', 'pgoutput')");
        (await place.Configure(repl: ", owner: user").RunAsync(command.Split(' '))).ShouldSay(ExitCode.Publication, "public.orders", "ALTER PUBLICATION");
    }

    [Theory]
    [InlineData("run")]
    [InlineData("validate --connect")]
    public async Task Slot_with_another_plugin_should_be_an_error(string command)
    {
        await place.SqlAsync($"select pg_create_logical_replication_slot('{place.Slot}', 'test_decoding')");
        (await place.Configure().RunAsync(command.Split(' '))).ShouldSay(ExitCode.Slot, "test_decoding", "pgoutput");
    }

    [Theory]
    [InlineData("run")]
    [InlineData("validate --connect")]
    [InlineData("init --host 127.0.0.1")]
    public async Task Wrong_password_should_be_refused_without_showing_it(string command)
    {
        place.Configure().Environment["ACTORSYNC_POSTGRES_CONN_PASSWORD"] = "not-the-password";
        var ended = await place.RunAsync([.. command.Split(' '), .. command.StartsWith("init") ? new[] { "--port", $"{servers.Postgres.Port}", "--output", "x.yaml" } : []]);
        ended.ShouldSay(ExitCode.PostgresAuthentication, "refuses the password");
        (ended.Out + ended.Error).ShouldNotContain("not-the-password");
    }

    [Theory]
    [InlineData("run")]
    [InlineData("validate --connect")]
    public async Task Unreachable_postgres_should_be_named_with_its_cause(string command)
    {
        place.Configure().Environment["ACTORSYNC_POSTGRES_CONN_PORT"] = $"{Ports.Free()}";
        (await place.RunAsync(command.Split(' '))).ShouldSay(ExitCode.PostgresUnreachable, "127.0.0.1", "connection refused");
    }

    [Theory]
    [InlineData("run")]
    [InlineData("validate --connect")]
    [InlineData("dlq list")]
    public async Task Unreachable_redis_should_be_named(string command)
    {
        int port = Ports.Free();
        place.Configure().Environment["ACTORSYNC_REDIS_CONN_PORT"] = $"{port}";
        (await place.RunAsync(command.Split(' '))).ShouldSay(ExitCode.RedisUnreachable, $"127.0.0.1:{port}");
    }

    [Theory]
    [InlineData("run")]
    [InlineData("validate --connect")]
    public async Task Password_that_redis_does_not_take_should_be_an_error(string command)
    {
        place.Configure().Environment["ACTORSYNC_REDIS_CONN_PASSWORD"] = "not-the-password";
        var ended = await place.RunAsync(command.Split(' '));
        ended.ShouldSay(ExitCode.RedisAuthentication, "redis.conn.password");
        (ended.Out + ended.Error).ShouldNotContain("not-the-password");
    }

    [Theory]
    [InlineData("run")]
    [InlineData("validate --connect")]
    public async Task Missing_tls_file_should_be_named(string command) =>
        (await place.Configure(redis: ", tls: { rootCert: missing-ca.pem }").RunAsync(command.Split(' '))).ShouldSay(ExitCode.Tls, "missing-ca.pem");

    [Theory]
    [InlineData("verify --repair")]
    [InlineData("resync --all")]
    public async Task What_a_cluster_can_not_do_yet_should_be_refused_not_ignored(string command)
    {
        place.Configure();
        string file = place.Folder.File("config.yaml");
        File.WriteAllText(file, File.ReadAllText(file).Replace("redis:\n", "redis:\n  nodes: ['a:1']\n"));
        (await place.RunAsync(command.Split(' '))).ShouldSay(ExitCode.RedisUnsuitable, "does not work with a Redis Cluster (redis.nodes) yet");
    }

    [Fact]
    public async Task Taken_http_address_should_be_named()
    {
        using var taken = new System.Net.Sockets.TcpListener(System.Net.IPAddress.Loopback, 0);
        taken.Start();
        int port = ((System.Net.IPEndPoint)taken.LocalEndpoint).Port;
        (await place.Configure(more: $"http: {{ port: {port} }}").RunAsync("run")).ShouldSay(ExitCode.HttpAddress, $"127.0.0.1:{port}", "taken");
    }

    [Fact]
    public async Task Unknown_table_of_a_snapshot_should_be_a_usage_error() =>
        (await place.Configure().RunAsync("snapshot", "--table", "public.nope")).ShouldSay(ExitCode.Usage, "public.nope", "public.orders");

    [Fact]
    public async Task Status_without_a_node_should_say_so() =>
        (await place.Configure(more: $"http: {{ port: {Ports.Free()} }}").RunAsync("status")).ShouldSay(ExitCode.CheckFailed, "No node answers");
}
