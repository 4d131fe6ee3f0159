using System.Globalization;
using Sync.Faults.Injecting;

namespace Sync.Faults;

/// <summary>What to run. Scenarios that are named run alone; otherwise it is a long run of faults.</summary>
sealed record FaultOptions
{
    public const string Help = """
        ./test --faults [--minutes N] [--seed N] [--rate N] [--only KIND,KIND]   faults against two nodes under load; everything is compared at the end
        ./test --faults --at-least-once …                                        the same with delivery: at-least-once; it has to find duplicates, and fails
        ./test --faults --cluster N …                                            the same against a cluster of N nodes, 3 to 5, with faults of its own
        ./test --faults --cluster N --takeover [--only KIND,KIND]                how long changes stand still when a node of it is killed, stopped, frozen or cut off
        ./test --faults --cluster N --rolling                                    the lag while all nodes are restarted, one after the other
        ./test --faults --client stackexchange …                                 the same with redis.client: stackexchange
        ./test --faults --history [--cluster N] [--minutes N] [--seed N]         PostgreSQL goes back, forks, loses slot or publication under load
        ./test --faults --outage [--minutes N]                                   Redis away for N minutes (5) under load
        ./test --faults --takeover                                               how long a standby takes after a kill -9
        ./test --faults --self-test                                              that a lost, a duplicated and a reordered change are found
        ./test --faults --plan [--seed N] [--cluster N]                          prints the first 40 faults of a seed
        """;

    /// <summary>Of a long run, 0.1 to 600; 0 is the scenario's own.</summary>
    public double Minutes { get; init; }

    /// <summary>Decides load and faults.</summary>
    public int Seed { get; init; } = Random.Shared.Next(1, 1_000_000);

    /// <summary>Row changes a second that the load aims at, 10 to 5000.</summary>
    public int Rate { get; init; } = 800;

    /// <summary>Whether the nodes run with <c>delivery: at-least-once</c>, which has to show as duplicates: what the other mode is worth.</summary>
    public bool AtLeastOnce { get; init; }

    /// <summary>Nodes of the cluster, 3 to 5; 0 for two single hosts.</summary>
    public int Cluster { get; init; }

    /// <summary><c>redis.client</c> of the nodes.</summary>
    public string Client { get; init; } = "resp";

    /// <summary>The kinds to draw from; none: all.</summary>
    public IReadOnlyList<FaultKind> Only { get; init; } = [];

    /// <summary>The scenarios to run: faults, self-test, takeover, rolling, outage, history, plan.</summary>
    public IReadOnlyList<string> Scenarios { get; init; } = [];

    /// <exception cref="ArgumentException">An argument is unknown or out of range.</exception>
    public static FaultOptions Parse(string[] arguments)
    {
        var options = new FaultOptions();
        var scenarios = new List<string>();
        for (int i = 0; i < arguments.Length; i++)
        {
            string name = arguments[i];
            string Value() => ++i < arguments.Length ? arguments[i] : throw new ArgumentException($"{name} needs a value.");
            switch (name)
            {
                case "--minutes": options = options with { Minutes = Number(name, Value(), 0.1, 600) }; break;
                case "--seed": options = options with { Seed = (int)Number(name, Value(), 0, int.MaxValue) }; break;
                case "--rate": options = options with { Rate = (int)Number(name, Value(), 10, 5000) }; break;
                case "--at-least-once": options = options with { AtLeastOnce = true }; break;
                case "--cluster": options = options with { Cluster = (int)Number(name, Value(), 3, 5) }; break;
                case "--client": options = options with { Client = Value() is "resp" or "stackexchange" ? arguments[i] : throw new ArgumentException($"{name} takes resp or stackexchange.") }; break;
                case "--only": options = options with { Only = [.. Value().Split(',').Select(Kind)] }; break;
                case "--faults" or "--self-test" or "--takeover" or "--rolling" or "--outage" or "--history" or "--plan": scenarios.Add(name[2..]); break;
                default: throw new ArgumentException($"{name} is unknown.");
            }
        }
        if (options.Cluster == 0 && scenarios.Contains("rolling")) throw new ArgumentException("--rolling is for a cluster: --cluster 3.");
        if (options.Cluster > 0 && (options.AtLeastOnce || scenarios.Contains("outage"))) throw new ArgumentException("A cluster has neither --at-least-once nor --outage.");
        if (options.Only.Except(FaultPlan.Kinds(options.Cluster > 0)).Select(k => (FaultKind?)k).FirstOrDefault() is { } foreign)
            throw new ArgumentException($"There is no fault {foreign} {(options.Cluster > 0 ? "of a cluster" : "without --cluster")}.");
        return options with { Scenarios = scenarios.Count > 0 ? scenarios : ["faults"] };
    }

    static double Number(string name, string text, double least, double most) =>
        double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double number) && number >= least && number <= most
            ? number
            : throw new ArgumentException($"{name} takes a number from {least} to {most}.");

    static FaultKind Kind(string text) =>
        Enum.TryParse<FaultKind>(text, ignoreCase: true, out var kind) && Enum.IsDefined(kind) && kind != FaultKind.PoisonKey
            ? kind
            : throw new ArgumentException($"There is no fault {text}; there are {string.Join(", ", Enum.GetValues<FaultKind>().Where(k => k != FaultKind.PoisonKey))}.");
}
