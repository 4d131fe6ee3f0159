using System.Globalization;
using Sync.Contracts;
using Sync.Engine.Batching;
using Sync.Engine.DeadLetters;
using Sync.Engine.Progress;
using Sync.Engine.Retry;

namespace Sync.Engine.Tests.Simulation;

/// <summary>A change as Redis sees it: the key it writes and its place in the log, which names it.</summary>
readonly record struct ChangeOfKey(int Key, Position Position);

/// <summary>A connection: what it watches, and whether Redis still listens to it.</summary>
sealed class SimulatedConnection(int watched)
{
    /// <summary>The version of the owner's token when it was watched.</summary>
    public int Watched { get; set; } = watched;

    public bool IsKilled { get; set; }
}

/// <summary>
/// Redis with what matters here: transactions that run whole or not at all, a watched owner, keys that remember every change in the order it was
/// applied (so that a set, an increment and an append all show when they run twice or out of turn), progress and dead letters. It judges each change when it runs: what it
/// sees is what a reader of Redis would see.
/// </summary>
sealed class SimulatedRedis(Scenario scenario, Mutation mutation)
{
    readonly Dictionary<Position, int> keyOf = KeysOf(scenario);
    readonly Dictionary<Position, Position> firstHalf = HalvesOf(scenario);
    readonly Position[] lastApplied = new Position[Scenario.Keys];
    readonly HashSet<Position> unparked = [];

    public HashSet<Position> Applied { get; } = [];

    /// <summary>Dead letters in the order of parking.</summary>
    public List<ChangeOfKey> Parked { get; } = [];

    /// <summary>Refused while running, and never parked because their node died first: the one loss that the protocol admits.</summary>
    public HashSet<Position> Forgotten { get; } = [];

    public Dictionary<string, string> Progress { get; } = [];
    public int OwnerVersion { get; private set; }

    /// <summary>Whether somebody has mended what made it refuse.</summary>
    public bool IsMended { get; set; }

    /// <summary>The first thing that must never happen and did.</summary>
    public string? Violation { get; private set; }

    public int Changes => keyOf.Count;

    /// <summary>A node takes over: what was recorded becomes one position per lane, in one transaction with the new owner.</summary>
    public LanePositions Begin(int workers)
    {
        var fields = mutation == Mutation.NoFolding
            ? Progress.Where(f => f.Key.StartsWith(string.Create(CultureInfo.InvariantCulture, $"w:{workers}:"), StringComparison.Ordinal))
            : Progress;
        var found = LanePositions.Merge(Scenario.Lanes, fields);
        if (mutation != Mutation.NoFolding)
        {
            foreach (string field in found.WorkerFields) Progress.Remove(field);
            for (int lane = 0; lane < found.Count; lane++) Progress[LanePositions.LaneField(lane)] = found[lane].ToString();
        }
        OwnerVersion++;
        Forgotten.UnionWith(unparked);
        unparked.Clear();
        return found;
    }

    /// <summary>A flight: all of it and the position, or nothing.</summary>
    public FlightResult Run(SimulatedConnection connection, Batch[] batches, DeadLetter[] held, string field, Position reached)
    {
        if (connection.Watched != OwnerVersion && mutation != Mutation.NoFence) return new FlightResult(FlightOutcome.Fenced, []);
        var failures = Failures(batches, change => !IsMended && IsRefusedWhenQueued(change));
        if (failures.Count > 0) return new FlightResult(FlightOutcome.Rejected, failures);
        failures = Failures(batches, IsBlocked);
        // Nobody sees the inside of a transaction, so what it parks counts as parked for what it applies.
        foreach (var letter in held) Park(letter.Position);
        foreach (var batch in batches)
            foreach (ref readonly var entry in batch.Entries)
            {
                if (IsBlocked(entry.Position)) unparked.Add(entry.Position);
                else Apply(entry.Position);
            }
        Progress[field] = reached.ToString();
        return failures.Count == 0 ? FlightResult.AllApplied : new FlightResult(FlightOutcome.Applied, failures);
    }

    /// <summary>Parks what was refused while a flight ran. False when somebody else owns the lanes by now.</summary>
    public bool ParkRefused(SimulatedConnection connection, DeadLetter[] letters, string field, Position reached)
    {
        if (connection.Watched != OwnerVersion && mutation != Mutation.NoFence) return false;
        foreach (var letter in letters)
        {
            unparked.Remove(letter.Position);
            Park(letter.Position);
        }
        Progress[field] = reached.ToString();
        return true;
    }

