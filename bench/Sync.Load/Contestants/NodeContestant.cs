using System.Diagnostics;
using System.Text.Json;
using Sync.Load.Hosting;

namespace Sync.Load.Contestants;

/// <summary>Our node, all of it: mapping, order per key, exactly once. A variant runs with further environment variables.</summary>
sealed class NodeContestant(NodeVariant? variant = null) : Contestant
{
    public override string Name => variant?.Name ?? "actorsync";

    public override ProcessStartInfo Start(Drain drain)
    {
        var start = Start(drain.Stage, drain.Workload.Publication, drain.Slot, drain.Workload.Tables, drain.Folder, drain.Workload.ChangeSets);
        foreach (var (name, value) in variant?.Environment ?? new Dictionary<string, string>()) start.Environment[name] = value;
        return start;
    }

    /// <summary>Reports after <paramref name="changeSets"/> change sets; with 0 it only runs, until its standard input is closed.</summary>
    public static ProcessStartInfo Start(Stage stage, string publication, string slot, string tables, string folder, int changeSets) =>
        CommandLine("dotnet", typeof(NodeContestant).Assembly.Location, NodeChild.Command, WriteConfig(stage, publication, slot, tables, folder), $"{changeSets}");

    /// <summary>Makes its own slot, copies the tables, and reports when <paramref name="rows"/> rows are in Redis. With a slot that was there before, a table is copied while the stream goes on.</summary>
    public static ProcessStartInfo StartCopy(Stage stage, string publication, string slot, string tables, string folder, int rows, int workers)
    {
        string config = WriteConfig(stage, publication, slot, tables, folder, $"{{ mode: onetime, parallelWorkers: {workers} }}", "app");
        return CommandLine("dotnet", typeof(NodeContestant).Assembly.Location, NodeChild.Command, config, $"{rows}", "copy");
    }

    /// <summary>Writes a node's configuration and names the file.</summary>
    public static string WriteConfig(Stage stage, string publication, string slot, string tables, string folder, string snapshot = "{ mode: never }", string owner = "user")
    {
        string config = Path.Combine(folder, "config.yaml");
        File.WriteAllText(config, $$"""
            postgres:
              conn: { host: 127.0.0.1, port: {{stage.Postgres.Port}}, database: postgres, user: postgres }
              repl: { pub: {{publication}}, slot: {{slot}}, owner: {{owner}} }
            redis:
              conn: { host: 127.0.0.1, port: {{stage.Redis.Port}} }
            snapshot: {{snapshot}}
            tables:
            {{tables.ReplaceLineEndings("\n")}}
            """);
        return config;
    }

    public override NodeFigures? Read(string line) => JsonSerializer.Deserialize<NodeFigures>(line);
}
