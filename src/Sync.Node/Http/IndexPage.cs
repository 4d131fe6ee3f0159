using System.Globalization;
using System.Net;
using System.Text;
using Sync.Node.Hosting;

namespace Sync.Node.Http;

/// <summary>The page at <c>/</c>: what the node does, its cluster, and where to look further. It needs no script, which its content security policy forbids.</summary>
static class IndexPage
{
    const int RefreshSeconds = 5;

    static readonly (string Path, string What)[] links =
    [
        ("/healthz/live", "whether the process lives"),
        ("/healthz/ready", "whether it streams and Redis takes writes"),
        ("/metrics", "Prometheus metrics"),
        ("/api/status", "state, positions, lag, rates, tables as JSON"),
        ("/api/dlq", "dead letters as JSON"),
        ("/api/resync", "re-syncs as JSON"),
    ];

    static readonly (string Path, string What)[] clusterLinks =
    [
        ("/api/cluster", "the cluster as JSON"),
        ("/api/cluster/lanes", "each of its lanes as JSON"),
    ];

    /// <param name="status">Of the node.</param>
    /// <param name="cluster">As the node sees it; null for one that works alone.</param>
    public static string Html(NodeStatus status, ClusterView? cluster)
    {
        var (_, text) = StatusEndpoints.Readiness(status);
        string items = string.Concat(links.Concat(cluster is null ? [] : clusterLinks).Select(link => $"<li><a href=\"{link.Path}\">{link.Path}</a> {link.What}</li>\n"));
        string refresh = cluster is null ? "" : $"<meta http-equiv=\"refresh\" content=\"{RefreshSeconds}\">";
        return $"""
            <!doctype html>
            <html lang="en"><head><meta charset="utf-8">{refresh}<title>ActorSync</title></head>
            <body><h1>ActorSync {Encode(status.Version)}</h1>
            <p>Slot {Encode(status.Slot)}: {Encode(text)}</p>
            {(cluster is null ? "" : Section(cluster))}<ul>
            {items}</ul>
            </body></html>

            """;
    }

    static string Section(ClusterView cluster)
    {
        var html = new StringBuilder();
        html.Append(CultureInfo.InvariantCulture, $"<section id=\"cluster\"><h2>Cluster {Encode(cluster.Name)}</h2>\n");
        html.Append(CultureInfo.InvariantCulture, $"<p id=\"waiting\">{cluster.RowsWaiting:N0} rows wait, Redis is {cluster.LagMs:F1} ms behind, {cluster.DeadLetters:N0} dead letters.</p>\n");
        Table(html, "members", ["Node", "State", "Roles", "Lanes", "Rows waiting", "Lag"], cluster.Members.Select(member => (string[])
        [
            member.Address, member.Status + (member.Unreachable ? ", unreachable" : ""), string.Join(", ", member.Roles) + (member.Reads ? ", reads" : ""),
            Bar(member.Lanes.Count, cluster.Lanes), Number(member.RowsWaiting), string.Create(CultureInfo.InvariantCulture, $"{member.LagMs:F1} ms"),
        ]));
        if (!cluster.LanesKnown) html.Append("<p id=\"unknown\">On which nodes the lanes are is not known now.</p>\n");
        if (cluster.SilentLanes.Count > 0) html.Append(CultureInfo.InvariantCulture, $"<p id=\"silent\">{cluster.SilentLanes.Count} lanes did not answer; they may be moving.</p>\n");
        if (cluster.CircuitsOpen > 0) html.Append(CultureInfo.InvariantCulture, $"<p id=\"circuits\">Redis keeps refusing {cluster.CircuitsOpen} lanes.</p>\n");
        if (cluster.Commands is { Count: > 0 } commands)
            Table(html, "commands", ["Command", "For", "State", "Message"], commands.Select(c => (string[])[c.Command, c.Argument.Length > 0 ? c.Argument : "all", c.Stage, c.Message]));
        return html.Append("</section>\n").ToString();
    }

    static void Table(StringBuilder html, string id, string[] heads, IEnumerable<string[]> rows)
    {
        html.Append(CultureInfo.InvariantCulture, $"<table id=\"{id}\" border=\"1\" cellpadding=\"4\"><thead><tr>{string.Concat(heads.Select(h => $"<th>{Encode(h)}</th>"))}</tr></thead><tbody>\n");
        foreach (string[] row in rows) html.Append(CultureInfo.InvariantCulture, $"<tr>{string.Concat(row.Select(field => $"<td>{Encode(field)}</td>"))}</tr>\n");
        html.Append("</tbody></table>\n");
    }

    /// <summary>A number, and as many blocks as its share of all.</summary>
    static string Bar(int count, int all) => $"{count} {new string('█', all == 0 ? 0 : (int)Math.Ceiling(20.0 * count / all))}".TrimEnd();

    static string Number(long value) => value.ToString("N0", CultureInfo.InvariantCulture);

    static string Encode(string text) => WebUtility.HtmlEncode(text);
}
