using System.CommandLine;
using Sync.Contracts;
using Sync.Contracts.Configuration;
using Sync.Node.Cluster;
using Sync.Node.Hosting;
using Sync.Node.Http;
using Sync.Node.Telemetry;
using HostOptions = Sync.Node.Hosting.HostOptions;

namespace Sync.Node.Commands;

/// <summary><c>actorsync run</c> and <c>actorsync snapshot</c>: the node with its log, its HTTP endpoint and its exports.</summary>
static class RunCommand
{
    public static Command Create(CommandSession session)
    {
        var cluster = new Option<bool>("--cluster") { Description = "Be a node of the cluster that the section cluster describes, even if its enabled is not set." };
        var command = new TaughtCommand("run", "Copies the tables that were not copied yet, then follows every change until it is stopped.",
            "actorsync run                                # with ./config.yaml",
            "actorsync run --config /etc/shop/sync.yaml",
            "ACTORSYNC_POSTGRES_CONN_PASSWORD=… actorsync run   # any setting can come from the environment",
            "actorsync run --config /etc/shop/sync.yaml --cluster   # as one of several nodes",
            "actorsync run & actorsync status --watch     # look at it from outside")
        {
            cluster,
        };
        command.SetAction(async (parsed, _) =>
        {
            using var signals = new StopSignals();
            var (config, warnings) = session.Load(parsed, parsed.GetValue(cluster) ? asNode : new Dictionary<string, string>());
            return await RunNodeAsync(config, warnings, new HostOptions(), session, signals.Token);
        });
        return command;
    }

    static readonly Dictionary<string, string> asNode = new() { ["ACTORSYNC_CLUSTER_ENABLED"] = "true" };

    public static Command CreateSnapshot(CommandSession session)
    {
        var table = new Option<string?>("--table") { Description = "Copy this table, even if it was copied before.", HelpName = "SCHEMA.TABLE" };
        var command = new TaughtCommand("snapshot", "Copies the tables that were not copied yet, then ends.",
            "actorsync snapshot                         # what a first run would copy",
            "actorsync snapshot --table public.orders   # copy one table again")
        {
            table,
        };
        command.SetAction(async (parsed, _) =>
        {
            using var signals = new StopSignals();
            var (config, warnings) = session.Load(parsed);
            if (config.Cluster.Enabled) throw CommandSession.NotAmongNodes(config, "snapshot");
            string? only = parsed.GetValue(table) is { } name ? Configured(name, config) : null;
            return await RunNodeAsync(config, warnings, new HostOptions(SnapshotOnly: true, only), session, signals.Token);
        });
        return command;
    }

    public static string Configured(string text, SyncConfig config)
    {
        if (TableName.TryParse(text, out var name) && config.Tables.Any(t => t.Schema == name.Schema && t.Name == name.Name)) return name.ToString();
        string known = string.Join(", ", config.Tables.Select(t => t.FullName));
        throw new SyncException(ExitCode.Usage, $"Table {text} is not configured in {config.Source}; there are {known}.");
    }

    static async Task<int> RunNodeAsync(
        SyncConfig config, IReadOnlyList<ConfigIssue> warnings, HostOptions options, CommandSession session, CancellationToken stop)
    {
        var log = new LineLogger(session.Out, config.Debug ? LogLevel.Debug : LogLevel.Information, Terminal.HasColours, session.Time)
        {
            // On a terminal the copy is shown by a bar.
            Muted = Terminal.IsInteractive ? new HashSet<string> { nameof(HostLog.Copying) } : new HashSet<string>(),
        };
        log.LogInformation("actorsync {Version}, configuration {Source}", VersionCommand.Version, config.Source);
        foreach (var warning in warnings) log.LogWarning("{Warning}", warning.ToString());
        using var telemetry = OtlpExport.Start(config.Telemetry, VersionCommand.Version);
        if (config.Cluster.Enabled)
        {
            await using var node = new ClusterHost(config, log, session.Time);
            await using var endpoint = await ListenAsync(config, options, node, log, session.Time, stop);
            await node.RunAsync(stop);
            return (int)ExitCode.Ok;
        }
        await using var host = new SingleHost(config, options, log, session.Time);
        await using var http = await ListenAsync(config, options, host, log, session.Time, stop);
        await using var bar = Terminal.IsInteractive ? new SnapshotBar(() => host.Status, log, session.Time) : null;
        await host.RunAsync(stop);
        return (int)ExitCode.Ok;
    }


    /// <summary>A snapshot beside a node that runs goes on without an endpoint of its own: nobody has to configure a second address for it.</summary>
    static async Task<StatusServer?> ListenAsync(
        SyncConfig config, HostOptions options, INodeAdmin host, ILogger log, TimeProvider time, CancellationToken stop)
    {
        if (!config.Http.Enabled) return null;
        try
        {
            return await StatusServer.StartAsync(config.Http, host, new RedisDeadLetterReader(config, time), log, stop);
        }
        catch (SyncException e) when (options.SnapshotOnly && e.Code == ExitCode.HttpAddress)
        {
            log.LogWarning("{Problem} Going on without.", e.Message);
            return null;
        }
    }
}
