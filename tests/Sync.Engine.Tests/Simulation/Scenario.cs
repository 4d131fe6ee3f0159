using System.Globalization;
using System.Text;
using Sync.Contracts;

namespace Sync.Engine.Tests.Simulation;

/// <summary>How a change misbehaves.</summary>
enum Poison
{
    None,
    /// <summary>It can't be expressed as commands.</summary>
    Unmappable,
    /// <summary>Redis refuses its command before the transaction runs.</summary>
    RefusedWhenQueued,
}

/// <summary>A row of a transaction: a change of a key, or a move from one key to another, which is a change of both.</summary>
/// <param name="Key">The key, or the one it leaves.</param>
/// <param name="MovesTo">The key it moves to; -1 when it stays.</param>
/// <param name="Poison">How it misbehaves.</param>
readonly record struct RowOfScenario(int Key, int MovesTo, Poison Poison)
{
    /// <summary>Only between reader and lanes: nothing changed, the row is compared with what Redis holds then.</summary>
    public bool IsCompared { get; init; }
}

enum FaultKind { CutConnection, CutConnectionAfterReply, Refuse, CrashNode, RestartRedis, FreezeAndReplace, Thaw, RetryDeadLetters }

/// <param name="Step">The step of the schedule before which it happens.</param>
/// <param name="Kind">What happens.</param>
/// <param name="Argument">To which writer, how often, or with how many workers the next node starts.</param>
readonly record struct Fault(int Step, FaultKind Kind, int Argument);

/// <summary>
/// Everything that a run depends on: what PostgreSQL commits, which faults happen when, and the seed of the scheduler's choices. Running it twice
/// gives the same run.
/// </summary>
sealed record Scenario(int Seed, int Workers, int BatchRows, IReadOnlyList<RowOfScenario[]> Transactions, IReadOnlySet<int> BlockedKeys, IReadOnlyList<Fault> Faults)
    : IShrinkable<Scenario>
{
    /// <summary>Few enough that keys share a lane and lanes share a worker.</summary>
    public const int Keys = 6, Lanes = 5;

    static readonly byte[][] names = [.. Enumerable.Range(0, Keys).Select(i => Encoding.UTF8.GetBytes($"k{i}"))];

    public static byte[] NameOf(int key) => names[key];

    public static Lsn CommitOf(int transaction) => new((ulong)(transaction + 1) * 100);

    public static Lsn EndOf(int transaction) => new(((ulong)(transaction + 1) * 100) + 50);

    public static Scenario Of(int seed)
    {
        var random = new Random(seed);
        var transactions = new List<RowOfScenario[]>();
        bool poisonous = random.Next(3) == 0;
        for (int i = random.Next(2, 14); i > 0; i--)
        {
            var rows = new RowOfScenario[random.Next(1, random.Next(5) == 0 ? 12 : 4)];
            for (int row = 0; row < rows.Length; row++)
            {
                int key = random.Next(Keys), to = random.Next(6) == 0 ? random.Next(Keys) : -1;
                var poison = poisonous && to < 0 ? random.Next(24) switch { 0 => Poison.Unmappable, 1 => Poison.RefusedWhenQueued, _ => Poison.None } : Poison.None;
                rows[row] = new RowOfScenario(key, to == key ? -1 : to, poison);
            }
            transactions.Add(rows);
        }
        var kinds = Enum.GetValues<FaultKind>();
        var faults = Enumerable.Range(0, random.Next(0, 9)).Select(_ => new Fault(random.Next(8, 260), kinds[random.Next(kinds.Length)], random.Next(1, 5)));
        var blocked = random.Next(4) == 0 ? new HashSet<int> { random.Next(Keys) } : [];
        return new Scenario(seed, random.Next(1, 5), random.Next(1, 5), transactions, blocked, [.. faults.OrderBy(f => f.Step)]);
    }

    public IEnumerable<Scenario> Smaller()
    {
        for (int i = 0; i < Faults.Count; i++) yield return this with { Faults = Shrinker.Without(Faults, i) };
        foreach (var transactions in Shrinker.Smaller(Transactions)) yield return this with { Transactions = transactions };
        if (BlockedKeys.Count > 0) yield return this with { BlockedKeys = new HashSet<int>() };
        if (Workers > 1) yield return this with { Workers = Workers - 1 };
        for (int i = 0; i < Faults.Count; i++)
            if (Faults[i].Step > 4) yield return this with { Faults = [.. Faults.Select((f, at) => at == i ? f with { Step = f.Step / 2 } : f).OrderBy(f => f.Step)] };
    }

    public Scenario Otherwise(int seed, int quarters) => this with
    {
        Seed = seed == 0 ? Seed : seed,
        Faults = [.. Faults.Select(f => f with { Step = Math.Max(2, f.Step * quarters / 4) })],
    };

    /// <summary>For people: what happens in it, in a line each.</summary>
    public string Describe()
    {
        var text = new StringBuilder();
        text.AppendLine(CultureInfo.InvariantCulture, $"seed {Seed}, {Workers} workers, batches of {BatchRows}, blocked keys: {(BlockedKeys.Count == 0 ? "none" : string.Join(' ', BlockedKeys))}");
        for (int i = 0; i < Transactions.Count; i++)
            text.AppendLine(CultureInfo.InvariantCulture, $"  transaction {CommitOf(i)}: {string.Join(", ", Transactions[i].Select(Describe))}");
        foreach (var fault in Faults) text.AppendLine(CultureInfo.InvariantCulture, $"  before step {fault.Step}: {fault.Kind} {fault.Argument}");
        return text.ToString();
    }

    public static string Describe(RowOfScenario row) =>
        $"k{row.Key}{(row.MovesTo >= 0 ? $" moves to k{row.MovesTo}" : "")}{(row.Poison == Poison.None ? "" : $" ({row.Poison})")}{(row.IsCompared ? " is compared" : "")}";
}
