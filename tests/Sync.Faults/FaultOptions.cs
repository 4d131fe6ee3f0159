using System.Globalization;
using Sync.Faults.Injecting;

namespace Sync.Faults;

/// <summary>What to run. Scenarios that are named run alone; otherwise it is a long run of faults.</summary>
sealed record FaultOptions
{
    public const string Help = """
        ./test --faults [--minutes N] [--seed N] [--rate N] [--only KIND,KIND]   faults against two nodes under load; everything is compared at the end
        ./test --faults --at-least-once …                                        the same with delivery: at-least-once; it has to find duplicates, and fails
        ./test --faults --client stackexchange …                                 the same with redis.client: stackexchange
        ./test --faults --outage [--minutes N]                                   Redis away for N minutes (5) under load
        ./test --faults --takeover                                               how long a standby takes after a kill -9
        ./test --faults --self-test                                              that a lost, a duplicated and a reordered change are found
        ./test --faults --plan [--seed N]                                        prints the first 40 faults of a seed
        """;

    /// <summary>Of a long run, 0.1 to 600; 0 is the scenario's own.</summary>
    public double Minutes { get; init; }

    /// <summary>Decides load and faults.</summary>
    public int Seed { get; init; } = Random.Shared.Next(1, 1_000_000);

    /// <summary>Row changes a second that the load aims at, 10 to 5000.</summary>
    public int Rate { get; init; } = 800;

    /// <summary>Whether the nodes run with <c>delivery: at-least-once</c>, which has to show as duplicates: what the other mode is worth.</summary>
    public bool AtLeastOnce { get; init; }

    /// <summary><c>redis.client</c> of the nodes.</summary>
    public string Client { get; init; } = "resp";

    /// <summary>The kinds to draw from; none: all.</summary>
    public IReadOnlyList<FaultKind> Only { get; init; } = [];

    /// <summary>The scenarios to run: faults, self-test, takeover, outage, plan.</summary>
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
                case "--client": options = options with { Client = Value() is "resp" or "stackexchange" ? arguments[i] : throw new ArgumentException($"{name} takes resp or stackexchange.") }; break;
                case "--only": options = options with { Only = [.. Value().Split(',').Select(Kind)] }; break;
                case "--faults" or "--self-test" or "--takeover" or "--outage" or "--plan": scenarios.Add(name[2..]); break;
                default: throw new ArgumentException($"{name} is unknown.");
            }
        }
        return options with { Scenarios = scenarios.Count > 0 ? scenarios : ["faults"] };
    }

    static double Number(string name, string text, double least, double most) =>
        double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double number) && number >= least && number <= most
            ? number
            : throw new ArgumentException($"{name} takes a number from {least} to {most}.");

    static FaultKind Kind(string text) =>
        Enum.TryParse<FaultKind>(text, ignoreCase: true, out var kind) && Enum.IsDefined(kind) && kind != FaultKind.PoisonKey
            ? kind
            : throw new ArgumentException($"There is no fault {text}; there are {string.Join(", ", Enum.GetNames<FaultKind>().SkipLast(1))}.");
}
