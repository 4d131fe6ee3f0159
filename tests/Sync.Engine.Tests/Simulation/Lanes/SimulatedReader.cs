using System.Globalization;
using Sync.Contracts;
using Sync.Contracts.Cluster;
using Sync.Contracts.Rows;
using Sync.Engine.Batching;
using Sync.Engine.Lanes;
using Sync.Engine.Ordering;
using Sync.Engine.Progress;

namespace Sync.Engine.Tests.Simulation.Lanes;

/// <summary>
/// A reader around the real senders, from its start on. One that was replaced goes on reading what it has buffered, which is the worst it could do.
/// </summary>
sealed class SimulatedReader
{
    static readonly LaneRouter router = new(LaneScenario.Lanes, 1);
    static readonly byte[] command = "*2\r\n$3\r\nSET\r\n$1\r\nk\r\n"u8.ToArray();
    static readonly int[] laneOf = [.. Enumerable.Range(0, Scenario.Keys).Select(key => router.LaneOf(Scenario.NameOf(key)))];

    static readonly LaneSenderOptions options =
        new(TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(4), TimeSpan.FromMilliseconds(100), FirstCredit: 60);

    readonly LaneWorld world;
    readonly AppliedPositions applied = new(LaneScenario.Lanes);
    readonly ProgressTracker tracker;
    readonly BatchAssembler assembler;
    readonly LaneSender[] senders;
    readonly CreditBudget budget;
    readonly Queue<(int Lane, LaneRows Rows)> handing = new();
    readonly HashSet<(int Lane, long Seq)> sent = [];
    readonly long[] claims = new long[LaneScenario.Lanes];
    int transaction, row, part, drains = -1, largest;

    public SimulatedReader(LaneWorld world)
    {
        this.world = world;
        Epoch = world.Redis.NewEpoch();
        for (int lane = 0; lane < LaneScenario.Lanes; lane++) applied.Raise(lane, world.Redis.Positions[lane]);
        tracker = new ProgressTracker(LaneScenario.Lanes, world.Confirmed);
        assembler = new BatchAssembler(LaneScenario.Lanes, new BatchLimits(world.Scenario.BatchRows), tracker, world.Rent);
        // In some schedules batches are never put together, in some when one is under way, in some when two are. Mistakes show in fewer steps without.
        var own = options with { MergeFrom = world.Mutation == LaneMutation.None ? world.Scenario.Seed % 3 : 0, MergeBytes = 100 };
        senders = [.. Enumerable.Range(0, LaneScenario.Lanes).Select(lane => new LaneSender(lane, Epoch, own))];
        budget = new CreditBudget(world.Scenario.Budget);
        while (transaction < world.Scenario.Transactions.Count && Scenario.EndOf(transaction) <= world.Confirmed) transaction++;
        world.Trace($"reader {Epoch} starts from {world.Confirmed}");
    }

    public long Epoch { get; }
    public bool HasLeft { get; private set; }

    public Lsn Confirmable => world.Mutation == LaneMutation.ConfirmsWhatWasSent ? (transaction == 0 ? Lsn.None : Scenario.EndOf(transaction - 1)) : tracker.Confirmed;

    public void Leave(string why)
    {
        if (!HasLeft) world.Trace($"reader {Epoch} {why} and leaves");
        HasLeft = true;
    }

    public bool CanRead =>
        handing.TryPeek(out var first) ? CanHand(first.Lane, first.Rows.Bytes)
        : drains >= 0 ? senders[drains].IsSettled
        : transaction < world.Scenario.Transactions.Count;

    public bool CanFlush => assembler.HasOpen && handing.Count == 0;

    /// <summary>When a sender wants to be asked again; null when none does.</summary>
    public DateTimeOffset? WakesAt
    {
        get
        {
            DateTimeOffset? first = null;
            foreach (var sender in senders)
                if (sender.WakesAt is { } at && (first is null || at < first)) first = at;
            return first;
        }
    }

