using Sync.Actors.Ports;
using Sync.Contracts;

namespace Sync.Actors.Tests.Support;

/// <summary>Redis as the actors see it: who owns a lane, its position, and what was written of each key. A flight of a takeover that was replaced is refused.</summary>
sealed class FakeRedis : ILaneStore, ILaneWriterFactory
{
    readonly Lock gate = new();
    readonly Dictionary<int, long> owners = [];
    readonly Dictionary<int, Position> positions = [];
    readonly Dictionary<string, List<int>> written = [];
    long lastClaim;

    /// <summary>Runs before a takeover; may throw.</summary>
    public Func<int, Task> BeforeTake { get; set; } = _ => Task.CompletedTask;

    /// <summary>Runs before a transaction; may throw.</summary>
    public Func<IReadOnlyList<LaneWork>, Task> BeforeWrite { get; set; } = _ => Task.CompletedTask;

    /// <summary>Runs behind a transaction, before its answer; may throw.</summary>
    public Func<IReadOnlyList<LaneWork>, Task> AfterWrite { get; set; } = _ => Task.CompletedTask;

    public Func<int, DeadLetterOrder, DeadLetterOutcome> OnOrder { get; set; } = (_, _) => new DeadLetterOutcome(1, 0, []);

    public Dictionary<int, List<byte[]>> Parked { get; } = [];

    public bool IsCircuitOpen { get; set; }

    /// <summary>The reader that has begun last.</summary>
    public long Epoch { get; set; }

    public int Writers { get; private set; }

    public int OwnedLanes
    {
        get
        {
            lock (gate) return owners.Count;
        }
    }

    public long ClaimOf(int lane)
    {
        lock (gate) return owners.GetValueOrDefault(lane);
    }

    public void SetPosition(int lane, int number)
    {
        lock (gate) positions[lane] = Rows.At(number);
    }

    /// <summary>The rows written of a key, in the order of writing.</summary>
    public IReadOnlyList<int> Written(string key)
    {
        lock (gate) return written.TryGetValue(key, out var rows) ? [.. rows] : [];
    }

    public int WrittenRows
    {
        get
        {
            lock (gate) return written.Values.Sum(rows => rows.Count);
        }
    }

    public async ValueTask<LaneTakeover> TakeAsync(int lane, CancellationToken cancellationToken)
    {
        await BeforeTake(lane);
        lock (gate)
        {
            owners[lane] = ++lastClaim;
            return new LaneTakeover(lastClaim, positions.GetValueOrDefault(lane), Parked.GetValueOrDefault(lane) ?? []) { Epoch = Epoch };
        }
    }

    public async ValueTask GiveUpAsync(int lane, long claim, CancellationToken cancellationToken)
    {
        await Task.Yield();
        lock (gate)
            if (owners.GetValueOrDefault(lane) == claim) owners.Remove(lane);
    }

    public ILaneWriter Create(int index)
    {
        Writers++;
        return new Writer(this);
    }

    LaneOutcome Write(LaneWork work)
    {
        if (owners.GetValueOrDefault(work.Lane) != work.Claim) return LaneOutcome.Lost;
        foreach (var (number, key) in Rows.Of(work.Flight.Batches))
        {
            if (!written.TryGetValue(key, out var rows)) written[key] = rows = [];
            rows.Add(number);
        }
        if (work.Flight.Reached > positions.GetValueOrDefault(work.Lane)) positions[work.Lane] = work.Flight.Reached;
        return LaneOutcome.Home;
    }

    sealed class Writer(FakeRedis redis) : ILaneWriter
    {
        int busy;

        public bool IsCircuitOpen => redis.IsCircuitOpen;

        public async ValueTask<IReadOnlyList<LaneOutcome>> WriteAsync(IReadOnlyList<LaneWork> work, CancellationToken cancellationToken)
        {
            if (Interlocked.Exchange(ref busy, 1) == 1) throw new InvalidOperationException("Two calls at a time.");
            await redis.BeforeWrite(work);
            LaneOutcome[] outcomes;
            lock (redis.gate) outcomes = [.. work.Select(redis.Write)];
            await redis.AfterWrite(work);
            busy = 0;
            return outcomes;
        }

        public ValueTask<DeadLetterOutcome> HandleDeadLettersAsync(int lane, long claim, DeadLetterOrder order, CancellationToken cancellationToken) =>
            new(redis.OnOrder(lane, order));

        public ValueTask DisposeAsync() => default;
    }
}
