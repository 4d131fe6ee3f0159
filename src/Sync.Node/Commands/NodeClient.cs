using System.Net;
using System.Text.Json;
using Sync.Contracts;
using Sync.Contracts.Configuration;
using Sync.Node.Hosting;
using Sync.Node.Http;

namespace Sync.Node.Commands;

/// <summary>Asks a running node over its HTTP endpoint.</summary>
sealed class NodeClient : IDisposable
{
    /// <summary>A node that is not there refuses at once; one on a busy machine may take long for its first answer.</summary>
    static readonly TimeSpan connectPatience = TimeSpan.FromSeconds(5), patience = TimeSpan.FromSeconds(15);

    readonly HttpClient http;

    /// <param name="url">Where the node listens.</param>
    public NodeClient(Uri url)
    {
        Url = url;
        // A proxy of the environment is for the world outside; no time-out, because a retry of many dead letters may take long.
        http = new HttpClient(new SocketsHttpHandler { UseProxy = false, ConnectTimeout = connectPatience }) { BaseAddress = url, Timeout = Timeout.InfiniteTimeSpan };
        http.DefaultRequestHeaders.Add(RequestGuard.Header, "1");
    }

    public Uri Url { get; }

    /// <summary>Where the node of this configuration listens; null when it has no endpoint or takes a free port.</summary>
    public static Uri? UrlOf(HttpOptions options) => options.Enabled && options.Port > 0 ? ListenAddress.UrlOf(options.Host, options.Port) : null;

    /// <exception cref="SyncException">It is no http address.</exception>
    public static Uri ParseUrl(string text) =>
        Uri.TryCreate(text, UriKind.Absolute, out var url) && url.Scheme is "http" or "https" ? url
            : Uri.TryCreate($"http://{text}", UriKind.Absolute, out url) ? url
            : throw new SyncException(ExitCode.Usage, $"'{text}' is no address; write --url http://127.0.0.1:7717.");

    /// <summary>Null when nobody answers, or something that is no ActorSync.</summary>
    public async Task<NodeStatus?> TryStatusAsync(CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(patience);
        try
        {
            return await http.GetFromJsonAsync<NodeStatus>("/api/status", HttpJson.Lenient, limit.Token);
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested
            && e is HttpRequestException or JsonException or OperationCanceledException or IOException)
        {
            return null;
        }
    }

    /// <exception cref="SyncException">Nobody answers, or the node refuses.</exception>
    public async Task<T> GetAsync<T>(string path, CancellationToken cancellationToken) where T : class =>
        (await SendAsync<T>(new HttpRequestMessage(HttpMethod.Get, path), false, cancellationToken))!;

    /// <summary>Null when the node says there is no such thing.</summary>
    /// <exception cref="SyncException">Nobody answers, or the node refuses.</exception>
    public Task<T?> FindAsync<T>(string path, CancellationToken cancellationToken) where T : class =>
        SendAsync<T>(new HttpRequestMessage(HttpMethod.Get, path), true, cancellationToken);

    /// <exception cref="SyncException">Nobody answers, or the node refuses.</exception>
    public async Task<T> PostAsync<T>(string path, object body, CancellationToken cancellationToken) where T : class =>
        (await SendAsync<T>(Post(path, body), false, cancellationToken))!;

    /// <summary>Null when the node knows no such request, as one of an earlier version.</summary>
    /// <exception cref="SyncException">Nobody answers, or the node refuses.</exception>
    public Task<T?> TryPostAsync<T>(string path, object body, CancellationToken cancellationToken) where T : class =>
        SendAsync<T>(Post(path, body), true, cancellationToken);

    static HttpRequestMessage Post(string path, object body) =>
        new(HttpMethod.Post, path) { Content = JsonContent.Create(body, body.GetType(), options: HttpJson.Options) };

    public void Dispose() => http.Dispose();

    public SyncException NotAnswering(Exception? inner = null) => new(ExitCode.CheckFailed,
        $"No node answers at {Url.GetLeftPart(UriPartial.Authority)}: start one with actorsync run, or name its address with --url.", inner);

    async Task<T?> SendAsync<T>(HttpRequestMessage request, bool mayBeMissing, CancellationToken cancellationToken) where T : class
    {
        try
        {
            using (request)
            using (var response = await http.SendAsync(request, cancellationToken))
            {
                if (response.StatusCode == HttpStatusCode.OK) return await response.Content.ReadFromJsonAsync<T>(HttpJson.Lenient, cancellationToken);
                if (mayBeMissing && response.StatusCode == HttpStatusCode.NotFound) return null;
                var refusal = await response.Content.ReadFromJsonAsync<ErrorReply>(HttpJson.Lenient, cancellationToken);
                throw new SyncException((ExitCode)refusal!.Code, refusal.Error);
            }
        }
        catch (Exception e) when (e is HttpRequestException or IOException)
        {
            throw NotAnswering(e);
        }
        catch (JsonException e)
        {
            throw new SyncException(ExitCode.CheckFailed,
                $"What answers at {Url.GetLeftPart(UriPartial.Authority)} is no ActorSync: name the node's address with --url.", e);
        }
    }
}
