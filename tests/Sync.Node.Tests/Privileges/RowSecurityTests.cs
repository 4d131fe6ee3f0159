using Microsoft.Extensions.Logging.Abstractions;
using Sync.Contracts;
using Sync.Contracts.Configuration;
using Sync.Node.Http;
using Sync.Node.Resync;
using Sync.Node.Tests.Hosting;
using Sync.Node.Tests.Http;
using Sync.Node.Tests.Resync;
using Sync.Node.Tests.Verification;

namespace Sync.Node.Tests.Privileges;

/// <summary>A policy hides rows from the role of the node: what it can't see is never taken for gone.</summary>
[Collection(ServersCollection.Name)]
public class RowSecurityTests(Servers servers)
{
    const string Hide = "alter table doc enable row level security; create policy mine on doc using (false)";
    const string Tables = """
          - doc: { commands: [["SET", "doc:{id}", "{json:*}"]] }
          - good: { commands: [["SET", "good:{id}", "{id}"]] }
        """;

    /// <summary>Two tables that a role without BYPASSRLS may read, and all that a user has to make.</summary>
    async Task<(Pipeline Pipeline, string Role)> PrepareAsync()
    {
        var pipeline = await Pipeline.PrepareAsync(servers, """
            create table doc (id int primary key, n int, body text); alter table doc alter body set storage external;
            insert into doc select i, i, repeat('x', 5000) from generate_series(1, 3) i;
            create table good (id int primary key); insert into good values (1);
            create publication pub for table doc, good with (publish_via_partition_root)
            """);
        string role = $"r_{pipeline.Database}";
        await pipeline.SqlAsync($"create role {role} login replication; grant select on doc, good to {role}");
        await pipeline.SqlAsync($"select pg_create_logical_replication_slot('{pipeline.Slot}', 'pgoutput')");
        return (pipeline, role);
    }

    static Task StartAsync(Pipeline pipeline, string role) =>
        pipeline.StartNodeAsync(Tables, edit: yaml => yaml.Replace("user: postgres", $"user: {role}", StringComparison.Ordinal).Replace("owner: app", "owner: user", StringComparison.Ordinal));

    static Task<StatusServer> ServeAsync(Pipeline pipeline) =>
        StatusServer.StartAsync(new HttpOptions { Host = "127.0.0.1", Port = 0 }, pipeline.Host, new FakeNode(), NullLogger.Instance, CancellationToken.None);

    // It copied 0 rows and was ready.
    [Fact]
    public async Task A_table_whose_rows_are_hidden_should_be_stopped_at_the_start_and_copied_when_they_are_not()
    {
        var (pipeline, role) = await PrepareAsync();
        await using var _ = pipeline;
        await pipeline.SqlAsync(Hide);
        await StartAsync(pipeline, role);
        await pipeline.CaughtUpAsync();
        (await pipeline.KeysAsync()).ShouldBe(["good:1"]);
        pipeline.Host.Status.Tables[0].Error.ShouldContain($"ALTER ROLE \"{role}\" BYPASSRLS");
        pipeline.Log.ShouldContain(l => l.StartsWith("Error", StringComparison.Ordinal) && l.Contains("public.doc is stopped") && l.Contains("BYPASSRLS"));
        await using (var server = await ServeAsync(pipeline))
        {
            using var http = new HttpClient();
            (await http.GetStringAsync(new Uri(server.Url, "/healthz/ready"))).ShouldStartWith("ready, but public.doc is stopped: Row-level security");
            (await http.GetStringAsync(new Uri(server.Url, "/metrics"))).ShouldContain("actorsync_table_stopped{table=\"public.doc\"} 1");
        }
        await pipeline.StopNodeAsync();

        await pipeline.SqlAsync($"alter role {role} bypassrls");
        await StartAsync(pipeline, role);
        await pipeline.CaughtUpAsync();
        (await pipeline.KeysAsync()).ShouldBe(["doc:1", "doc:2", "doc:3", "good:1"]);
        (await pipeline.VerifyAsync()).ShouldBeClean();
    }

    // verify called good keys extra, and verify --repair and resync deleted them.
    [Fact]
    public async Task What_is_hidden_later_should_never_be_removed()
    {
        var (pipeline, role) = await PrepareAsync();
        await using var _ = pipeline;
        await StartAsync(pipeline, role);
        await pipeline.CaughtUpAsync();
        string[] keys = ["doc:1", "doc:2", "doc:3", "good:1"];
        (await pipeline.KeysAsync()).ShouldBe(keys);
        await pipeline.SqlAsync(Hide);

        await using var server = await ServeAsync(pipeline);
        var report = await pipeline.VerifyAsync(Comparison.Options with { Repair = true }, server.Url);
        report.Tables[0].Skipped.ShouldContain("BYPASSRLS");
        (report.Drift, report.Outcome, report.Tables[1].Rows).ShouldBe((0, ExitCode.Schema, 1));
        var refused = await pipeline.ResyncAsync("public.doc");
        refused.State.ShouldBe(ResyncState.Failed);
        refused.Error.ShouldContain("BYPASSRLS");
        var error = await Should.ThrowAsync<SyncException>(() => pipeline.Host.RepairAsync(new RepairRequest("public.doc", [["1"]], [new RepairPlace("doc:1")]), CancellationToken.None));
        error.Code.ShouldBe(ExitCode.Schema);
        (await pipeline.KeysAsync()).ShouldBe(keys);

        await pipeline.SqlAsync($"alter role {role} bypassrls");
        await pipeline.RedisAsync("SET", "doc:99", "{}");
        (await pipeline.ResyncAsync("public.doc")).Removed.ShouldBe(1);
        (await pipeline.KeysAsync()).ShouldBe(keys);
    }

    // The re-read found no row, and the JSON was written without its large value.
    [Fact]
    public async Task A_row_that_can_not_be_read_again_should_be_parked_and_not_be_written_with_a_hole()
    {
        var (pipeline, role) = await PrepareAsync();
        await using var _ = pipeline;
        await StartAsync(pipeline, role);
        await pipeline.CaughtUpAsync();
        string? before = await pipeline.GetAsync("doc:1");
        await pipeline.SqlAsync(Hide);
        await pipeline.SqlAsync("update doc set n = 10 where id = 1");
        await pipeline.CaughtUpAsync();
        pipeline.Host.Status.DeadLetters.ShouldBe(1);
        pipeline.Host.Status.LastError.ShouldContain("BYPASSRLS");
        (await pipeline.GetAsync("doc:1")).ShouldBe(before);
    }
}
