using Sync.Node.Hosting;

namespace Sync.Node.Http;

/// <summary>What the HTTP endpoint of a node of a cluster answers beside <see cref="StatusEndpoints"/>.</summary>
sealed class ClusterEndpoints(IClusterAdmin cluster)
{
    public void Map(WebApplication app)
    {
        app.MapGet("/api/cluster", async (CancellationToken cancellationToken) => Results.Json(await cluster.LookAsync(cancellationToken), HttpJson.Options));
        app.MapGet("/api/cluster/lanes", async (CancellationToken cancellationToken) => Results.Json(await cluster.LanesAsync(cancellationToken), HttpJson.Options));
        app.MapPost("/api/cluster/leave", (NodeRequest request, CancellationToken cancellationToken) => ForNodeAsync(request, cluster.LeaveAsync, cancellationToken));
        app.MapPost("/api/cluster/down", (NodeRequest request, CancellationToken cancellationToken) => ForNodeAsync(request, cluster.DownAsync, cancellationToken));
    }

    static async Task<IResult> ForNodeAsync(NodeRequest request, Func<string, CancellationToken, Task<NodeReply>> act, CancellationToken cancellationToken) =>
        request.Node is { Length: > 0 } node ? Results.Json(await act(node, cancellationToken), HttpJson.Options) : StatusEndpoints.Bad("say which node, as host:port");
}
