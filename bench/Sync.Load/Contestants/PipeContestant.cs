using System.Diagnostics;

namespace Sync.Load.Contestants;

/// <summary>Redis' own client with the commands of the workload from a file: how fast Redis can take them. Reads nothing from PostgreSQL.</summary>
sealed class PipeContestant : Contestant
{
    string commands = "";

    public override string Name => "redis-cli --pipe";

    public override string? Plugin => null;

    public override bool EndsByItself => true;

    public override async Task PrepareAsync(Drain drain) => commands = (await drain.Backlog.CommandsAsync()).Path;

    public override ProcessStartInfo Start(Drain drain) =>
        CommandLine("sh", "-c", "exec redis-cli -h 127.0.0.1 -p \"$0\" --pipe < \"$1\"", $"{drain.Stage.Redis.Port}", commands);
}
