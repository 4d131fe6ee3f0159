using System.CommandLine;
using System.Text.Json;
using Sync.Contracts;
using Sync.Node.Http;

namespace Sync.Node.Commands;

/// <summary><c>actorsync cluster</c>: look at a cluster and have nodes leave it, through the HTTP endpoint of any of its nodes.</summary>
static class ClusterCommand
{
    public static Command Create(CommandSession session)
    {
        var url = StatusCommand.UrlOption();
        url.Recursive = true;
        var json = new Option<bool>("--json") { Description = "As JSON, as the node gives it.", Recursive = true };
        return new TaughtCommand("cluster", "Several nodes on one slot: who is there, who reads, who carries which lanes; and have nodes leave.",
            "actorsync cluster status                     # members, reader, lag, last commands",
            "actorsync cluster lanes --json | jq '.lanes[] | select(.rowsWaiting > 0)'",
            "actorsync cluster leave node2:7719           # it hands over what it has, then ends",
            "actorsync cluster down node2:7719            # for one that can't be asked any more")
        {
            url, json,
            Status(session, url, json), Lanes(session, url, json),
            ForNode(session, url, json, "leave", "Asks a node to leave: it stops reading, drains its lanes, hands over, and ends with 0.",
                "actorsync cluster leave node2:7719", "actorsync cluster leave node2              # if no other node has this host"),
            ForNode(session, url, json, "down", "Takes a node out that can't be asked any more; if it lives it ends with 60, and joins anew when it is started again.",
                "actorsync cluster down node2:7719"),
        };
    }

    static Command Status(CommandSession session, Option<string?> url, Option<bool> json)
    {
        var command = new TaughtCommand("status", "Shows the members, who reads, what waits, and what operators asked for last.",
            "actorsync cluster status",
            "actorsync cluster status --url http://node2:7717",
            "actorsync cluster status --json | jq '.members[] | {address, status, lanes: (.lanes | length)}'");
        Do(command, session, url, async (node, parsed, stop) =>
        {
            var view = await node.FindAsync<ClusterView>("/api/cluster", stop) ?? throw NoCluster(node);
            if (parsed.GetValue(json)) session.Out.WriteLine(JsonSerializer.Serialize(view, HttpJson.Indented));
            else ClusterText.Write(view, session.Out);
        });
        return command;
    }

    static Command Lanes(CommandSession session, Option<string?> url, Option<bool> json)
    {
        var command = new TaughtCommand("lanes", "Shows each lane: where it is, which takeover it is, how far Redis is, what waits.",
            "actorsync cluster lanes",
            "actorsync cluster lanes | cut -f2 | sort | uniq -c   # elsewhere than on a terminal: lane, node, epoch, claim, position, rows, bytes, lag in ms, circuit, parked keys");
        Do(command, session, url, async (node, parsed, stop) =>
        {
            var view = await node.FindAsync<LanesView>("/api/cluster/lanes", stop) ?? throw NoCluster(node);
            if (parsed.GetValue(json)) session.Out.WriteLine(JsonSerializer.Serialize(view, HttpJson.Indented));
            else ClusterText.Write(view, session.Out, session.Error);
        });
        return command;
    }

    static Command ForNode(CommandSession session, Option<string?> url, Option<bool> json, string verb, string description, params string[] examples)
    {
        var member = new Argument<string>("NODE") { Description = "Host and port of a member, as cluster status shows it." };
        var command = new TaughtCommand(verb, description, examples) { member };
        Do(command, session, url, async (node, parsed, stop) =>
        {
            var reply = await node.TryPostAsync<NodeReply>($"/api/cluster/{verb}", new NodeRequest(parsed.GetValue(member)), stop) ?? throw NoCluster(node);
            session.Out.WriteLine(parsed.GetValue(json) ? JsonSerializer.Serialize(reply, HttpJson.Indented) : Terminal.Field(reply.Message));
        });
        return command;
    }

    static SyncException NoCluster(NodeClient node) => new(ExitCode.Usage,
        $"The node at {node.Url.GetLeftPart(UriPartial.Authority)} works alone, it is no node of a cluster (cluster.enabled).");

    static void Do(Command command, CommandSession session, Option<string?> url, Func<NodeClient, ParseResult, CancellationToken, Task> work) =>
        command.SetAction(async (parsed, _) =>
        {
            using var signals = new StopSignals();
            using var node = new NodeClient(StatusCommand.AddressOf(parsed, url, session));
            await work(node, parsed, signals.Token);
            return (int)ExitCode.Ok;
        });
}
