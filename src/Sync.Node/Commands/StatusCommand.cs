using System.CommandLine;
using System.Text.Json;
using Sync.Contracts;
using Sync.Node.Http;

namespace Sync.Node.Commands;

/// <summary><c>actorsync status</c>: what the running node says of itself.</summary>
static class StatusCommand
{
    static readonly TimeSpan refresh = TimeSpan.FromSeconds(1);

    public static Command Create(CommandSession session)
    {
        var json = new Option<bool>("--json") { Description = "As JSON, as /api/status gives it." };
        var watch = new Option<bool>("--watch") { Description = "Again every second, until Ctrl-C." };
        var url = UrlOption();
        var command = new TaughtCommand("status", "Shows what the running node is doing.",
            "actorsync status                     # state, positions, lag, rates, tables",
            "actorsync status --watch             # again every second",
            "actorsync status --json | jq .lagMs",
            "actorsync status --url http://127.0.0.1:7718")
        {
            json, watch, url,
        };
        command.SetAction(async (parsed, _) =>
        {
            using var signals = new StopSignals();
            using var node = new NodeClient(AddressOf(parsed, url, session));
            if (parsed.GetValue(watch)) return await WatchAsync(node, parsed.GetValue(json), session, signals.Token);
            var status = await node.TryStatusAsync(signals.Token) ?? throw node.NotAnswering();
            if (parsed.GetValue(json)) session.Out.WriteLine(JsonSerializer.Serialize(status, HttpJson.Indented));
            else session.Out.Write(StatusText.Of(status, session.Time.GetUtcNow()));
            return (int)ExitCode.Ok;
        });
        return command;
    }

    public static Option<string?> UrlOption() => new("--url") { Description = "The node's HTTP address; without it the configuration's.", HelpName = "URL" };

    public static Uri AddressOf(ParseResult parsed, Option<string?> url, CommandSession session)
    {
        if (parsed.GetValue(url) is { } given) return NodeClient.ParseUrl(given);
        var (config, _) = session.Load(parsed);
        return NodeClient.UrlOf(config.Http) ?? throw new SyncException(ExitCode.Usage,
            $"{config.Source} gives the node no fixed HTTP address (http.enabled or http.port): name it with --url, the node's log has it.");
    }

    static async Task<int> WatchAsync(NodeClient node, bool json, CommandSession session, CancellationToken stop)
    {
        using var timer = new PeriodicTimer(refresh, session.Time);
        try
        {
            do
            {
                var status = await node.TryStatusAsync(stop);
                string text = status is null ? $"no node answers at {node.Url}\n"
                    : json ? JsonSerializer.Serialize(status, HttpJson.Options) + "\n"
                    : Terminal.IsInteractive ? StatusText.Of(status, session.Time.GetUtcNow())
                    : StatusText.Line(status) + "\n";
                if (Terminal.IsInteractive && !json) session.Out.Write("\e[H\e[J");
                session.Out.Write(text);
            }
            while (await timer.WaitForNextTickAsync(stop));
        }
        catch (OperationCanceledException)
        {
            // Watched enough.
        }
        return (int)ExitCode.Ok;
    }
}
