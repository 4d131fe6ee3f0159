using System.Net;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Sync.Contracts.Configuration;
using Sync.Node.Hosting;
using Sync.Node.Telemetry;

namespace Sync.Node.Tests.Telemetry;

public sealed class OtlpExportTests
{
    [Fact]
    public void Export_should_be_off_without_an_endpoint() => OtlpExport.Start(new TelemetryOptions(), "1").ShouldBeNull();

    [Fact]
    public async Task Collector_should_receive_the_nodes_metrics_by_http()
    {
        await using var collector = await Collector.StartAsync();
        using (var metrics = new SyncMetrics(() => throw new InvalidOperationException("a gauge that can't be read must not stop the export")))
        using (OtlpExport.Start(new TelemetryOptions { OtlpEndpoint = new Uri(collector.Url, "/v1/metrics") }, "1.2.3"))
            metrics.RowsApplied.Add(42);
        var (path, type, body) = collector.Requests.ShouldHaveSingleItem();
        path.ShouldBe("/v1/metrics");
        type.ShouldBe("application/x-protobuf");
        string text = Encoding.Latin1.GetString(body);
        text.ShouldContain("actorsync.rows.applied");
        text.ShouldContain("service.name");
        text.ShouldContain("1.2.3");
    }

    [Fact]
    public void Collector_that_does_not_answer_should_not_hold_the_node_up()
    {
        var export = OtlpExport.Start(new TelemetryOptions { OtlpEndpoint = new Uri($"http://127.0.0.1:{Testing.Ports.Free()}/v1/metrics") }, "1");
        var watch = System.Diagnostics.Stopwatch.StartNew();
        export!.Dispose();
        watch.Elapsed.ShouldBeLessThan(TimeSpan.FromSeconds(15));
    }

    /// <summary>Takes what is posted to it.</summary>
    sealed class Collector(WebApplication app, List<(string, string?, byte[])> requests) : IAsyncDisposable
    {
        public Uri Url { get; } = new(app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First());

        public IReadOnlyList<(string Path, string? Type, byte[] Body)> Requests => requests;

        public static async Task<Collector> StartAsync()
        {
            var requests = new List<(string, string?, byte[])>();
            var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
            builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen => listen.Protocols = HttpProtocols.Http1));
            var app = builder.Build();
            app.Run(async context =>
            {
                var body = new MemoryStream();
                await context.Request.Body.CopyToAsync(body);
                lock (requests) requests.Add((context.Request.Path, context.Request.ContentType, body.ToArray()));
            });
            await app.StartAsync();
            return new Collector(app, requests);
        }

        public ValueTask DisposeAsync() => app.DisposeAsync();
    }
}
