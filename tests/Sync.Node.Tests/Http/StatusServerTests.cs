using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Sync.Contracts;
using Sync.Node.Hosting;
using Sync.Node.Http;
using Sync.Node.Tests.Telemetry;

namespace Sync.Node.Tests.Http;

public sealed class StatusServerTests : IAsyncLifetime
{
    RunningServer server = null!;

    public async Task InitializeAsync() => server = await RunningServer.StartAsync();

    public async Task DisposeAsync() => await server.DisposeAsync();

    [Fact]
    public async Task Live_should_answer_as_long_as_the_node_is_not_stopped()
    {
        server.Node.Status = server.Node.Status with { State = NodeState.Reconnecting, Ready = false };
        (await server.GetAsync("/healthz/live")).ShouldBe((200, "live\n"));
        server.Node.Status = server.Node.Status with { State = NodeState.Stopped };
        (await server.GetAsync("/healthz/live")).ShouldBe((503, "stopped\n"));
    }

    [Fact]
    public async Task Ready_should_say_in_one_line_why_it_is_not()
    {
        (await server.GetAsync("/healthz/ready")).ShouldBe((200, "ready\n"));
        server.Node.Status = server.Node.Status with { State = NodeState.Standby, Ready = false, Detail = "slot shop is in use by process 7" };
        (await server.GetAsync("/healthz/ready")).ShouldBe((503, "standby: slot shop is in use by process 7\n"));
        server.Node.Status = server.Node.Status with { State = NodeState.Snapshotting, Detail = "", Snapshot = new SnapshotStatus("public.orders", 100, 42.4, 10, 5, 1, 3) };
        (await server.GetAsync("/healthz/ready")).ShouldBe((503, "snapshotting: public.orders, 42 %, table 2 of 3\n"));
        server.Node.Status = server.Node.Status with { State = NodeState.Streaming, Snapshot = null, OpenCircuits = 2, LastError = "two\nlines" };
        (await server.GetAsync("/healthz/ready")).ShouldBe((503, "streaming: Redis keeps refusing 2 writer(s): two\\nlines\n"));
    }

    [Fact]
    public async Task Status_should_be_camel_case_json_with_states_as_words()
    {
        var (status, body) = await server.GetAsync("/api/status");
        status.ShouldBe(200);
        using var json = JsonDocument.Parse(body);
        json.RootElement.GetProperty("state").GetString().ShouldBe("streaming");
        json.RootElement.GetProperty("lagBytes").GetInt64().ShouldBe(4096);
        json.RootElement.GetProperty("lsn").GetProperty("confirmed").GetString().ShouldBe("0/0");
        json.RootElement.GetProperty("tables")[0].GetProperty("table").GetString().ShouldBe("public.orders");
        JsonSerializer.Deserialize<NodeStatus>(body, HttpJson.Lenient)!.Tables.ShouldBe(server.Node.Status.Tables);
    }

    [Fact]
    public async Task Status_should_survive_numbers_that_json_has_none_for()
    {
        server.Node.Status = server.Node.Status with { Rates = new RateStatus(double.NaN, double.PositiveInfinity, 0) };
        var (status, body) = await server.GetAsync("/api/status");
        status.ShouldBe(200);
        double.IsNaN(JsonSerializer.Deserialize<NodeStatus>(body, HttpJson.Lenient)!.Rates.RowsPerSecond).ShouldBeTrue();
    }

    [Fact]
    public async Task Metrics_should_be_prometheus_text_with_process_and_tables()
    {
        using var response = await server.Client.GetAsync("/metrics");
        response.Content.Headers.ContentType!.ToString().ShouldBe("text/plain; version=0.0.4; charset=utf-8");
        string[] lines = (await response.Content.ReadAsStringAsync()).Split('\n');
        // Nodes of other tests in this process report to the same meter, so only what is this server's own is read strictly.
        int own = Array.FindIndex(lines, line => line.StartsWith("# HELP actorsync_info", StringComparison.Ordinal));
        var scrape = PrometheusScrape.Parse(string.Join('\n', lines[own..]));
        scrape.Value("actorsync_info{version=\"9.9.9\"}").ShouldBe(1);
        scrape.Value("actorsync_state{state=\"streaming\"}").ShouldBe(1);
        scrape.Value("actorsync_state{state=\"standby\"}").ShouldBe(0);
        scrape.Value("actorsync_table_rows_total{table=\"public.orders\"}").ShouldBe(7);
        scrape.Value("actorsync_table_dead_letters_total{table=\"public.orders\"}").ShouldBe(2);
        scrape.Value("process_cpu_seconds_total").ShouldBeGreaterThan(0);
        scrape.Value("process_resident_memory_bytes").ShouldBeGreaterThan(1_000_000);
        scrape.Value("dotnet_gc_collections_total{generation=\"0\"}").ShouldBeGreaterThanOrEqualTo(0);
        scrape.Types["process_cpu_seconds_total"].ShouldBe("counter");
    }

