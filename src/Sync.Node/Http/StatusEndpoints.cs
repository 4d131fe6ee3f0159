using System.Globalization;
using System.Text;
using Sync.Contracts;
using Sync.Node.Hosting;
using Sync.Node.Resync;
using Sync.Node.Telemetry;

namespace Sync.Node.Http;

/// <summary>What the HTTP endpoint answers; docs/operating.md lists it.</summary>
sealed class StatusEndpoints(INodeAdmin admin, IDeadLetterReader deadLetters, PrometheusCollector collector)
{
    const int DefaultPage = 100;

    public void Map(WebApplication app)
    {
        app.MapGet("/", async (CancellationToken cancellationToken) =>
            Results.Text(IndexPage.Html(admin.Status, await LookAsync(cancellationToken)), "text/html; charset=utf-8"));
        app.MapGet("/healthz/live", () => Line(admin.Status.State == NodeState.Stopped ? (false, "stopped") : (true, "live")));
        app.MapGet("/healthz/ready", () => Line(Readiness(admin.Status)));
        app.MapGet("/metrics", () => Results.Text(Metrics(), PrometheusText.ContentType));
        app.MapGet("/api/status", () => Results.Json(admin.Status, HttpJson.Options));
        if (admin is IClusterAdmin cluster) new ClusterEndpoints(cluster).Map(app);
        app.MapGet("/api/dlq", ListAsync);
        app.MapGet("/api/dlq/{id}", ShowAsync);
        app.MapPost("/api/dlq/retry", RetryAsync);
        app.MapPost("/api/dlq/drop", DropAsync);
        app.MapGet("/api/resync", () => Results.Json(new ResyncReply(admin.Status.Resyncs), HttpJson.Options));
        app.MapPost("/api/resync", ResyncAsync);
        foreach (var order in Enum.GetValues<ResyncOrder>())
            app.MapPost($"/api/resync/{order.ToString().ToLowerInvariant()}", async (ResyncRequest request, CancellationToken cancellationToken) =>
                request.Rate is not null ? Bad("rate is set when a re-sync begins")
                    : Results.Json(new ResyncReply(await admin.OrderResyncAsync(request.Table, order, cancellationToken)), HttpJson.Options));
        app.MapPost("/api/repair", async (RepairRequest request, CancellationToken cancellationToken) =>
            request.Table is null || request.Rows is null || request.Remove is null ? Bad("say table, rows and remove")
                : Results.Json(await admin.RepairAsync(request, cancellationToken), HttpJson.Options));
        app.MapFallback(() => Problem(StatusCodes.Status404NotFound, "there is nothing here; / has the links"));
    }

    /// <summary>The cluster for the page; null for a node that works alone, or is no member now.</summary>
    async Task<ClusterView?> LookAsync(CancellationToken cancellationToken)
    {
        if (admin is not IClusterAdmin cluster) return null;
        try
        {
            return await cluster.LookAsync(cancellationToken);
        }
        catch (SyncException)
        {
            return null;
        }
    }

    static IResult Line((bool Good, string Text) answer) =>
        Results.Text(LineLogger.OneLine(answer.Text) + "\n", "text/plain; charset=utf-8",
            statusCode: answer.Good ? StatusCodes.Status200OK : StatusCodes.Status503ServiceUnavailable);

    /// <summary>Whether it is ready, and in one line why not.</summary>
    internal static (bool Ready, string Text) Readiness(NodeStatus status)
    {
        if (status.Ready)
        {
            string[] told =
            [
                .. status.Tables.Where(t => t.Error.Length > 0).Select(t => $"{t.Table} is stopped: {t.Error}"),
                .. status.Tables.Where(t => t.Notice.Length > 0).Select(t => $"{t.Table} may be outdated: {t.Notice}"),
            ];
            return (true, told.Length == 0 ? "ready" : $"ready, but {string.Join("; ", told)}");
        }
        string state = status.State.ToString().ToLowerInvariant();
        string why = status switch
        {
            { Detail.Length: > 0 } => status.Detail,
            { Snapshot: { } copy } => string.Create(CultureInfo.InvariantCulture,
                $"{copy.Table}, {copy.PercentDone:F0} %, table {copy.TablesDone + 1} of {copy.TablesTotal}"),
            { OpenCircuits: 0 } when status.Resyncs.FirstOrDefault(r => r is { IsCopy: true, IsOver: false }) is { } copy => string.Create(CultureInfo.InvariantCulture,
                $"{copy.Table} is being copied, {copy.Rows} rows so far"),
            { OpenCircuits: > 0 } => $"Redis keeps refusing {status.OpenCircuits} writer(s){(status.LastError.Length > 0 ? $": {status.LastError}" : "")}",
            _ => status.LastError,
        };
        return (false, why.Length > 0 ? $"{state}: {why}" : state);
    }

    string Metrics()
    {
        var text = new PrometheusText();
        collector.Write(text);
        ProcessMetrics.Write(text, admin.Status);
        if (admin is IClusterAdmin cluster) ProcessMetrics.Write(text, cluster.Counts);
        ProcessMetrics.Write(text);
        return text.ToString();
    }

    async Task<IResult> ListAsync(string? after, int? limit, CancellationToken cancellationToken)
    {
        if (limit is < 1 or > DeadLetterPage.Largest) return Bad($"limit takes 1 to {DeadLetterPage.Largest}");
        return Results.Json(await DeadLetterPage.ReadAsync(deadLetters, after, limit ?? DefaultPage, cancellationToken), HttpJson.Options);
    }

    async Task<IResult> ShowAsync(string id, CancellationToken cancellationToken) =>
        await deadLetters.GetAsync(id, cancellationToken) is { } letter
            ? Results.Json(DeadLetterView.Of(letter, withCommands: true), HttpJson.Options)
            : Problem(StatusCodes.Status404NotFound, "there is no dead letter with this id");

    async Task<IResult> RetryAsync(RetryRequest request, CancellationToken cancellationToken)
    {
        if (request.Key is "") return Bad("an empty key is none; leave it out to retry all");
        var outcome = await admin.RetryDeadLettersAsync(request.Key is null ? null : Encoding.UTF8.GetBytes(request.Key), request.Force, cancellationToken);
        return Results.Json(RetryReply.Of(outcome), HttpJson.Options);
    }

    async Task<IResult> DropAsync(DropRequest request, CancellationToken cancellationToken)
    {
        int said = (request.Id is { Length: > 0 } ? 1 : 0) + (request.Key is { Length: > 0 } ? 1 : 0) + (request.All ? 1 : 0);
        if (said != 1) return Bad("say exactly one of id, key and all");
        byte[]? key = request.Key is { Length: > 0 } text ? Encoding.UTF8.GetBytes(text) : null;
        int dropped = await admin.DropDeadLettersAsync(request.Id, key, cancellationToken);
        return Results.Json(new DropReply(dropped), HttpJson.Options);
    }

    async Task<IResult> ResyncAsync(ResyncRequest request, CancellationToken cancellationToken)
    {
        int rate = request.Rate ?? ResyncStatus.DefaultRate;
        if (rate is < 1 or > ResyncStatus.HighestRate) return Bad($"rate takes 1 to {ResyncStatus.HighestRate}");
        return Results.Json(new ResyncReply(await admin.StartResyncAsync(request.Table, rate, cancellationToken)), HttpJson.Options);
    }

    internal static IResult Bad(string error) => Problem(StatusCodes.Status400BadRequest, error);

    static IResult Problem(int status, string error) => Results.Json(new ErrorReply(error, (int)ExitCode.Usage), HttpJson.Options, statusCode: status);
}
