using Npgsql;
using Sync.Contracts;
using Sync.Node.Hosting;
using Sync.Node.Tests.Hosting;
using Sync.Node.Tests.Hosting.Life;
using Sync.Node.Tests.Verification;

namespace Sync.Node.Tests.Privileges;

/// <summary>One table in trouble never holds the others, and a start that refuses its configuration has changed nothing.</summary>
[Collection(ServersCollection.Name)]
public class StoppedTableTests(Servers servers)
{
    const string Good = "create table g(id int primary key, s text); insert into g values (1, 'a');";

    static Task<long> PublicationsAsync(Pipeline pipeline) => ScalarAsync(pipeline, "select count(*) from pg_publication");

    static async Task<long> ScalarAsync(Pipeline pipeline, string sql) => (long)(await pipeline.ScalarAsync(sql))!;

    // The publication was created, the run ended with 3, and every update of the application failed from then on.
    [Fact]
    public async Task A_table_whose_writes_would_fail_should_not_be_published_and_not_hold_the_others()
    {
        await using var pipeline = await Pipeline.StartAsync(servers, Good + "create table nopk(a int); insert into nopk values (1)", "  - g\n  - nopk: { commands: [[\"SADD\", \"n\", \"{a}\"]] }");
        await pipeline.SqlAsync("update nopk set a = 2; delete from nopk; update g set s = 'b'");
        await pipeline.CaughtUpAsync();
        (await pipeline.HashAsync("public.g:1")).ShouldBe("id=1 s=b");
        pipeline.Host.Status.Tables[1].Error.ShouldContain("publishWithoutIdentity: true");
        (await pipeline.ScalarAsync("select string_agg(tablename, ' ') from pg_publication_tables")).ShouldBe("g");
        var report = await pipeline.VerifyAsync();
        (report.Tables[1].Compared, report.Outcome).ShouldBe((false, ExitCode.Schema));
        await pipeline.StopNodeAsync();

        await pipeline.StartNodeAsync("  - g\n  - nopk: { publishWithoutIdentity: true, commands: [[\"SADD\", \"n\", \"{a}\"]] }");
        await pipeline.SqlAsync("insert into nopk values (7)");
        await pipeline.CaughtUpAsync();
        (await pipeline.RedisAsync("SISMEMBER", "n", "7")).ShouldBe(1L);
        (await Should.ThrowAsync<PostgresException>(() => pipeline.SqlAsync("update nopk set a = 2"))).SqlState.ShouldBe("55000");
    }

    [Theory]
    [InlineData("  - nopk: { commands: [[\"SADD\", \"n\", \"{a}\"]] }", "", ExitCode.Schema, "no replica identity")]
    [InlineData("  - g: { commands: [[\"SET\", \"g:{id}\", \"{nope}\"]] }", "", ExitCode.Schema, "'nope'")]
    [InlineData("  - missing\n  - nopk: { commands: [[\"SADD\", \"n\", \"{a}\"]] }", "", ExitCode.Schema, "public.missing does not exist")]
    [InlineData("  - g: { commands: [[\"SET\", \"g:{id\", \"x\"]] }", "", ExitCode.Configuration, "never closed")]
    [InlineData("  - g", "select pg_create_logical_replication_slot('SLOT', 'test_decoding')", ExitCode.Slot, "test_decoding")]
    [InlineData("  - g", "create role ROLE login; alter table g owner to ROLE", ExitCode.Schema, "REPLICATION")]
    [InlineData("  - g", "create role ROLE login replication; alter table g owner to ROLE", ExitCode.Schema, "GRANT CREATE ON DATABASE")]
    [InlineData("  - g", "create role ROLE login replication; alter table g owner to ROLE; alter table g enable row level security, force row level security; grant create on database DATABASE to ROLE", ExitCode.Schema, "NO FORCE ROW LEVEL SECURITY")]
    [InlineData("  - g", "create role ROLE login replication; grant select on g to ROLE; grant create on database DATABASE to ROLE", ExitCode.Schema, "the owner of public.g")]
    public async Task A_start_that_is_refused_should_have_changed_nothing(string tables, string sql, ExitCode code, string says)
    {
        await using var pipeline = await Pipeline.PrepareAsync(servers, Good + "create table nopk(a int); insert into nopk values (1)");
        string role = $"r_{pipeline.Database}";
        if (sql.Length > 0)
            await pipeline.SqlAsync(sql.Replace("SLOT", pipeline.Slot, StringComparison.Ordinal).Replace("ROLE", role, StringComparison.Ordinal).Replace("DATABASE", pipeline.Database, StringComparison.Ordinal));
        long slots = await ScalarAsync(pipeline, "select count(*) from pg_replication_slots where database = current_database()");
        await pipeline.StartNodeAsync(tables, waitUntilStreaming: false, edit: yaml => sql.Contains("ROLE", StringComparison.Ordinal) ? yaml.Replace("user: postgres", $"user: {role}", StringComparison.Ordinal) : yaml);
        var error = await pipeline.FailureAsync();
        error.Code.ShouldBe(code, error.Message);
        error.Message.ShouldContain(says);
        (await PublicationsAsync(pipeline)).ShouldBe(0);
        (await ScalarAsync(pipeline, "select count(*) from pg_replication_slots where database = current_database()")).ShouldBe(slots);
        await pipeline.SqlAsync("update nopk set a = 2");
        (await pipeline.RedisAsync("KEYS", "*")).ShouldBe(Array.Empty<object?>());
    }

