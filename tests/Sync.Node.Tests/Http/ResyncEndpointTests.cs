using System.Text.Json;
using Sync.Contracts;
using Sync.Node.Http;
using Sync.Node.Resync;

namespace Sync.Node.Tests.Http;

public sealed class ResyncEndpointTests : IAsyncLifetime
{
    RunningServer server = null!;

    public async Task InitializeAsync() => server = await RunningServer.StartAsync();

    public async Task DisposeAsync() => await server.DisposeAsync();

    [Theory]
    [InlineData("/api/resync", "{}", "resync all at 10000")]
    [InlineData("/api/resync", """{"table":"public.t","rate":5}""", "resync public.t at 5")]
    [InlineData("/api/resync/pause", """{"table":"public.t"}""", "pause public.t")]
    [InlineData("/api/resync/resume", "{}", "resume all")]
    [InlineData("/api/resync/cancel", "{}", "cancel all")]
    [InlineData("/api/repair", """{"table":"public.t","rows":[["1","a"]],"remove":[{"key":"k"},{"key":"s","part":"9"}]}""", "repair public.t: 1 rows, k/ s/9")]
    public async Task Requests_should_reach_the_node(string path, string body, string asked)
    {
        (await server.PostAsync(path, body)).Status.ShouldBe(200);
        server.Node.Asked.ShouldBe([asked]);
    }

    [Theory]
    [InlineData("/api/resync", """{"rate":0}""")]
    [InlineData("/api/resync", """{"tabel":"public.t"}""")]
    [InlineData("/api/resync/pause", """{"rate":5}""")]
    [InlineData("/api/repair", """{"table":"public.t"}""")]
    [InlineData("/api/repair", """{"rows":[],"remove":[]}""")]
    public async Task Nonsense_should_be_refused(string path, string body)
    {
        (await server.PostAsync(path, body)).Status.ShouldBe(400);
        server.Node.Asked.ShouldBeEmpty();
    }

    [Fact]
    public async Task Re_syncs_should_be_shown_and_a_table_without_its_copy_is_not_ready()
    {
        var copy = new ResyncStatus("public.t") { State = ResyncState.Running, Rows = 7, IsCopy = true, NotCovered = ["INCR n: counts"] };
        server.Node.Status = server.Node.Status with { Resyncs = [copy], Ready = false };
        var (_, body) = await server.GetAsync("/api/resync");
        var shown = JsonSerializer.Deserialize<ResyncReply>(body, HttpJson.Lenient)!.Resyncs.Single();
        (shown.Table, shown.State, shown.Rows, shown.IsCopy).ShouldBe(("public.t", ResyncState.Running, 7L, true));
        (await server.GetAsync("/healthz/ready")).ShouldBe((503, "streaming: public.t is being copied, 7 rows so far\n"));
        server.Node.Failure = new SyncException(ExitCode.Usage, "no");
        (await server.PostAsync("/api/resync", "{}")).Status.ShouldBe(409);
    }
}
