using System.CommandLine;
using System.Text.Json;
using Sync.Contracts;
using Sync.Node.Http;
using Sync.Node.Verification;

namespace Sync.Node.Commands;

/// <summary><c>actorsync verify</c>: is Redis what PostgreSQL says?</summary>
static class VerifyCommand
{
    const int DefaultExamples = 10, MostExamples = 1000;

    public static Command Create(CommandSession session)
    {
        var table = new Option<string?>("--table") { Description = "Only this table.", HelpName = "SCHEMA.TABLE" };
        var rate = new Option<int>("--rate")
        {
            Description = "Rows per second to read, at most.",
            HelpName = "N",
            DefaultValueFactory = _ => VerifyOptions.DefaultRowsPerSecond,
        };
        var examples = new Option<int>("--examples")
        {
            Description = $"Differences to show of each kind and table, 0 to {MostExamples}.",
            HelpName = "N",
            DefaultValueFactory = _ => DefaultExamples,
        };
        var repair = new Option<bool>("--repair") { Description = "Have the running node mend what differs, and look again." };
        var json = new Option<bool>("--json") { Description = "As JSON." };
        var url = StatusCommand.UrlOption();
        var command = new TaughtCommand("verify",
            "Compares PostgreSQL and Redis, also while a node streams: missing, different and extra keys. Ends with 50 when there are any.",
            "actorsync verify                                  # every table; changes nothing",
            "actorsync verify --table public.orders --rate 500 # one table, gently",
            "actorsync verify --repair                         # the running node mends what differs",
            "actorsync verify --json | jq '.tables[] | {table, missing, different, extra}'")
        {
            table, rate, examples, repair, json, url,
        };
        command.SetAction(async (parsed, _) =>
        {
            using var signals = new StopSignals();
            var (config, _) = session.Load(parsed);
            if (parsed.GetValue(repair) && config.Redis.IsCluster) throw CommandSession.NotInCluster(config, "verify --repair");
            var options = new VerifyOptions(
                parsed.GetValue(table) is { } name ? RunCommand.Configured(name, config) : null,
                Within("--rate", parsed.GetValue(rate), 1, 10_000_000), parsed.GetValue(repair), Within("--examples", parsed.GetValue(examples), 0, MostExamples));
            var address = parsed.GetValue(url) is { } given ? NodeClient.ParseUrl(given) : NodeClient.UrlOf(config.Http);
            var report = await new Verifier(config, address, session.Time, session.Waiting).RunAsync(options, signals.Token);
            if (parsed.GetValue(json)) session.Out.WriteLine(JsonSerializer.Serialize(report, HttpJson.Indented));
            else VerifyText.Write(report, session.Out);
            return (int)report.Outcome;
        });
        return command;
    }

    static int Within(string option, int value, int least, int most) =>
        value >= least && value <= most ? value : throw new SyncException(ExitCode.Usage, $"{option} takes {least} to {most}.");
}