    bool CanHand(int lane, int bytes) =>
        senders[lane].HasRoomFor(bytes) && (budget.UnderWay == 0 || budget.UnderWay + bytes <= world.Scenario.Budget || world.Mutation == LaneMutation.NoBudget);

    public void Flush()
    {
        for (int lane = 0; lane < LaneScenario.Lanes; lane++) HandOver(lane);
    }

    public void Read()
    {
        if (handing.TryDequeue(out var next))
        {
            Hand(next.Lane, next.Rows);
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
        int key = part == 0 ? change.Key : change.MovesTo, lane = laneOf[key];
        if (!applied.Covers(lane, position)) Add(lane, position, key, change);
        if (part == 0 && change.MovesTo >= 0)
        {
            part = 1;
            if (lane == laneOf[change.MovesTo]) return;
            HandOver(lane);
            if (world.Mutation != LaneMutation.MovesWithoutWaiting) drains = lane;
            return;
        }
        part = 0;
        row++;
    }

    void Add(int lane, Position position, int key, RowOfScenario change)
    {
        byte[] name = Scenario.NameOf(key);
        if (change.IsCompared)
        {
            HandOver(lane);
            assembler.Add(lane, position, command, 1, name, 0, ChangeKind.Compare, 0);
            HandOver(lane);
        }
        else if (change.Poison == Poison.Unmappable) assembler.AddPoison(lane, position, name, 0, ChangeKind.Update, 0, "can't be expressed");
        else if (assembler.Add(lane, position, command, 1, name, 0, ChangeKind.Update, 0)) HandOver(lane);
    }

    void HandOver(int lane)
    {
        if (assembler.Take(lane) is not { } batch) return;
        handing.Enqueue((lane, batch.ToRows()));
    }

    void Hand(int lane, LaneRows rows)
    {
        if (world.Mutation != LaneMutation.NoBudget && !budget.TryTake(rows.Bytes)) world.Redis.Fail("there was room and now there is none");
        // Now and then as one too large for a message is sent.
        int cut = rows.Count > 1 && world.Random.Next(4) == 0 ? world.Random.Next(1, rows.Count) : 0;
        if (cut > 0) senders[lane].Add(rows.Slice(0, cut), endsBatch: false);
        senders[lane].Add(cut > 0 ? rows.Slice(cut, rows.Count - cut) : rows);
        largest = Math.Max(largest, rows.Bytes);
        long underWay = senders.Sum(sender => sender.UnackedBytes);
        if (underWay > Math.Max(world.Scenario.Budget, largest)) world.Redis.Fail($"{underWay} bytes are unacknowledged in all lanes");
    }

    public bool CanSend(int lane) => senders[lane].CanSend(world.Now);

    public void Send(int lane)
    {
        var message = senders[lane].Next(world.Now)!;
        if (world.Mutation != LaneMutation.NeverResends || sent.Add((lane, message.Seq))) world.Send(message);
    }

    public void Receive(IClusterMessage message)
    {
        switch (message)
        {
            case LaneAck ack:
                bool isReplaced = ack.Claim < claims[ack.Lane];
                claims[ack.Lane] = Math.Max(claims[ack.Lane], ack.Claim);
                if (world.Mutation == LaneMutation.NeverAnswers || (isReplaced && world.Mutation == LaneMutation.OnlyAsks)) ack = ack with { Answers = 0 };
                Settle(ack.Lane, senders[ack.Lane].Acknowledged(ack, world.Now));
                break;
            case LaneResume resume:
                senders[resume.Lane].Resumed(resume, world.Now);
                if (senders[resume.Lane].NewestEpoch > Epoch) Leave("hears of a later one");
                break;
            case LaneDrained drained:
                Settle(drained.Lane, senders[drained.Lane].Drained(drained, world.Now));
                break;
        }
    }

    void Settle(int lane, LaneSettled settled)
    {
        for (int i = 0; i < settled.Batches; i++) tracker.Applied(lane);
        if (world.Mutation != LaneMutation.NoBudget) budget.Release(settled.Bytes);
    }

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"reader {Epoch}");
}