    // The node ended with 3, and the good table stood still.
    [Fact]
    public async Task A_generated_primary_key_should_stop_its_table_alone_and_be_named()
    {
        await using var pipeline = await Pipeline.StartAsync(servers, Good + "create table gen(v int, id int generated always as (v * 2) stored primary key); insert into gen values (1)", "  - gen\n  - g");
        await pipeline.SqlAsync("update g set s = 'b'; insert into gen values (2)");
        await pipeline.CaughtUpAsync();
        (await pipeline.KeysAsync()).ShouldBe(["public.g:1"]);
        var table = pipeline.Host.Status.Tables[0];
        table.Error.ShouldContain("column id of the primary key of public.gen is generated");
        pipeline.Host.Status.Ready.ShouldBeTrue();
        pipeline.Log.Count(l => l.Contains("public.gen is stopped", StringComparison.Ordinal)).ShouldBe(1);
    }

    [Fact]
    public async Task What_a_stopped_table_missed_should_be_made_up_for_when_it_comes_back()
    {
        await using var pipeline = await Pipeline.StartAsync(servers, Good + "create table b(id int primary key, s text); insert into b select i, 's' || i from generate_series(1, 3) i",
            "  - g\n  - b: { commands: [[\"SET\", \"b:{id}\", \"{s}\"]] }");
        await pipeline.CaughtUpAsync();
        await pipeline.StopNodeAsync();
        await pipeline.SqlAsync("alter table b rename s to other");
        await pipeline.StartNodeAsync("  - g\n  - b: { commands: [[\"SET\", \"b:{id}\", \"{s}\"]] }");
        await pipeline.SqlAsync("delete from b where id = 1; update b set other = 'new' where id = 2; update g set s = 'c'");
        await pipeline.CaughtUpAsync();
        (await pipeline.HashAsync("public.g:1")).ShouldBe("id=1 s=c");
        (await pipeline.GetAsync("b:1")).ShouldBe("s1", "nothing is known of a table that is stopped");
        await pipeline.StopNodeAsync();

        await pipeline.SqlAsync("alter table b rename other to s");
        await pipeline.StartNodeAsync("  - g\n  - b: { commands: [[\"SET\", \"b:{id}\", \"{s}\"]] }");
        await pipeline.CaughtUpAsync();
        (await pipeline.GetAsync("b:1")).ShouldBeNull();
        (await pipeline.GetAsync("b:2")).ShouldBe("new");
        (await pipeline.GetAsync("b:3")).ShouldBe("s3");
        (await pipeline.VerifyAsync()).ShouldBeClean();
    }

