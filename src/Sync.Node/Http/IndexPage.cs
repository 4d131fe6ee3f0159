using System.Net;
using Sync.Node.Hosting;

namespace Sync.Node.Http;

/// <summary>The page at <c>/</c>: what the node does, and where to look further.</summary>
static class IndexPage
{
    static readonly (string Path, string What)[] links =
    [
        ("/healthz/live", "whether the process lives"),
        ("/healthz/ready", "whether it streams and Redis takes writes"),
        ("/metrics", "Prometheus metrics"),
        ("/api/status", "state, positions, lag, rates, tables as JSON"),
        ("/api/dlq", "dead letters as JSON"),
        ("/api/resync", "re-syncs as JSON"),
    ];

    public static string Html(NodeStatus status)
    {
        var (_, text) = StatusEndpoints.Readiness(status);
        string items = string.Concat(links.Select(link => $"<li><a href=\"{link.Path}\">{link.Path}</a> {link.What}</li>\n"));
        return $"""
            <!doctype html>
            <html lang="en"><head><meta charset="utf-8"><title>ActorSync</title></head>
            <body><h1>ActorSync {Encode(status.Version)}</h1>
            <p>Slot {Encode(status.Slot)}: {Encode(text)}</p>
            <ul>
            {items}</ul>
            </body></html>

            """;
    }

    static string Encode(string text) => WebUtility.HtmlEncode(text);
}
