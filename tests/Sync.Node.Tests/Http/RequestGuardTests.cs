using System.Net;
using Sync.Contracts.Configuration;
using Sync.Node.Http;

namespace Sync.Node.Tests.Http;

public sealed class RequestGuardTests
{
    [Theory]
    [InlineData("127.0.0.1", true)]
    [InlineData("localhost", true)]
    [InlineData("LOCALHOST:7717", true)]
    [InlineData("[::1]:7717", true)]
    [InlineData("evil.example", false)]
    [InlineData("localhost.evil.example", false)]
    [InlineData("127.0.0.1.evil.example", false)]
    public async Task Endpoint_should_answer_only_to_names_it_is_called_by(string host, bool allowed)
    {
        await using var server = await RunningServer.StartAsync();
        foreach (string path in (string[])["/api/status", "/api/dlq", "/metrics", "/healthz/ready", "/"])
            (await server.GetAsync(path, host)).Status.ShouldBe(allowed ? 200 : 403, path);
    }

    [Fact]
    public async Task Open_endpoint_should_give_health_and_metrics_to_any_name_and_data_only_to_its_own()
    {
        await using var server = await RunningServer.StartAsync("0.0.0.0");
        (await server.GetAsync("/metrics", "actorsync.monitoring.svc")).Status.ShouldBe(200);
        (await server.GetAsync("/healthz/live", "actorsync.monitoring.svc")).Status.ShouldBe(200);
        (await server.GetAsync("/api/status", "actorsync.monitoring.svc")).Status.ShouldBe(403);
        (await server.GetAsync("/api/dlq", "evil.example")).Status.ShouldBe(403);
        (await server.GetAsync("/api/status", Dns.GetHostName())).Status.ShouldBe(200);
        (await server.GetAsync("/api/status", "10.1.2.3:7717")).Status.ShouldBe(200);
    }

    [Theory]
    [InlineData("0.0.0.0", 7717, "http://127.0.0.1:7717/")]
    [InlineData("*", 80, "http://127.0.0.1/")]
    [InlineData("::", 7717, "http://[::1]:7717/")]
    [InlineData("[::1]", 7717, "http://[::1]:7717/")]
    [InlineData("db.internal", 1, "http://db.internal:1/")]
    public void Url_should_be_one_that_reaches_the_endpoint_from_here(string host, int port, string url) => ListenAddress.UrlOf(host, port).ToString().ShouldBe(url);

    [Fact]
    public async Task Localhost_should_be_one_address() =>
        (await ListenAddress.ResolveAsync(new HttpOptions { Host = "localhost" }, CancellationToken.None)).ShouldBe([IPAddress.Loopback]);
}
