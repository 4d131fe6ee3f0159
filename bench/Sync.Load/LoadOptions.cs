using System.Globalization;
using Sync.Contracts;
using Sync.Load.Workloads;

namespace Sync.Load;

/// <summary>What a run can measure.</summary>
[Flags]
public enum LoadParts { None = 0, Drain = 1, Latency = 2, Snapshot = 4, Growth = 8, Delay = 16, Soak = 32, Cluster = 64 }

/// <summary>What to measure.</summary>
public sealed record LoadOptions
{
    public const string Help = """
        Usage: bench/run [drain] [latency] [snapshot] [growth] [delay] [soak] [cluster] [options]

          drain       How fast a backlog is moved, beside other programs. With latency what is measured when nothing is named.
          latency     Commit to visible at 200, 2,000 and 10,000 rows a second, one and several tables, idle and with a busy core.
          snapshot    How fast a table is copied with 1, 2 and 4 workers, beside COPY and redis-cli --pipe.
          growth      What a row costs as keys, workers, tables, rows and transactions grow, as tables and drawings.
          delay       What 1, 2 and 4 flush workers make of a Redis that is 5 ms away in either direction.
          soak        What the node's memory does while 5,000 rows change each second for 20 minutes.
          cluster     What 1, 2 and 3 nodes of a cluster drain beside a single host, and with a Redis that is 5 ms away; a key that is hot; a million keys; 1 to 4,096 lanes.
          micro       The steps of a row's way alone, by BenchmarkDotNet; a word of its own, what follows is for it.

          --workload users|wide|json|shop|all
                                 Whose backlog is drained, also by delay (default users).
          --rows N               Row changes in it, 2200 or more (default 2200000). Also the most rows of snapshot and growth.
          --repeat N             How often each contestant drains it, alternately (default 1); the table shows medians.
          --contestants NAME,... Only these, such as floor,actorsync (default all that can be had).
          --latency-seconds N    How long each latency is measured, also beside a hot key (default 20).
          --soak-minutes N       How long the soak is, 4 or more (default 20).
          --cluster-runs NAME,...
                                 Only these of cluster: drain, delay, hot, keys, lanes (default all).
          --nodes N,...          With so many nodes of a cluster, 0 is a single host (default 0,1,2,3).
          --variant NAME=SETTINGS
                                 One more contestant: our node with these environment variables (NAME=VALUE, separated by commas),
                                 such as --variant one=ACTORSYNC_FLUSHWORKERS=1,DOTNET_TieredPGO=0. May be given several times.
          --plots FOLDER         Where growth and the lanes of cluster draw (default docs/benchmarks).
          --json FILE            Writes all runs, medians and the machine's shape to FILE.

        The exit code is 0 when every drain ended with the right content in Redis and what docs/benchmarks.md demands was held, otherwise 1.
        """;

    const int fewestRows = 2200;
    static readonly string[] clusterRuns = ["drain", "delay", "hot", "keys", "lanes"];

    public LoadParts Parts { get; init; }

    /// <summary>Names of workloads.</summary>
    public IReadOnlyList<string> Workloads { get; init; } = ["users"];

    /// <summary>Row changes in a backlog.</summary>
    public int Rows { get; init; } = 2_200_000;

    /// <summary>Drains of each contestant, 1 or more.</summary>
    public int Repeat { get; init; } = 1;

    /// <summary>Names of contestants; null for all.</summary>
    public IReadOnlyList<string>? Contestants { get; init; }

    /// <summary>Seconds of each latency measured, 1 or more.</summary>
    public int LatencySeconds { get; init; } = 20;

    /// <summary>Minutes of the soak, 4 or more.</summary>
    public int SoakMinutes { get; init; } = 20;

    /// <summary>What of <see cref="LoadParts.Cluster"/> is measured.</summary>
    public IReadOnlyList<string> ClusterRuns { get; init; } = clusterRuns;

    /// <summary>With how many nodes that is done; 0 is a single host.</summary>
    public IReadOnlyList<int> Nodes { get; init; } = [0, 1, 2, 3];

    public IReadOnlyList<NodeVariant> Variants { get; init; } = [];

    /// <summary>Where the drawings of growth go.</summary>
    public string PlotFolder { get; init; } = Repository.At("docs", "benchmarks");

    /// <summary>Where the figures go as JSON; null for nowhere.</summary>
    public string? JsonFile { get; init; }

    /// <exception cref="SyncException">An option is unknown, lacks its value, or the value is out of range.</exception>
    public static LoadOptions Parse(IReadOnlyList<string> arguments)
    {
        var options = new LoadOptions();
        for (int i = 0; i < arguments.Count; i++)
        {
            string name = arguments[i];
            if (!name.StartsWith("--", StringComparison.Ordinal))
            {
                options = options with { Parts = options.Parts | Part(name) };
                continue;
            }
            string value = ++i < arguments.Count ? arguments[i] : throw Wrong($"{name} needs a value");
            options = name switch
            {
                "--workload" when value == "all" => options with { Workloads = Workload.Names },
                "--workload" when Workload.Names.Contains(value) => options with { Workloads = [value] },
                "--rows" => options with { Rows = Number(name, value, fewestRows) },
                "--repeat" => options with { Repeat = Number(name, value, 1) },
                "--contestants" => options with { Contestants = value.Split(',') },
                "--latency-seconds" => options with { LatencySeconds = Number(name, value, 1) },
                "--soak-minutes" => options with { SoakMinutes = Number(name, value, 4) },
                "--cluster-runs" when value.Split(',') is var runs && runs.All(clusterRuns.Contains) => options with { ClusterRuns = runs },
                "--nodes" => options with { Nodes = [.. value.Split(',').Select(nodes => Number(name, nodes, 0))] },
                "--variant" => options with { Variants = [.. options.Variants, NodeVariant.Parse(value)] },
                "--plots" => options with { PlotFolder = Path.GetFullPath(value) },
                "--json" => options with { JsonFile = Path.GetFullPath(value) },
                _ => throw Wrong($"{name} {value} is unknown"),
            };
        }
        return options.Parts == LoadParts.None ? options with { Parts = LoadParts.Drain | LoadParts.Latency } : options;
    }

    static LoadParts Part(string name) => name switch
    {
        "drain" => LoadParts.Drain,
        "latency" => LoadParts.Latency,
        "snapshot" => LoadParts.Snapshot,
        "growth" => LoadParts.Growth,
        "delay" => LoadParts.Delay,
        "soak" => LoadParts.Soak,
        "cluster" => LoadParts.Cluster,
        _ => throw Wrong($"{name} is unknown"),
    };

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
