using System.Text;
using Sync.Contracts;
using Sync.Contracts.Rows;
using Sync.Engine.Batching;
using Sync.Engine.DeadLetters;
using Sync.Engine.Ordering;
using Sync.Engine.Progress;

namespace Sync.Micro.Operations;

/// <summary>From an ordering key to its lane, past what is applied already, into its worker's batch, and the batch home in a flight.</summary>
sealed class OrderingOperation : Operation
{
    const int lanes = LanePositions.DefaultLanes, workers = 2, rowsPerBatch = 100;

    static readonly byte[] command = "*3\r\n$3\r\nSET\r\n$7\r\nuser:17\r\n$5\r\nvalue\r\n"u8.ToArray();

    readonly LaneRouter router = new(lanes, workers);
    readonly AppliedPositions applied = new(lanes);
    readonly ProgressTracker progress = new(workers);
    readonly Stack<Batch> pool = new();
    readonly BatchAssembler assembler;
    readonly Flight[] flights = [.. Enumerable.Range(0, workers).Select(i => new Flight(new FlightFilter(["public.users"]), new ParkedKeys(), true, new Position(new Lsn(7), (ulong)i)))];
    readonly Batch[][] flying = [.. Enumerable.Range(0, workers).Select(_ => new Batch[1])];
    readonly byte[][] keys = [.. Enumerable.Range(0, Rows).Select(i => Encoding.ASCII.GetBytes($"public.users:{i}"))];
    ulong step;

    public OrderingOperation() => assembler = new BatchAssembler(workers, new BatchLimits(rowsPerBatch), progress, () => pool.TryPop(out var batch) ? batch : new Batch());

    public override long Run()
    {
        long sum = 0;
        foreach (byte[] key in keys)
        {
            int lane = router.LaneOf(key);
            var position = new Position(new Lsn(100), ++step);
            if (applied.Covers(lane, position)) continue;
            int worker = router.WorkerOf(lane);
            if (assembler.Add(worker, position, command, 1, key, 0, ChangeKind.Update, commitTicks: 1)) sum += Write(worker);
        }
        for (int worker = 0; worker < workers; worker++) sum += Write(worker);
        progress.Committed(assembler.Sequence, new Lsn(100 + step));
        return sum;
    }

    int Write(int worker)
    {
        if (assembler.Take(worker) is not { } batch) return 0;
        var flight = flights[worker];
        flying[worker][0] = batch;
        flight.Begin(flying[worker]);
        if (flight.Next(DateTimeOffset.UnixEpoch) != FlightStep.Send) throw new InvalidOperationException("The flight is not to be sent.");
        flight.Written(FlightResult.AllApplied, DateTimeOffset.UnixEpoch);
        progress.Applied(worker);
        int rows = batch.Count;
        batch.Reset();
        pool.Push(batch);
        return rows;
    }
}