    [Fact]
    public async Task A_table_that_was_mended_should_be_followed_from_the_next_connection_on()
    {
        await using var stage = await Stage.OpenAsync(servers, Good + "create table nopk(a int, s text); insert into nopk values (1, 'x')", "  - g\n  - nopk: { commands: [[\"SET\", \"n:{a}\", \"{s}\"]] }");
        var node = await stage.StartAsync();
        node.Status.Tables[1].Error.ShouldContain("no replica identity");
        await stage.SqlAsync("alter table nopk add primary key (a); insert into nopk values (2, 'y')");
        node.Postgres.Cut();
        node.Postgres.Mend();
        await node.UntilAsync(() => node.Status is { State: NodeState.Streaming } status && status.Tables[1].Error == "", "the table should be followed");
        await stage.SqlAsync("update nopk set s = 'z' where a = 2");
        await stage.CaughtUpAsync(node);
        ((string?)await stage.RedisAsync("GET", "n:1"), (string?)await stage.RedisAsync("GET", "n:2")).ShouldBe(("x", "z"));
        node.Log.ShouldContain(l => l.Contains("public.nopk is followed again", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Keys_that_a_stopped_table_shares_should_not_be_taken_for_left_over()
    {
        await using var pipeline = await Pipeline.StartAsync(servers, Good + "create table b(id int primary key, s text); insert into b values (5, 'five')",
            "  - g: { commands: [[\"SET\", \"x:{id}\", \"{s}\"]] }\n  - b: { commands: [[\"SET\", \"x:{id}\", \"{s}\"]] }");
        await pipeline.CaughtUpAsync();
        await pipeline.SqlAsync("alter table b rename s to other");
        var report = await pipeline.VerifyAsync();
        (report.Drift, report.Tables[0].Extra, report.Tables[1].Compared).ShouldBe((0, 0, false));
        (await pipeline.GetAsync("x:5")).ShouldBe("five");
    }

    // Exit 10 "can't be reached", worth another start, for a setting of the role.
    [Fact]
    public async Task A_role_that_is_read_only_by_default_should_write_nevertheless()
    {
        await using var pipeline = await Pipeline.PrepareAsync(servers, Good);
        string role = $"ro_{pipeline.Database}";
        await pipeline.SqlAsync($"create role {role} superuser login; alter role {role} set default_transaction_read_only = on");
        await pipeline.StartNodeAsync("  - g", edit: yaml => yaml.Replace("user: postgres", $"user: {role}", StringComparison.Ordinal));
        await pipeline.CaughtUpAsync();
        (await pipeline.HashAsync("public.g:1")).ShouldBe("id=1 s=a");
    }

    // With lock_timeout exit 10; without it 30 s of silence and exit 10 as well.
    [Theory]
    [InlineData("insert into g values (9, 'x')")]
    [InlineData("lock table g in access exclusive mode")]
    public async Task An_open_transaction_at_the_first_start_should_be_waited_for_and_named(string statement)
    {
        await using var stage = await Stage.OpenAsync(servers, Good, "  - g");
        await stage.SqlAsync($"alter database {stage.Database} set lock_timeout = '1s'; alter database {stage.Database} set idle_session_timeout = '2s'");
        await using var other = new NpgsqlConnection(servers.Postgres.ConnectionString(stage.Database));
        await other.OpenAsync();
        await using (var begin = new NpgsqlCommand($"set idle_session_timeout = 0; begin; {statement}", other)) await begin.ExecuteNonQueryAsync();
        var node = stage.Begin();
        await node.UntilAsync(() => Task.FromResult(node.Log.Any(l => l.Contains($"makes us wait for process {other.ProcessID} of user postgres", StringComparison.Ordinal))), "it should say for whom it waits", seconds: 20);
        node.Status.Detail.ShouldContain($"process {other.ProcessID}");
        node.Status.State.ShouldBe(NodeState.Starting);
        await using (var commit = new NpgsqlCommand("commit", other)) await commit.ExecuteNonQueryAsync();
        await node.ReachesAsync(NodeState.Streaming);
        await stage.CaughtUpAsync(node);
        (await stage.DifferencesAsync("g", "id, s")).ShouldBeEmpty();
        await node.UntilAsync(() => node.Status.Detail == "", "the wait should be over");
    }
}
