using System.Runtime.CompilerServices;
using Sync.Contracts;
using Sync.Contracts.Rows;
using Sync.Engine.Batching;
using Sync.Engine.Mapping;
using Sync.Redis.Cluster;

namespace Sync.Node.Hosting;

/// <summary>
/// Where the reader of a stream puts what rows became: into one open batch per writer, which goes out when it is full or when asked for. Belongs
/// to the reader.
/// </summary>
sealed class StreamOutlet(PumpContext context) : IBatchOwner
{
    readonly BatchAssembler assembler = new(
        context.Output.Workers, new BatchLimits(context.Config.FlushBufferSize), context.Tracker, context.Pool.Rent);
    readonly TimeSpan flushInterval = context.Config.FlushInterval;
    long lastFlush;
    uint looks;

    /// <summary>The running number of the last change set.</summary>
    public long Sequence => assembler.Sequence;

    public bool HasOpen => assembler.HasOpen;

    /// <summary>While PostgreSQL keeps sending, a partial batch waits no longer than flushInterval; looking at the clock for each row would cost more than the row.</summary>
    public bool IsFlushDue() => (++looks & 63) == 0 && context.Time.GetElapsedTime(lastFlush) > flushInterval;

    /// <summary>Adds one part of what a row became, unless Redis has it already. Returns the writer whose batch is full now, or -1.</summary>
    /// <param name="mapped">The row's parts.</param>
    /// <param name="part">Which of them.</param>
    /// <param name="table">Whose row it is.</param>
    /// <param name="kind">What happened to it.</param>
    /// <param name="position">Of the part.</param>
    /// <param name="commitTicks">When it was committed.</param>
    /// <param name="poison">Why it can't be written; null when it can.</param>
    public int Add(MappedChange mapped, int part, TableRuntime table, ChangeKind kind, Position position, long commitTicks, string? poison)
    {
        var key = mapped.Key(part);
        int lane = context.Router.LaneOf(mapped.KeyHash(part));
        if (context.Applied.Covers(lane, position))
        {
            table.Skip();
            return -1;
        }
        int worker = context.Router.WorkerOf(lane);
        if (context.Replay is { } replay && position <= replay.Highest) return AddRest(replay, mapped, part, table, kind, position, commitTicks, poison, lane);
        if (poison is not null) assembler.AddPoison(worker, position, key, table.Index, kind, commitTicks, poison);
        else if (mapped.CommandCount(part) > 0)
            return assembler.Add(
                worker, position, mapped.CommandBytes(part), mapped.CommandCount(part), key, table.Index, kind, commitTicks, mapped.Identity(part)) ? worker : -1;
        return -1;
    }

    /// <summary>The same for a change that a Cluster may have in part, because its keys are in several hash slots.</summary>
    int AddRest(SlotReplay replay, MappedChange mapped, int part, TableRuntime table, ChangeKind kind, Position position, long commitTicks, string? poison, int lane)
    {
        var key = mapped.Key(part);
        int worker = context.Router.WorkerOf(lane), count;
        var rest = replay.Rest(lane, position, mapped.CommandBytes(part), out count);
        if (poison is not null && !replay.IsParked(position)) assembler.AddPoison(worker, position, key, table.Index, kind, commitTicks, poison);
        else if (poison is null && count > 0)
            return assembler.Add(worker, position, rest, count, key, table.Index, kind, commitTicks, mapped.Identity(part)) ? worker : -1;
        else if (poison is not null || mapped.CommandCount(part) > 0) table.Skip();
        return -1;
    }

    /// <summary>Waits until everything read so far is in Redis.</summary>
    public async ValueTask SettleAsync(CancellationToken cancellationToken)
    {
        await FlushAllAsync(cancellationToken);
        for (int worker = 0; worker < context.Output.Workers; worker++) await context.Output.DrainedAsync(worker, cancellationToken);
    }

    /// <summary>Everything read so far is on its way.</summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    public async ValueTask FlushAllAsync(CancellationToken cancellationToken)
    {
        lastFlush = context.Time.GetTimestamp();
        if (!assembler.HasOpen) return;
        for (int worker = 0; worker < context.Output.Workers; worker++) await FlushAsync(worker, cancellationToken);
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    public async ValueTask FlushAsync(int worker, CancellationToken cancellationToken)
    {
        if (assembler.Take(worker) is not { } batch) return;
        await context.Gate.EnterAsync(batch.Count, batch.Bytes, cancellationToken);
        await context.Output.SendAsync(worker, batch, this, cancellationToken);
    }

    public void Applied(int worker, Batch batch)
    {
        context.Writer.Count(batch);
        var (rows, bytes) = (batch.Count, batch.Bytes);
        context.Pool.Return(batch);
        Settled(worker, rows, bytes);
    }

    public void Settled(int worker, int rows, int bytes)
    {
        context.Gate.Leave(rows, bytes);
        context.Tracker.Applied(worker);
    }
}
