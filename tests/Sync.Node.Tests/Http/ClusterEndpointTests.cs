using System.Text.Json;
using Sync.Node.Http;
using Sync.Node.Tests.Telemetry;

namespace Sync.Node.Tests.Http;

public sealed class ClusterEndpointTests : IAsyncLifetime
{
    readonly FakeClusterNode node = new();
    RunningServer server = null!;

    public async Task InitializeAsync() => server = await RunningServer.StartAsync(node: node);

    public async Task DisposeAsync() => await server.DisposeAsync();

    [Fact]
    public async Task Cluster_and_lanes_should_be_camel_case_json_that_can_be_read_back()
    {
        var (status, body) = await server.GetAsync("/api/cluster");
        status.ShouldBe(200);
        using (var json = JsonDocument.Parse(body)) json.RootElement.GetProperty("members")[1].GetProperty("unreachable").GetBoolean().ShouldBeTrue();
        JsonSerializer.Serialize(JsonSerializer.Deserialize<ClusterView>(body, HttpJson.Lenient), HttpJson.Options).ShouldBe(body);
        (status, body) = await server.GetAsync("/api/cluster/lanes");
        status.ShouldBe(200);
        JsonSerializer.Deserialize<LanesView>(body, HttpJson.Lenient)!.Lanes.ShouldBe(node.Lanes.Lanes);
    }

    [Fact]
    public async Task Nodes_should_be_asked_to_leave_or_be_taken_out_by_their_address()
    {
        (await server.PostAsync("/api/cluster/leave", """{"node": "node2:7719"}""")).ShouldBe((200, """{"message":"node2:7719 is asked to leave."}"""));
        (await server.PostAsync("/api/cluster/down", """{"node": "node1:7719"}""")).ShouldBe((200, """{"message":"node1:7719 is taken out."}"""));
        node.Asked.ShouldBe(["leave node2:7719", "down node1:7719"]);
        var (status, body) = await server.PostAsync("/api/cluster/leave", """{"node": "elsewhere:1"}""");
        (status, JsonSerializer.Deserialize<ErrorReply>(body, HttpJson.Options)).ShouldBe((409, new ErrorReply("'elsewhere:1' is no member of the cluster.", 2)));
    }

    [Theory]
    [InlineData("{}", 400)]
    [InlineData("""{"node": ""}""", 400)]
    [InlineData("""{"nodes": "node1:7719"}""", 400)]
    public async Task Requests_that_name_no_node_should_be_refused(string body, int expected)
    {
        (await server.PostAsync("/api/cluster/leave", body)).Status.ShouldBe(expected);
        (await server.PostAsync("/api/cluster/down", body)).Status.ShouldBe(expected);
        node.Asked.ShouldBeEmpty();
    }

    [Fact]
    public async Task Commands_of_pages_of_other_sites_should_be_refused()
    {
        (await server.PostAsync("/api/cluster/down", """{"node": "node1:7719"}""", header: null)).Status.ShouldBe(403);
        node.Asked.ShouldBeEmpty();
    }

    [Fact]
    public async Task Node_that_works_alone_should_know_of_no_cluster()
    {
        await using var alone = await RunningServer.StartAsync();
        (await alone.GetAsync("/api/cluster")).Status.ShouldBe(404);
        (await alone.PostAsync("/api/cluster/leave", """{"node": "node1:7719"}""")).Status.ShouldBe(404);
        (await alone.GetAsync("/metrics")).Body.ShouldNotContain("actorsync_cluster_");
    }

    [Fact]
    public async Task Metrics_should_tell_members_lanes_and_who_reads()
    {
        string[] lines = (await server.GetAsync("/metrics")).Body.Split('\n');
        var scrape = PrometheusScrape.Parse(string.Join('\n', lines[Array.FindIndex(lines, line => line.StartsWith("# HELP actorsync_info", StringComparison.Ordinal))..]));
        scrape.Value("actorsync_cluster_members").ShouldBe(3);
        scrape.Value("actorsync_cluster_members_unreachable").ShouldBe(1);
        scrape.Value("actorsync_cluster_lanes").ShouldBe(86);
        scrape.Value("actorsync_cluster_reader").ShouldBe(1);
    }
}
