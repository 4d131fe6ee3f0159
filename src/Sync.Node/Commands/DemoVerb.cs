using System.CommandLine;
using Sync.Node.Demo;

namespace Sync.Node.Commands;

/// <summary><c>actorsync demo</c>. It handles signals itself, for it has children to end.</summary>
static class DemoVerb
{
    public static Command Create()
    {
        var check = new Option<bool>("--check") { Description = "Unattended: change rows, verify every key, end with 0 or 1." };
        var seconds = new Option<int?>("--seconds") { Description = "How long rows are changed, 1 to 3600.", HelpName = "N" };
        var cluster = new Option<int?>("--cluster")
        {
            Description = "A cluster of N nodes (2 to 5) instead of one: another joins, the one that reads is killed, every key is verified.",
            HelpName = "N",
        };
        var rate = new Option<double?>("--rate") { Description = "Changes a second, up to 200.", HelpName = "N" };
        var command = new TaughtCommand("demo", "Shows ActorSync at work on a small shop, with a PostgreSQL and a Redis of its own.",
            "actorsync demo                        # stays up until Ctrl-C and prints the addresses to look at",
            "actorsync demo --rate 50              # more changes a second",
            "actorsync demo --check --seconds 20   # for scripts: every key is verified",
            "actorsync demo --cluster 3            # three nodes; ends by itself with 0 or 1")
        {
            check, seconds, rate, cluster,
        };
        command.SetAction((parsed, cancellationToken) => DemoCommand.RunAsync(
            new DemoOptions { Check = parsed.GetValue(check), Seconds = parsed.GetValue(seconds), Rate = parsed.GetValue(rate), Nodes = parsed.GetValue(cluster) }, cancellationToken));
        return command;
    }
}
