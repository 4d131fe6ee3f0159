using System.Globalization;
using System.Text;

namespace Sync.Engine.Tests.Simulation.Lanes;

enum LaneFaultKind
{
    CrashNode, FreezeNode, ThawNodes, RestartLane, HandOff, HandOffTimeOver, DoubleOwner, StaleRoutes, CrashReader, ReplaceReader,
    CutConnection, CutConnectionAfterRun, Refuse, Lose, Calm, LessCredit,
}

/// <param name="Step">The step of the schedule before which it happens.</param>
/// <param name="Kind">What happens.</param>
/// <param name="Argument">To whom, or how often; 0 or more.</param>
readonly record struct LaneFault(int Step, LaneFaultKind Kind, int Argument);

/// <summary>Everything that a run depends on. Running it twice gives the same run.</summary>
/// <param name="Seed">Of the scheduler's choices.</param>
/// <param name="Nodes">Nodes that carry lanes.</param>
/// <param name="Writers">Writers of each node.</param>
/// <param name="BatchRows">Rows of a batch.</param>
/// <param name="Credit">Bytes that may be unacknowledged in a lane.</param>
/// <param name="Budget">Bytes that may be unacknowledged in all lanes.</param>
/// <param name="Loss">Of a hundred messages, how many are lost and how many come twice, until faults stop.</param>
/// <param name="Transactions">What PostgreSQL commits.</param>
/// <param name="Faults">What happens when.</param>
sealed record LaneScenario(
    int Seed, int Nodes, int Writers, int BatchRows, int Credit, int Budget, int Loss, IReadOnlyList<RowOfScenario[]> Transactions,
    IReadOnlyList<LaneFault> Faults) : IShrinkable<LaneScenario>
{
    /// <summary>Few enough that keys share a lane and lanes share a writer.</summary>
    public const int Lanes = 3;

    public static LaneScenario Of(int seed)
    {
        var random = new Random(seed);
        var transactions = new List<RowOfScenario[]>();
        bool poisonous = random.Next(3) == 0, compares = random.Next(2) == 0;
        for (int i = random.Next(2, 11); i > 0; i--)
        {
            var rows = new RowOfScenario[random.Next(1, random.Next(5) == 0 ? 9 : 4)];
            for (int row = 0; row < rows.Length; row++)
            {
                int key = random.Next(Scenario.Keys), to = random.Next(8) == 0 ? random.Next(Scenario.Keys) : -1;
                var poison = poisonous && to < 0 ? random.Next(16) switch { 0 => Poison.Unmappable, 1 => Poison.RefusedWhenQueued, _ => Poison.None } : Poison.None;
                rows[row] = new RowOfScenario(key, to == key ? -1 : to, poison) { IsCompared = compares && to < 0 && poison == Poison.None && random.Next(6) == 0 };
            }
            transactions.Add(rows);
        }
        var kinds = Enum.GetValues<LaneFaultKind>();
        var faults = Enumerable.Range(0, random.Next(0, 10)).Select(_ => new LaneFault(random.Next(5, 220), kinds[random.Next(kinds.Length)], random.Next(0, 12))).ToList();
        // Lanes that move, and soon move again, are what this is about.
        for (int moves = random.Next(3) == 0 ? random.Next(1, 4) : 0; moves > 0; moves--)
        {
            var first = new LaneFault(random.Next(5, 180), LaneFaultKind.HandOff, random.Next(0, 12));
            faults.Add(first);
            faults.Add(first with { Step = first.Step + random.Next(5, 40), Kind = random.Next(2) == 0 ? LaneFaultKind.DoubleOwner : LaneFaultKind.RestartLane });
        }
        return new LaneScenario(
            seed, random.Next(2, 4), random.Next(1, 3), random.Next(1, 5), random.Next(30, 200), random.Next(60, 400), random.Next(3) == 0 ? 0 : random.Next(1, 25),
            transactions, [.. faults.OrderBy(f => f.Step)]);
    }

    public IEnumerable<LaneScenario> Smaller()
    {
        for (int i = 0; i < Faults.Count; i++) yield return this with { Faults = Shrinker.Without(Faults, i) };
        foreach (var transactions in Shrinker.Smaller(Transactions)) yield return this with { Transactions = transactions };
        if (Loss > 0) yield return this with { Loss = 0 };
        if (Writers > 1) yield return this with { Writers = 1 };
        if (Nodes > 2) yield return this with { Nodes = 2 };
    }

    public LaneScenario Otherwise(int seed, int quarters) => this with
    {
        Seed = seed == 0 ? Seed : seed,
        Faults = [.. Faults.Select(f => f with { Step = Math.Max(2, f.Step * quarters / 4) })],
    };

    /// <summary>For people: what happens in it, in a line each.</summary>
    public string Describe()
    {
        var text = new StringBuilder();
        text.AppendLine(CultureInfo.InvariantCulture,
            $"seed {Seed}, {Nodes} nodes of {Writers} writers, batches of {BatchRows}, credit {Credit}, budget {Budget}, {Loss} % lost and doubled");
        for (int i = 0; i < Transactions.Count; i++)
            text.AppendLine(CultureInfo.InvariantCulture, $"  transaction {Scenario.CommitOf(i)}: {string.Join(", ", Transactions[i].Select(Scenario.Describe))}");
        foreach (var fault in Faults) text.AppendLine(CultureInfo.InvariantCulture, $"  before step {fault.Step}: {fault.Kind} {fault.Argument}");
        return text.ToString();
    }
}
