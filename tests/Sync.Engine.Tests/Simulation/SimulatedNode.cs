using System.Globalization;
using Sync.Contracts;
using Sync.Contracts.Rows;
using Sync.Engine.Batching;
using Sync.Engine.DeadLetters;
using Sync.Engine.Ordering;
using Sync.Engine.Progress;

namespace Sync.Engine.Tests.Simulation;

/// <summary>
/// A node around the real core: its reader routes, drops what is applied, batches and waits where a row moves between writers, as the stream pump does.
/// </summary>
sealed class SimulatedNode
{
    static readonly byte[] command = "*2\r\n$3\r\nSET\r\n$1\r\nk\r\n"u8.ToArray();

    readonly World world;
    readonly LaneRouter router;
    readonly AppliedPositions applied;
    readonly ProgressTracker tracker;
    readonly BatchAssembler assembler;
    readonly ParkedKeys[] parked;
    readonly Queue<(int Worker, Batch Batch)> handing = new();
    int transaction, row, part, drains = -1;

    public SimulatedNode(World world, int number, int workers)
    {
        this.world = world;
        Name = string.Create(CultureInfo.InvariantCulture, $"node {number}");
        Workers = workers;
        router = new LaneRouter(Scenario.Lanes, workers);
        applied = new AppliedPositions(Scenario.Lanes);
        var positions = world.Redis.Begin(workers);
        Owner = world.Redis.OwnerVersion;
        for (int lane = 0; lane < Scenario.Lanes; lane++) applied.Raise(lane, positions[lane]);
        parked = [.. Enumerable.Range(0, workers).Select(_ => new ParkedKeys())];
        if (world.Mutation != Mutation.ForgetsParkedKeys)
            foreach (var letter in world.Redis.Parked) ParkedFor(letter.Key).Add(Scenario.NameOf(letter.Key));
        foreach (var keys in parked) keys.Keep();
        tracker = new ProgressTracker(workers, world.Confirmed);
        assembler = new BatchAssembler(workers, new BatchLimits(world.Scenario.BatchRows), tracker, world.Rent);
        while (transaction < world.Scenario.Transactions.Count && Scenario.EndOf(transaction) <= world.Confirmed) transaction++;
        Writers = [.. Enumerable.Range(0, workers).Select(i => new SimulatedWriter(this, i, world))];
        world.Trace($"{Name} takes over with {workers} workers, from {world.Confirmed}");
    }

    public string Name { get; }
    public int Workers { get; }

    /// <summary>The version of the owner's token that is ours.</summary>
    public int Owner { get; }
    public SimulatedWriter[] Writers { get; }
    public bool IsFrozen { get; set; }
    public bool HasLeft { get; private set; }
    public Lsn Confirmable => world.Mutation == Mutation.ConfirmsWhatWasRead ? (transaction == 0 ? Lsn.None : Scenario.EndOf(transaction - 1)) : tracker.Confirmed;

    public ParkedKeys ParkedOf(int worker) => parked[worker];

    public void Applied(int worker) => tracker.Applied(worker);

    public void Leave(string why)
    {
        world.Trace($"{why} and leaves");
        HasLeft = true;
    }

    public void Die()
    {
        HasLeft = true;
        foreach (var writer in Writers) writer.Die();
    }

    public bool CanRead =>
        handing.Count > 0 ? Writers[handing.Peek().Worker].HasRoom
        : drains >= 0 ? Writers[drains].IsIdle
        : transaction < world.Scenario.Transactions.Count;

    /// <summary>Whether the stream is drained, so that what waits in open batches goes out.</summary>
    public bool CanFlush => assembler.HasOpen && handing.Count == 0;

    public void Flush()
    {
        for (int worker = 0; worker < Workers; worker++) HandOver(worker);
    }

    public void Read()
    {
        if (handing.Count > 0)
        {
            var (worker, batch) = handing.Dequeue();
            Writers[worker].Queue(batch);
            return;
        }
        drains = -1;
        if (row == world.Scenario.Transactions[transaction].Length)
        {
            tracker.Committed(assembler.Sequence, Scenario.EndOf(transaction));
            row = 0;
            if (++transaction == world.Scenario.Transactions.Count && tracker.IsIdle) tracker.Idle(Scenario.EndOf(transaction - 1));
            return;
        }
        ReadPart(world.Scenario.Transactions[transaction][row]);
    }

    void ReadPart(RowOfScenario change)
    {
        var position = new Position(Scenario.CommitOf(transaction), (2 * (ulong)row) + (ulong)part);
        int key = part == 0 ? change.Key : change.MovesTo;
        Add(position, key, change.Poison);
        if (part == 0 && change.MovesTo >= 0)
        {
            part = 1;
            int worker = WorkerOf(key);
            if (worker == WorkerOf(change.MovesTo)) return;
            HandOver(worker);
            if (world.Mutation != Mutation.MovesWithoutWaiting) drains = worker;
            return;
        }
        part = 0;
        row++;
    }

    void Add(Position position, int key, Poison poison)
    {
        byte[] name = Scenario.NameOf(key);
        int lane = router.LaneOf(name), worker = router.WorkerOf(lane);
        if (applied.Covers(lane, position)) return;
        if (poison == Poison.Unmappable) assembler.AddPoison(worker, position, name, 0, ChangeKind.Update, 0, "can't be expressed");
        else if (assembler.Add(worker, position, command, 1, name, 0, ChangeKind.Update, 0)) HandOver(worker);
    }

    void HandOver(int worker)
    {
        if (assembler.Take(worker) is { } batch) handing.Enqueue((worker, batch));
        if (handing.Count > Workers + 1) world.Redis.Fail("the reader holds more batches than it may");
    }

    /// <summary>Replays up to so many dead letters of each key whose writer is between two flights. True when none is left.</summary>
    public bool RetryDeadLetters(int most)
    {
        foreach (int key in world.Redis.Parked.Select(letter => letter.Key).Distinct().ToArray())
        {
            if (Owner != world.Redis.OwnerVersion || !Writers[WorkerOf(key)].IsBetweenFlights) continue;
            int replayed = 0;
            while (replayed < most && world.Redis.Parked.Exists(letter => letter.Key == key) && world.Redis.Replay(key)) replayed++;
            bool isReleased = !world.Redis.Parked.Exists(letter => letter.Key == key);
            if (isReleased) ParkedFor(key).Remove(Scenario.NameOf(key));
            world.Trace($"{Name} retries {replayed} dead letters of k{key}{(isReleased ? " and releases it" : "")}");
        }
        return world.Redis.Parked.Count == 0;
    }

    int WorkerOf(int key) => router.WorkerOf(router.LaneOf(Scenario.NameOf(key)));

    ParkedKeys ParkedFor(int key) => parked[WorkerOf(key)];
}
