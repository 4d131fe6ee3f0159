using System.CommandLine;
using Sync.Contracts;
using Sync.Contracts.Configuration;
using Sync.Node.Commands.Validation;
using Sync.Node.Hosting;

namespace Sync.Node.Commands;

/// <summary><c>actorsync validate</c>: the configuration alone, or against the servers it names.</summary>
static class ValidateCommand
{
    /// <summary>See docs/protocols/redis-sentinel.md, "What is not promised".</summary>
    static readonly TimeSpan shortestRewind = TimeSpan.FromSeconds(5);

    /// <summary>Longer than cluster-node-timeout as Redis comes.</summary>
    static readonly TimeSpan shortestClusterRewind = TimeSpan.FromSeconds(20);

    public static Command Create(CommandSession session)
    {
        var connect = new Option<bool>("--connect") { Description = "Compare with the live tables, publication, slot and Redis; changes nothing." };
        var strict = new Option<bool>("--strict") { Description = "End with 1 when there are warnings." };
        var command = new TaughtCommand("validate", "Checks the configuration and says everything that is wrong with it.",
            "actorsync validate                              # the file alone: keys, values, commands, templates",
            "actorsync validate --connect                    # also against PostgreSQL and Redis",
            "actorsync validate --connect --strict -c x.yaml # for pipelines: warnings fail as well")
        {
            connect, strict,
        };
        command.SetAction(async (parsed, _) =>
        {
            using var signals = new StopSignals();
            var (config, warnings) = session.Load(parsed);
            var report = new CheckReport();
            foreach (var warning in warnings) report.Warn(warning.ToString());
            var broken = Templates(config, report);
            if (parsed.GetValue(connect))
            {
                var postgres = new PostgresChecks(config, broken, report, session.Waiting, session.Time);
                ulong? system = await postgres.RunAsync(signals.Token);
                await new RedisChecks(config, report, session.Time).RunAsync(system, postgres.Plans, signals.Token);
            }
            foreach (var table in config.Tables.Where(t => !report.Shows(t.FullName))) Show(table, !broken.Contains(table), report);
            Truncates(config, report);
            if (config.Redis.Sentinel is not null && config.RewindWindow < shortestRewind)
                report.Warn($"rewindWindow is {config.RewindWindow.TotalSeconds:0.###} s, but a failover by Sentinels may take {shortestRewind.TotalSeconds:0} s to be noticed,"
                    + " and what only the old master holds is lost: set it to 5s or more");
            if (config.Redis.IsCluster && config.RewindWindow < shortestClusterRewind)
                report.Warn($"rewindWindow is {config.RewindWindow.TotalSeconds:0.###} s, but a master that is cut off takes writes for cluster-node-timeout, 15 s as Redis comes,"
                    + " and a failover loses them: set it to 20s or more");
            report.Note($"delivery of every table: {Guarantees.Of(config)}");
            foreach (var table in config.Tables.Where(t => !broken.Contains(t) && config.Redis.IsCluster)) report.Note($"{table.FullName}: {Guarantees.Of(config, table)}");
            report.Write(config.Tables.Count, session.Out, session.Error, Terminal.HasColours);
            return (int)report.Outcome(parsed.GetValue(strict));
        });
        return command;
    }

    /// <summary>Reports wrong templates; returns the tables that have any.</summary>
    static HashSet<TableConfig> Templates(SyncConfig config, CheckReport report)
    {
        var broken = new HashSet<TableConfig>(ReferenceEqualityComparer.Instance);
        foreach (var table in config.Tables)
            foreach (var issue in TemplateChecks.Find(table))
            {
                report.Error(ExitCode.Configuration, issue.ToString());
                broken.Add(table);
            }
        return broken;
    }

    static void Show(TableConfig table, bool good, CheckReport report)
    {
        var lists = new List<string>();
        void Add(string name, IReadOnlyList<CommandRule>? rules)
        {
            if (rules is not null) lists.Add($"{name} {rules.Sum(r => r.Commands.Count)}");
        }
        Add("commands", table.Commands);
        Add("insert", table.Insert);
        Add("update", table.Update);
        Add("delete", table.Delete);
        string detail = lists.Count == 0 ? "a hash per row" : string.Join(", ", lists);
        if (good) report.Pass(table.FullName, detail);
        else report.Fail(table.FullName, detail);
    }

    static void Truncates(SyncConfig config, CheckReport report)
    {
        string[] open = [.. config.Tables.Where(t => t.Truncate.Mode == TruncateMode.Unset).Select(t => t.FullName)];
        if (open.Length == 0) return;
        report.Note($"a TRUNCATE of {string.Join(", ", open)} would leave the keys in Redis and log a warning;"
            + " set truncate: resync, ignore or commands to decide");
    }
}
