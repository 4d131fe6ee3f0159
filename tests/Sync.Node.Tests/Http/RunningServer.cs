using System.Net.Http.Headers;
using System.Text;
using Microsoft.Extensions.Logging;
using Sync.Contracts.Configuration;
using Sync.Node.Http;
using Sync.Node.Telemetry;

namespace Sync.Node.Tests.Http;

/// <summary>The real server on a free port, before a fake node.</summary>
sealed class RunningServer : IAsyncDisposable
{
    readonly StringWriter log = new();
    StatusServer server = null!;

    public FakeNode Node { get; private init; } = new();
    public HttpClient Client { get; private set; } = null!;
    public Uri Url => server.Url;
    public string Log => log.ToString();

    public static async Task<RunningServer> StartAsync(string host = "127.0.0.1", int port = 0, FakeNode? node = null)
    {
        var running = new RunningServer { Node = node ?? new FakeNode() };
        var logger = new LineLogger(running.log, LogLevel.Information, colours: false, TimeProvider.System);
        running.server = await StatusServer.StartAsync(new HttpOptions { Host = host, Port = port }, running.Node, running.Node, logger, CancellationToken.None);
        running.Client = new HttpClient(new SocketsHttpHandler { UseProxy = false, AllowAutoRedirect = false }) { BaseAddress = running.Url };
        return running;
    }

    /// <summary>Posts as the command line does, unless told otherwise.</summary>
    public async Task<(int Status, string Body)> PostAsync(string path, string body, string? header = "1", string? type = "application/json")
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = new StringContent(body, Encoding.UTF8) };
        request.Content.Headers.ContentType = type is null ? null : MediaTypeHeaderValue.Parse(type);
        if (header is not null) request.Headers.Add("X-ActorSync", header);
        using var response = await Client.SendAsync(request);
        return ((int)response.StatusCode, await response.Content.ReadAsStringAsync());
    }

    /// <summary>Gets under another Host header.</summary>
    public async Task<(int Status, string Body)> GetAsync(string path, string? host = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        if (host is not null) request.Headers.Host = host;
        using var response = await Client.SendAsync(request);
        return ((int)response.StatusCode, await response.Content.ReadAsStringAsync());
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await server.DisposeAsync();
    }
}
