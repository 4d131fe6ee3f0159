using Sync.Contracts;
using Sync.Engine.Batching;
using Sync.Engine.DeadLetters;
using Sync.Engine.Retry;

namespace Sync.Engine.Tests.Simulation.Lanes;

/// <summary>What a connection of a node watches, and whether Redis still listens to it.</summary>
sealed class LaneConnection(int node)
{
    public int Node => node;
    public long Watched { get; set; }
    public bool IsKilled { get; set; }
}

/// <summary>The part of a transaction that belongs to one lane.</summary>
readonly record struct LanePart(int Lane, IReadOnlyList<Batch> Batches, IReadOnlyList<DeadLetter> Held, Position Reached);

/// <summary>Redis: owners, tokens, positions, and the history of each key. It knows what was committed and sees everything that must never happen.</summary>
sealed class LaneRedis
{
    readonly LaneScenario scenario;
    readonly LaneMutation mutation;
    readonly Dictionary<Position, int> keyOf = [];
    readonly Position[] lastApplied = new Position[Scenario.Keys];
    readonly Dictionary<int, long> tokens = [];
    readonly HashSet<Position> compared = [];

    public LaneRedis(LaneScenario scenario, LaneMutation mutation)
    {
        this.scenario = scenario;
        this.mutation = mutation;
        for (int transaction = 0; transaction < scenario.Transactions.Count; transaction++)
            for (int row = 0; row < scenario.Transactions[transaction].Length; row++)
            {
                var (key, to, _) = scenario.Transactions[transaction][row];
                keyOf[new Position(Scenario.CommitOf(transaction), 2 * (ulong)row)] = key;
                if (scenario.Transactions[transaction][row].IsCompared) compared.Add(new Position(Scenario.CommitOf(transaction), 2 * (ulong)row));
                if (to >= 0) keyOf[new Position(Scenario.CommitOf(transaction), (2 * (ulong)row) + 1)] = to;
            }
    }

    public HashSet<Position> Applied { get; } = [];
    public Dictionary<Position, int> Parked { get; } = [];
    public Position[] Positions { get; } = new Position[LaneScenario.Lanes];

    /// <summary>Node and claim of each lane's owner; node 0 for none.</summary>
    public (int Node, long Claim)[] Owners { get; } = new (int, long)[LaneScenario.Lanes];
    public long LastClaim { get; private set; }
    public long Epoch { get; private set; }
    public Lsn Confirmed { get; private set; }
    public int Changes => keyOf.Count;

    /// <summary>The first thing that must never happen and did.</summary>
    public string? Violation { get; private set; }

    public void Fail(string violation) => Violation ??= violation;

    public long NewEpoch() => ++Epoch;

    public long Token(int node) => tokens.GetValueOrDefault(node);

    /// <summary>One script: whoever owns the lane is fenced, and what it had written until then is told.</summary>
    public (long Claim, Position Position) Take(int lane, int node)
    {
        int owner = Owners[lane].Node;
        if (owner != 0 && mutation != LaneMutation.NoFence && !(owner == node && mutation == LaneMutation.NoFenceOnOneNode)) tokens[owner] = Token(owner) + 1;
        Owners[lane] = (node, ++LastClaim);
        return (LastClaim, Positions[lane]);
    }

    public void GiveUp(int lane, int node, long claim)
    {
        if (Owners[lane] == (node, claim) || mutation == LaneMutation.GivesUpForOthers) Owners[lane] = default;
    }

    public Dictionary<int, long> LanesOf(int node)
    {
        var lanes = new Dictionary<int, long>();
        for (int lane = 0; lane < Owners.Length; lane++)
            if (Owners[lane].Node == node) lanes[lane] = Owners[lane].Claim;
        return lanes;
    }

    /// <summary>A reader records what it will tell PostgreSQL; false when a later one has started.</summary>
    public bool Confirm(long epoch, Lsn confirmed)
    {
        if (epoch != Epoch && mutation != LaneMutation.ReplacedReaderConfirms) return false;
        if (confirmed < Confirmed) Fail($"the confirmed place went back from {Confirmed} to {confirmed}");
        Confirmed = confirmed;
        CheckComplete(confirmed);
        return epoch == Epoch;
    }

