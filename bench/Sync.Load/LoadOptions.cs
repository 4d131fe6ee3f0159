using System.Globalization;
using Sync.Contracts;

namespace Sync.Load;

/// <summary>What to measure.</summary>
public sealed record LoadOptions
{
    public const string Help = """
        Usage: bench/run [options]

          --rows N               Row changes in the backlog, 2200 or more (default 2200000).
          --repeat N             How often each contestant drains it, alternately (default 1); the table shows medians.
          --latency-seconds N    How long the latency is measured at 200 transactions a second (default 20; 0 leaves it out).
          --only drain|latency   Leaves the other part out.
          --variant NAME=SETTINGS
                                 One more contestant: our node with these environment variables (NAME=VALUE, separated by commas),
                                 such as --variant one=ACTORSYNC_FLUSHWORKERS=1,DOTNET_TieredPGO=0. May be given several times.
          --json FILE            Writes all runs, medians and the machine's shape to FILE.

        The exit code is 0 when every drain ended with the right content in Redis, our node stayed below 200 MB and the 99th percentile of
        the latency below 20 ms, otherwise 1.
        """;

    const int fewestRows = 2200;

    /// <summary>Row changes in the backlog.</summary>
    public int Rows { get; init; } = 2_200_000;

    /// <summary>Drains of each contestant, 1 or more.</summary>
    public int Repeat { get; init; } = 1;

    /// <summary>Seconds of the latency part; 0 leaves it out.</summary>
    public int LatencySeconds { get; init; } = 20;

    public bool Drain { get; init; } = true;

    public IReadOnlyList<NodeVariant> Variants { get; init; } = [];

    /// <summary>Where the figures go as JSON; null for nowhere.</summary>
    public string? JsonFile { get; init; }

    /// <exception cref="SyncException">An option is unknown, lacks its value, or the value is out of range.</exception>
    public static LoadOptions Parse(IReadOnlyList<string> arguments)
    {
        var options = new LoadOptions();
        for (int i = 0; i < arguments.Count; i += 2)
        {
            string name = arguments[i];
            string value = i + 1 < arguments.Count ? arguments[i + 1] : throw Wrong($"{name} needs a value");
            options = name switch
            {
                "--rows" => options with { Rows = Number(name, value, fewestRows) },
                "--repeat" => options with { Repeat = Number(name, value, 1) },
                "--latency-seconds" => options with { LatencySeconds = Number(name, value, 0) },
                "--only" when value == "drain" => options with { LatencySeconds = 0 },
                "--only" when value == "latency" => options with { Drain = false },
                "--variant" => options with { Variants = [.. options.Variants, NodeVariant.Parse(value)] },
                "--json" => options with { JsonFile = Path.GetFullPath(value) },
                _ => throw Wrong($"{name} {value} is unknown"),
            };
        }
        return options;
    }

    static int Number(string name, string value, int least) =>
        int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out int number) && number >= least
            ? number
            : throw Wrong($"{name} takes a whole number from {least} on, not '{value}'");

    internal static SyncException Wrong(string what) => new(ExitCode.Usage, $"{what}; see bench/run --help.");
}

/// <param name="Name">As it stands in the table.</param>
/// <param name="Environment">Variables its process gets on top of ours.</param>
public sealed record NodeVariant(string Name, IReadOnlyDictionary<string, string> Environment)
{
    /// <summary>Reads <c>NAME=VARIABLE=VALUE,VARIABLE=VALUE</c>.</summary>
    public static NodeVariant Parse(string text)
    {
        string[] head = text.Split('=', 2);
        if (head is not [{ Length: > 0 }, _]) throw LoadOptions.Wrong($"--variant takes NAME=SETTINGS, not '{text}'");
        var environment = new Dictionary<string, string>();
        foreach (string setting in head[1].Split(',', StringSplitOptions.RemoveEmptyEntries))
        {
            string[] parts = setting.Split('=', 2);
            if (parts is not [{ Length: > 0 }, _]) throw LoadOptions.Wrong($"'{setting}' in --variant {head[0]} is no NAME=VALUE");
            environment[parts[0]] = parts[1];
        }
        return new NodeVariant(head[0], environment);
    }
}