    [Fact]
    public async Task Metrics_should_include_the_meter_of_the_node()
    {
        using var metrics = new SyncMetrics(() => server.Node.Status);
        metrics.RowsApplied.Add(5);
        metrics.CommitToApplied.Record(0.004);
        var (_, body) = await server.GetAsync("/metrics");
        body.ShouldContain("# TYPE actorsync_rows_applied_total counter\n");
        body.ShouldContain("actorsync_commit_to_applied_seconds_bucket{le=\"0.005\"}");
        body.ShouldContain("actorsync_lag_bytes 4096\n");
        body.ShouldContain("actorsync_lag_seconds 0.0015\n");
    }

    [Fact]
    public async Task Index_should_link_everything_and_escape_what_it_shows()
    {
        server.Node.Status = server.Node.Status with { Ready = false, Detail = "<script>alert(1)</script>" };
        using var response = await server.Client.GetAsync("/");
        string html = await response.Content.ReadAsStringAsync();
        foreach (string path in (string[])["/healthz/live", "/healthz/ready", "/metrics", "/api/status", "/api/dlq"])
        {
            html.ShouldContain($"href=\"{path}\"");
            (await server.Client.GetAsync(path)).StatusCode.ShouldNotBe(HttpStatusCode.NotFound);
        }
        html.ShouldNotContain("<script>");
        response.Headers.GetValues("Content-Security-Policy").ShouldHaveSingleItem().ShouldContain("default-src 'none'");
    }

    [Fact]
    public async Task Unknown_path_should_be_404_with_a_sentence()
    {
        var (status, body) = await server.GetAsync("/nope");
        status.ShouldBe(404);
        JsonSerializer.Deserialize<ErrorReply>(body, HttpJson.Options)!.Error.ShouldNotBeEmpty();
    }

    [Fact]
    public async Task Port_0_should_take_a_free_one_and_print_it()
    {
        server.Url.Port.ShouldBeGreaterThan(0);
        server.Log.ShouldContain($"HTTP endpoint at {server.Url}");
        server.Log.ShouldNotContain("warn");
        await using var second = await RunningServer.StartAsync();
        second.Url.Port.ShouldNotBe(server.Url.Port);
    }

    [Fact]
    public async Task Taken_address_should_be_an_error_that_names_it()
    {
        var failure = await Should.ThrowAsync<SyncException>(() => RunningServer.StartAsync(port: server.Url.Port));
        failure.Code.ShouldBe(ExitCode.HttpAddress);
        failure.Message.ShouldContain($"127.0.0.1:{server.Url.Port} is taken");
    }

    [Theory]
    [InlineData("192.0.2.1", "is no address of this machine")]
    [InlineData("no-such-host.invalid", "is not known")]
    public async Task Address_that_is_not_ours_should_be_an_error(string host, string expected)
    {
        var failure = await Should.ThrowAsync<SyncException>(() => RunningServer.StartAsync(host));
        failure.Code.ShouldBe(ExitCode.HttpAddress);
        failure.Message.ShouldContain(expected);
    }

    [Fact]
    public async Task Open_address_should_warn_that_nobody_is_asked_for_a_password()
    {
        await using var open = await RunningServer.StartAsync("0.0.0.0");
        open.Log.ShouldContain("warn  the HTTP endpoint listens on 0.0.0.0");
        open.Url.Host.ShouldBe("127.0.0.1");
        (await open.GetAsync("/healthz/ready")).Status.ShouldBe(200);
    }

    [Fact]
    public async Task Variables_of_other_web_programs_should_not_move_the_address()
    {
        Environment.SetEnvironmentVariable("ASPNETCORE_URLS", "http://127.0.0.1:1");
        try
        {
            await using var other = await RunningServer.StartAsync();
            (await other.GetAsync("/healthz/live")).Status.ShouldBe(200);
        }
        finally
        {
            Environment.SetEnvironmentVariable("ASPNETCORE_URLS", null);
        }
    }

    [Fact]
    public async Task Disposing_should_free_the_address_even_while_a_client_hangs_on()
    {
        var own = await RunningServer.StartAsync();
        int port = own.Url.Port;
        using var idle = new TcpClient();
        await idle.ConnectAsync(IPAddress.Loopback, port);
        await own.DisposeAsync();
        await using var again = await RunningServer.StartAsync(port: port);
        again.Url.Port.ShouldBe(port);
    }
}