    /// <summary>A transaction: all parts and their positions, or nothing. Null when it was fenced.</summary>
    public FlightResult[]? Run(LaneConnection connection, LanePart[] parts)
    {
        if (connection.Watched != Token(connection.Node)) return null;
        var refused = parts.Select(part => Failures(part.Batches)).ToArray();
        if (refused.Any(failures => failures.Count > 0)) return [.. refused.Select(failures => new FlightResult(FlightOutcome.Rejected, failures))];
        foreach (var part in parts)
        {
            CheckCompared(part);
            foreach (var letter in part.Held) Park(letter.Position);
            foreach (var batch in part.Batches)
                foreach (ref readonly var entry in batch.Entries) Apply(entry.Position);
            if (part.Reached < Positions[part.Lane]) Fail($"the position of lane {part.Lane} went back from {SimulatedRedis.Name(Positions[part.Lane])} to {SimulatedRedis.Name(part.Reached)}");
            Positions[part.Lane] = part.Reached;
        }
        return [.. parts.Select(_ => FlightResult.AllApplied)];
    }

    public void CheckComplete(Lsn upTo)
    {
        foreach (var (position, key) in keyOf)
            if (position.Commit < upTo && !Applied.Contains(position) && !Parked.ContainsKey(position))
                Fail($"{SimulatedRedis.Name(position)} of k{key} is neither applied nor parked, though {upTo} is confirmed");
    }

    /// <summary>What is compared was read before the transaction ran, so nothing of the lane may come between.</summary>
    void CheckCompared(LanePart part)
    {
        var positions = part.Batches.SelectMany(batch => batch.Entries.ToArray()).Select(entry => entry.Position).ToList();
        if (!positions.Exists(compared.Contains)) return;
        if (!positions.TrueForAll(compared.Contains)) Fail($"rows of lane {part.Lane} are compared and written in one flight");
    }

    void Apply(Position position)
    {
        int key = keyOf[position];
        var half = position with { Step = position.Step & ~1UL };
        if (!Applied.Add(position)) Fail($"{SimulatedRedis.Name(position)} was applied to k{key} twice");
        else if (position < lastApplied[key]) Fail($"{SimulatedRedis.Name(position)} was applied to k{key} behind {SimulatedRedis.Name(lastApplied[key])}");
        else if (Parked.ContainsKey(position)) Fail($"{SimulatedRedis.Name(position)} of k{key} is parked and applied");
        else if (Parked.Any(letter => letter.Value == key && letter.Key < position)) Fail($"{SimulatedRedis.Name(position)} of k{key} has overtaken a dead letter");
        else if (half != position && !Applied.Contains(half) && !Parked.ContainsKey(half)) Fail($"{SimulatedRedis.Name(position)} came to k{key} before it had left its old key");
        if (position > lastApplied[key]) lastApplied[key] = position;
    }

    void Park(Position position)
    {
        int key = keyOf[position];
        if (Applied.Contains(position)) Fail($"{SimulatedRedis.Name(position)} of k{key} is applied and was parked");
        else if (!Parked.TryAdd(position, key)) Fail($"{SimulatedRedis.Name(position)} of k{key} was parked twice");
        else if (lastApplied[key] > position) Fail($"{SimulatedRedis.Name(position)} was parked behind a later change of k{key}");
    }

    List<CommandFailure> Failures(IReadOnlyList<Batch> batches)
    {
        List<CommandFailure>? failures = null;
        for (int batch = 0; batch < batches.Count; batch++)
            for (int entry = 0; entry < batches[batch].Count; entry++)
                if (IsRefused(batches[batch].Entries[entry].Position)) (failures ??= []).Add(new CommandFailure(batch, entry, 0, "refused", FailureClass.Poison));
        return failures ?? [];
    }

    bool IsRefused(Position position) =>
        scenario.Transactions[(int)(position.Commit.Value / 100) - 1][position.Step / 2].Poison == Poison.RefusedWhenQueued;
}
