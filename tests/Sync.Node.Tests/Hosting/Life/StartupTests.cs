using Sync.Contracts;
using Sync.Node.Hosting;
using Sync.Testing;

namespace Sync.Node.Tests.Hosting.Life;

/// <summary>What a node finds at start, or later, that somebody has to mend. Bad input that needs no running node is tested with the command line.</summary>
[Collection(ServersCollection.Name)]
[Trait("Speed", "Slow")]
public class StartupTests(Servers servers)
{
    const string Schema = "create table t(id int primary key, s text)";

    static Func<string, string> OwnedByUser(Stage stage) => yaml => yaml.Replace($"slot: {stage.Slot}", $"slot: {stage.Slot}, owner: user", StringComparison.Ordinal);

    [Fact]
    public async Task A_publication_that_the_user_should_have_made_should_be_asked_for()
    {
        await using var stage = await Stage.OpenAsync(servers, Schema, "  - t");
        stage.Edit = OwnedByUser(stage);
        var error = await stage.Begin().FailureAsync();
        error.Code.ShouldBe(ExitCode.Publication);
        error.Message.ShouldContain("CREATE PUBLICATION");
        (await stage.KeysAsync()).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_publication_that_is_younger_than_the_slot_should_be_explained()
    {
        await using var stage = await Stage.OpenAsync(servers, Schema, "  - t");
        stage.Edit = OwnedByUser(stage);
        await stage.SqlAsync($"select pg_create_logical_replication_slot('{stage.Slot}', 'pgoutput')");
        await stage.SqlAsync("insert into t values (1, 'before')");
        await stage.SqlAsync("create publication pub for table t");
        var node = stage.Begin();
        await stage.SqlAsync("insert into t values (2, 'after')");
        var error = await node.FailureAsync();
        error.Code.ShouldBe(ExitCode.Publication);
        error.Message.ShouldContain("drop the slot");
    }

    [Fact]
    public async Task A_slot_that_the_user_dropped_should_end_the_node_with_what_to_run()
    {
        await using var stage = await Stage.OpenAsync(servers, Schema, "  - t");
        stage.Edit = OwnedByUser(stage);
        await stage.SqlAsync("create publication pub for table t");
        await stage.SqlAsync($"select pg_create_logical_replication_slot('{stage.Slot}', 'pgoutput')");
        var node = await stage.StartAsync();
        node.Postgres.Cut();
        await node.UntilAsync(async () => !await stage.ScalarAsync<bool>($"select active from pg_replication_slots where slot_name = '{stage.Slot}'"), "the slot should be free");
        await stage.SqlAsync($"select pg_drop_replication_slot('{stage.Slot}')");
        node.Postgres.Mend();
        var error = await node.FailureAsync();
        error.Code.ShouldBe(ExitCode.Slot);
        error.Message.ShouldContain("pg_create_logical_replication_slot");
        node.Status.State.ShouldBe(NodeState.Stopped);
    }

    [Fact]
    public async Task The_primary_should_be_found_behind_a_standby()
    {
        await using var standby = await PostgresServer.StartStandbyAsync(servers.Postgres);
        await using var stage = await Stage.OpenAsync(servers, Schema, "  - t");
        stage.Edit = yaml => yaml.Replace("postgres:\n  conn: { host: 127.0.0.1, port: ", $"postgres:\n  conn: {{ host: \"127.0.0.1,127.0.0.1\", port: \"{standby.Port},", StringComparison.Ordinal)
            .Replace($", database: {stage.Database}", $"\", database: {stage.Database}", StringComparison.Ordinal);
        var node = await stage.StartAsync();
        await stage.SqlAsync("insert into t values (1, 'x')");
        await stage.CaughtUpAsync(node);
        (await stage.HashAsync("public.t:1")).ShouldBe("id=1 s=x");
        node.Status.Postgres.ShouldBe($"127.0.0.1:{node.Postgres.Port}");
    }

    [Fact]
    public async Task What_may_go_wrong_later_should_be_told_in_the_log()
    {
        await using var stage = await Stage.OpenAsync(servers, Schema, """
              - t:
                  update: { commands: [["PUBLISH", "t", "{old:s}"]] }
            """);
        await stage.RedisAsync("CONFIG", "SET", "maxmemory", "500mb", "maxmemory-policy", "allkeys-lru");
        try
        {
            var node = await stage.StartAsync();
            node.Log.ShouldContain(l => l.StartsWith("Warning", StringComparison.Ordinal) && l.Contains("ALTER TABLE public.t REPLICA IDENTITY FULL"));
            node.Log.ShouldContain(l => l.StartsWith("Warning", StringComparison.Ordinal) && l.Contains("allkeys-lru"));
        }
        finally
        {
            await stage.RedisAsync("CONFIG", "SET", "maxmemory", "0", "maxmemory-policy", "noeviction");
        }
    }

    [Fact]
    public async Task A_permission_that_Redis_takes_away_should_end_the_node_with_one_sentence()
    {
        await using var stage = await Stage.OpenAsync(servers, Schema, "  - t");
        stage.Edit = yaml => yaml.Replace("redis:\n  conn: { ", "redis:\n  conn: { user: writer, password: pass, ", StringComparison.Ordinal);
        await stage.RedisAsync("ACL", "SETUSER", "writer", "on", ">pass", "~*", "&*", "+@all");
        var node = await stage.StartAsync();
        await stage.RedisAsync("ACL", "SETUSER", "writer", "-hset");
        await stage.SqlAsync("insert into t select i, 'x' from generate_series(1, 20000) i");
        var error = await node.FailureAsync();
        error.Code.ShouldBe(ExitCode.RedisAuthentication);
        error.Message.ShouldContain("'writer'");
        error.Message.ShouldNotContain("pass,");

        await stage.RedisAsync("ACL", "SETUSER", "writer", "+hset");
        node = await stage.StartAsync();
        await stage.CaughtUpAsync(node);
        (await stage.DifferencesAsync("t", "id, s")).ShouldBeEmpty();
        node.Status.State.ShouldBe(NodeState.Streaming);
    }

    [Fact]
    public async Task Giving_up_on_Redis_should_be_possible()
    {
        await using var stage = await Stage.OpenAsync(servers, Schema, "  - t");
        stage.Edit = yaml => yaml.Replace("maxBackoff: 200ms", "maxBackoff: 50ms, maxConnectionRetries: 3", StringComparison.Ordinal);
        var node = await stage.StartAsync();
        node.Redis.Cut();
        await stage.SqlAsync("insert into t values (1, 'x')");
        var error = await node.FailureAsync();
        error.Code.ShouldBe(ExitCode.RedisUnreachable);
        error.Message.ShouldContain("Gave up");
    }
}
