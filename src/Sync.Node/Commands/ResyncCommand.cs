using System.CommandLine;
using System.Text.Json;
using Sync.Contracts;
using Sync.Node.Http;
using Sync.Node.Resync;

namespace Sync.Node.Commands;

/// <summary><c>actorsync resync</c>: has the running node read a table again while it streams, and put right what differs in Redis.</summary>
static class ResyncCommand
{
    static readonly TimeSpan refresh = TimeSpan.FromMilliseconds(500);

    public static Command Create(CommandSession session)
    {
        var table = new Option<string?>("--table") { Description = "Only this table, as schema.table or table.", HelpName = "TABLE" };
        var all = new Option<bool>("--all") { Description = "Every table, one after the other." };
        var rate = new Option<int>("--rate") { Description = "Rows read per second at most.", HelpName = "N", DefaultValueFactory = _ => ResyncStatus.DefaultRate };
        var status = new Option<bool>("--status") { Description = "Only show what is under way and how the last ones ended." };
        var detach = new Option<bool>("--detach") { Description = "Don't wait for the end." };
        var orders = Enum.GetValues<ResyncOrder>().ToDictionary(order => order, order => new Option<bool>($"--{order.ToString().ToLowerInvariant()}")
        {
            Description = order switch
            {
                ResyncOrder.Pause => "Hold what is under way; it stays held over a restart of the node.",
                ResyncOrder.Resume => "Go on with what is held.",
                _ => "Give up what is under way; what was mended stays.",
            },
        });
        var json = new Option<bool>("--json") { Description = "As JSON, as /api/resync gives it." };
        var url = StatusCommand.UrlOption();
        var command = new TaughtCommand("resync",
            "Has the running node compare a table's rows with Redis while it streams, mend what differs, and remove keys whose rows are gone. Ends with 1 when that failed.",
            "actorsync resync --table public.orders            # and wait for the end; Ctrl-C does not end the re-sync",
            "actorsync resync --all --rate 500 --detach        # every table, gently, in the background",
            "actorsync resync --status",
            "actorsync resync --pause                          # then --resume or --cancel; also of one --table")
        {
            table, all, rate, status, detach, json, url,
        };
        foreach (var option in orders.Values) command.Add(option);
        command.SetAction(async (parsed, _) =>
        {
            using var signals = new StopSignals();
            var (config, _) = session.Load(parsed);
            if (config.Redis.IsCluster) throw CommandSession.NotInCluster(config, "resync");
            string? name = parsed.GetValue(table) is { } given ? RunCommand.Configured(given, config) : null;
            var wanted = orders.Where(o => parsed.GetValue(o.Value)).Select(o => o.Key).ToList();
            bool starts = wanted.Count == 0 && !parsed.GetValue(status);
            if (wanted.Count + (parsed.GetValue(status) ? 1 : 0) > 1) throw new SyncException(ExitCode.Usage, "Say one of --status, --pause, --resume and --cancel.");
            if (name is not null && parsed.GetValue(all)) throw new SyncException(ExitCode.Usage, "Say either --table or --all.");
            if (starts && name is null && !parsed.GetValue(all)) throw new SyncException(ExitCode.Usage, "Say which table: --table NAME, or --all.");
            if (parsed.GetValue(rate) is < 1 or > ResyncStatus.HighestRate) throw new SyncException(ExitCode.Usage, $"--rate takes 1 to {ResyncStatus.HighestRate}.");
            using var node = new NodeClient(StatusCommand.AddressOf(parsed, url, session));
            var reply = wanted.Count > 0 ? await node.PostAsync<ResyncReply>($"/api/resync/{wanted[0].ToString().ToLowerInvariant()}", new ResyncRequest(name), signals.Token)
                : starts ? await node.PostAsync<ResyncReply>("/api/resync", new ResyncRequest(name, parsed.GetValue(rate)), signals.Token)
                : await node.GetAsync<ResyncReply>("/api/resync", signals.Token);
            if (starts && !parsed.GetValue(detach)) reply = await FollowAsync(node, name, session, signals.Token) ?? reply;
            var shown = reply.Resyncs.Where(r => name is null || r.Table == name).ToList();
            if (parsed.GetValue(json)) session.Out.WriteLine(JsonSerializer.Serialize(new ResyncReply(shown), HttpJson.Indented));
            else ResyncText.Write(shown, session.Out);
            return (int)(starts && shown.Exists(r => r.State is ResyncState.Failed or ResyncState.Cancelled) ? ExitCode.CheckFailed : ExitCode.Ok);
        });
        return command;
    }

    /// <summary>Waits for the end; null when the user has waited enough. A node that restarts meanwhile is waited for.</summary>
    static async Task<ResyncReply?> FollowAsync(NodeClient node, string? name, CommandSession session, CancellationToken stop)
    {
        using var timer = new PeriodicTimer(refresh, session.Time);
        try
        {
            while (await timer.WaitForNextTickAsync(stop))
            {
                if (await node.TryStatusAsync(stop) is not { Resyncs: { Count: > 0 } known }) continue;
                var open = known.Where(r => (name is null || r.Table == name) && !r.IsOver).ToList();
                if (open.Count == 0 || open.TrueForAll(r => r.State == ResyncState.Paused)) return new ResyncReply(known);
                if (Terminal.IsInteractive) session.Error.Write($"\r\e[K{ResyncText.Line(open.Find(r => r.State == ResyncState.Running) ?? open[0])}");
            }
        }
        catch (OperationCanceledException)
        {
            session.Say("the re-sync goes on; see actorsync resync --status");
        }
        finally
        {
            if (Terminal.IsInteractive) session.Error.Write("\r\e[K");
        }
        return null;
    }
}