    /// <summary>What of a flight was refused, seen from what the keys hold.</summary>
    public List<CommandFailure> FindRefused(IReadOnlyList<Batch> batches) => Failures(batches, IsBlocked);

    /// <summary>Applies the oldest dead letter of a key; false when it is refused again.</summary>
    public bool Replay(int key)
    {
        var letters = ReplayOrder.Of([.. Parked.Where(letter => letter.Key == key)], letter => letter.Position);
        if (letters.Count == 0) return true;
        var position = letters[0].Position;
        if (IsBlocked(position) || (!IsMended && IsRefusedWhenQueued(position))) return false;
        Parked.Remove(letters[0]);
        Apply(position);
        return true;
    }

    public void Fail(string violation) => Violation ??= violation;

    /// <summary>All that ends up in neither is told.</summary>
    public void CheckComplete(Lsn upTo)
    {
        foreach (var (position, key) in keyOf)
            if (position.Commit < upTo && !Applied.Contains(position) && !Forgotten.Contains(position) && !unparked.Contains(position)
                && !Parked.Contains(new ChangeOfKey(key, position)))
                Fail($"{Name(position)} of k{key} is neither applied nor parked, though {upTo} is confirmed");
    }

    void Apply(Position position)
    {
        int key = keyOf[position];
        if (!Applied.Add(position)) Fail($"{Name(position)} was applied to k{key} twice");
        else if (position < lastApplied[key]) Fail($"{Name(position)} was applied to k{key} behind {Name(lastApplied[key])}");
        else if (Parked.Exists(letter => letter.Key == key && letter.Position < position)) Fail($"{Name(position)} of k{key} has overtaken a dead letter");
        else if (Parked.Contains(new ChangeOfKey(key, position))) Fail($"{Name(position)} of k{key} is parked and applied");
        else if (firstHalf.TryGetValue(position, out var half) && !Applied.Contains(half) && !Parked.Exists(letter => letter.Position == half)
            && !unparked.Contains(half) && !Forgotten.Contains(half))
            Fail($"{Name(position)} came to k{key} before it had left its old key");
        if (position > lastApplied[key]) lastApplied[key] = position;
    }

    void Park(Position position)
    {
        var change = new ChangeOfKey(keyOf[position], position);
        if (Applied.Contains(position)) Fail($"{Name(position)} of k{change.Key} is applied and was parked");
        else if (Parked.Contains(change)) Fail($"{Name(position)} of k{change.Key} was parked twice");
        Parked.Add(change);
    }

    bool IsBlocked(Position position) => !IsMended && scenario.BlockedKeys.Contains(keyOf[position]);

    bool IsRefusedWhenQueued(Position position) => RowOf(position).Poison == Poison.RefusedWhenQueued;

    RowOfScenario RowOf(Position position) => scenario.Transactions[(int)(position.Commit.Value / 100) - 1][position.Step / 2];

    public static string Name(Position position) => string.Create(CultureInfo.InvariantCulture, $"{position.Commit}+{position.Step}");

    static List<CommandFailure> Failures(IReadOnlyList<Batch> batches, Func<Position, bool> isRefused)
    {
        List<CommandFailure>? failures = null;
        for (int batch = 0; batch < batches.Count; batch++)
            for (int entry = 0; entry < batches[batch].Count; entry++)
                if (isRefused(batches[batch].Entries[entry].Position)) (failures ??= []).Add(new CommandFailure(batch, entry, 0, "refused", FailureClass.Poison));
        return failures ?? [];
    }

    static Dictionary<Position, int> KeysOf(Scenario scenario)
    {
        var keys = new Dictionary<Position, int>();
        for (int transaction = 0; transaction < scenario.Transactions.Count; transaction++)
            for (int row = 0; row < scenario.Transactions[transaction].Length; row++)
            {
                var position = new Position(Scenario.CommitOf(transaction), 2 * (ulong)row);
                var (key, to, _) = scenario.Transactions[transaction][row];
                keys[position] = key;
                if (to >= 0) keys[position with { Step = position.Step + 1 }] = to;
            }
        return keys;
    }

    static Dictionary<Position, Position> HalvesOf(Scenario scenario) =>
        KeysOf(scenario).Keys.Where(p => p.Step % 2 == 1).ToDictionary(p => p, p => p with { Step = p.Step - 1 });
}
