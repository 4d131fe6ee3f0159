using System.Diagnostics;
using System.Text.Json;
using Sync.Load.Hosting;
using Sync.Load.Workloads;

namespace Sync.Load.Contestants;

/// <summary>Our node, all of it: mapping, order per key, exactly once. A variant runs with further environment variables.</summary>
sealed class NodeContestant(NodeVariant? variant = null) : Contestant
{
    public override string Name => variant?.Name ?? "actorsync";

    public override ProcessStartInfo Start(Stage stage, Workload workload, string slot, string folder)
    {
        var start = Start(stage, workload.Publication, slot, workload.Tables, folder, workload.Rows);
        foreach (var (name, value) in variant?.Environment ?? new Dictionary<string, string>()) start.Environment[name] = value;
        return start;
    }

    /// <summary>Reports after <paramref name="rows"/> rows; with 0 it only runs, until its standard input is closed.</summary>
    public static ProcessStartInfo Start(Stage stage, string publication, string slot, string tables, string folder, int rows)
    {
        string config = Path.Combine(folder, "config.yaml");
        File.WriteAllText(config, $$"""
            postgres:
              conn: { host: 127.0.0.1, port: {{stage.Postgres.Port}}, database: postgres, user: postgres }
              repl: { pub: {{publication}}, slot: {{slot}}, owner: user }
            redis:
              conn: { host: 127.0.0.1, port: {{stage.Redis.Port}} }
            snapshot: { mode: never }
            tables:
            {{tables.ReplaceLineEndings("\n")}}
            """);
        return Dotnet(typeof(NodeContestant).Assembly.Location, NodeChild.Command, config, $"{rows}");
    }

    public override NodeFigures? Read(string line) => JsonSerializer.Deserialize<NodeFigures>(line);
}
