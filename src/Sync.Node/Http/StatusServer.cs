using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Sync.Contracts;
using Sync.Contracts.Configuration;
using Sync.Node.Hosting;
using Sync.Node.Telemetry;

namespace Sync.Node.Http;

/// <summary>
/// Health, metrics, status and dead letters over HTTP. There is no authentication, therefore it listens on loopback by default;
/// <see cref="RequestGuard"/> keeps browsers from being used against it. Built on an empty host, so that no environment variable or
/// appsettings.json of another ASP.NET program changes where it listens.
/// </summary>
public sealed class StatusServer : IAsyncDisposable
{
    const long LargestBody = 1024 * 1024;
    static readonly TimeSpan patience = TimeSpan.FromSeconds(2);

    readonly WebApplication app;
    readonly PrometheusCollector collector;

    StatusServer(WebApplication app, PrometheusCollector collector, Uri url)
    {
        this.app = app;
        this.collector = collector;
        Url = url;
    }

    /// <summary>Where it is reached from this machine.</summary>
    public Uri Url { get; }

    /// <summary>Listens.</summary>
    /// <param name="options">Host and port; port 0 takes a free one.</param>
    /// <param name="admin">The node.</param>
    /// <param name="deadLetters">Shows what is parked.</param>
    /// <param name="logger">Told the address, and that nobody is asked for a password when others can reach it.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="SyncException">The address is taken, not ours, or not allowed to us (<see cref="ExitCode.HttpAddress"/>).</exception>
    public static async Task<StatusServer> StartAsync(
        HttpOptions options, INodeAdmin admin, IDeadLetterReader deadLetters, ILogger logger, CancellationToken cancellationToken)
    {
        var addresses = await ListenAddress.ResolveAsync(options, cancellationToken);
        bool isLoopback = addresses.All(IPAddress.IsLoopback);
        var app = Build(options, addresses, new RequestGuard(options, isLoopback), logger);
        var collector = new PrometheusCollector(SyncMetrics.MeterName);
        new StatusEndpoints(admin, deadLetters, collector).Map(app);
        try
        {
            await app.StartAsync(cancellationToken);
        }
        catch (Exception e)
        {
            collector.Dispose();
            await app.DisposeAsync();
            if (e is IOException or SocketException or UnauthorizedAccessException) throw NotListening(options, e);
            throw;
        }
        int port = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Select(a => BindingAddress.Parse(a).Port).First();
        var url = ListenAddress.UrlOf(options.Host, port);
        logger.LogInformation("HTTP endpoint at {Url}", url);
        if (!isLoopback)
            logger.LogWarning(
                "the HTTP endpoint listens on {Host}, which other machines can reach, and asks nobody for a password; keep it behind a firewall", options.Host);
        return new StatusServer(app, collector, url);
    }

    public async ValueTask DisposeAsync()
    {
        using var limit = new CancellationTokenSource(patience);
        await app.StopAsync(limit.Token);
        await app.DisposeAsync();
        collector.Dispose();
    }

    static WebApplication Build(HttpOptions options, IReadOnlyList<IPAddress> addresses, RequestGuard guard, ILogger logger)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = LargestBody;
            kestrel.Limits.MaxConcurrentConnections = 200;
            foreach (var address in addresses) kestrel.Listen(address, options.Port, listen => listen.Protocols = HttpProtocols.Http1);
        });
        builder.Services.AddRoutingCore();
        builder.Services.Configure<RouteHandlerOptions>(routes => routes.ThrowOnBadRequest = true);
        builder.Services.ConfigureHttpJsonOptions(json => Copy(HttpJson.Options, json.SerializerOptions));
        var app = builder.Build();
        app.Use((context, next) => GuardAsync(context, next, guard, logger));
        app.UseRouting();
        return app;
    }

    static void Copy(JsonSerializerOptions from, JsonSerializerOptions to)
    {
        foreach (var converter in from.Converters) to.Converters.Add(converter);
        to.NumberHandling = from.NumberHandling;
        to.UnmappedMemberHandling = from.UnmappedMemberHandling;
        to.Encoder = from.Encoder;
    }

    static async Task GuardAsync(HttpContext context, RequestDelegate next, RequestGuard guard, ILogger logger)
    {
        context.Response.Headers.XContentTypeOptions = "nosniff";
        context.Response.Headers.CacheControl = "no-store";
        context.Response.Headers.ContentSecurityPolicy = "default-src 'none'; frame-ancestors 'none'";
        if (!guard.IsAllowedHost(context.Request.Host, context.Request.Path))
        {
            string refusal = $"this endpoint is not called '{context.Request.Host.Host}'; use its address, or the name in http.host";
            await Reply(context, StatusCodes.Status403Forbidden, refusal, ExitCode.Usage);
            return;
        }
        bool changes = !(HttpMethods.IsGet(context.Request.Method) || HttpMethods.IsHead(context.Request.Method));
        if (changes && RequestGuard.Refuses(context.Request) is var (status, error))
        {
            await Reply(context, status, error, ExitCode.Usage);
            return;
        }
        try
        {
            await next(context);
        }
        catch (Microsoft.AspNetCore.Http.BadHttpRequestException e)
        {
            await Reply(context, e.StatusCode, e.InnerException is JsonException json ? $"the body can't be read: {json.Message}" : e.Message, ExitCode.Usage);
        }
        catch (SyncException e)
        {
            await Reply(context, e.Code == ExitCode.Usage ? StatusCodes.Status409Conflict : StatusCodes.Status503ServiceUnavailable, e.Message, e.Code);
        }
        catch (Exception e) when (!context.RequestAborted.IsCancellationRequested)
        {
            logger.LogError(e, "an HTTP request of {Path} failed", context.Request.Path);
            await Reply(context, StatusCodes.Status500InternalServerError, "the request failed; the log says why", ExitCode.Internal);
        }
        catch (OperationCanceledException)
        {
            // Whoever asked has gone.
        }
    }

    static Task Reply(HttpContext context, int status, string error, ExitCode code)
    {
        if (context.Response.HasStarted) return Task.CompletedTask;
        context.Response.StatusCode = status;
        return context.Response.WriteAsJsonAsync(new ErrorReply(error, (int)code), HttpJson.Options);
    }

    static SyncException NotListening(HttpOptions options, Exception error)
    {
        var socket = error as SocketException ?? error.GetBaseException() as SocketException;
        string where = new HostPort(options.Host.Trim('[', ']'), options.Port).ToString();
        string why = socket?.SocketErrorCode switch
        {
            SocketError.AddressAlreadyInUse =>
                "is taken by another program (another ActorSync?): choose another http.port, or 0 for a free one, or http.enabled: false",
            SocketError.AddressNotAvailable => "is no address of this machine: correct http.host",
            SocketError.AccessDenied => "may not be used by this user: choose an http.port above 1023",
            _ => $"can't be used ({(socket as Exception ?? error).Message.TrimEnd('.')}): correct http.host and http.port",
        };
        return new SyncException(ExitCode.HttpAddress, $"The HTTP address {where} {why}.", error);
    }
}
