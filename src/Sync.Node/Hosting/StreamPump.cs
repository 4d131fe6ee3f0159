using Sync.Contracts;
using Sync.Contracts.Configuration;
using Sync.Contracts.Rows;
using Sync.Engine.Batching;
using Sync.Engine.Mapping;
using Sync.Postgres.Catalog;
using Sync.Postgres.PgOutput;
using Sync.Postgres.Rows;
using Sync.Postgres.Streaming;

namespace Sync.Node.Hosting;

/// <summary>
/// Reads one replication stream and feeds the writers: decode, map, drop what Redis holds already, batch by worker. Batches go out when they
/// are full and whenever the stream is drained. Everything that has to wait for other lanes (a row that moves between workers, a TRUNCATE)
/// waits here, so that the writers know nothing of it. One pump per connection; the positions outlive it.
/// </summary>
sealed class StreamPump : IBatchOwner
{
    readonly PumpContext context;
    readonly ReplicationStream stream;
    readonly CatalogReader catalog;
    readonly RowReader rows;
    readonly PgOutputDecoder decoder = new();
    readonly MappedChange mapped = new();
    readonly FilledRow filled = new();
    readonly BatchAssembler assembler;
    readonly Dictionary<uint, TableRuntime?> relations = [];
    readonly TimeSpan flushInterval;
    Lsn commitLsn;
    DateTime commitTime;
    uint transaction;
    ulong rowsInTransaction;
    long lastFlush;

    public StreamPump(PumpContext context, ReplicationStream stream, CatalogReader catalog, RowReader rows)
    {
        this.context = context;
        this.stream = stream;
        this.catalog = catalog;
        this.rows = rows;
        flushInterval = context.Config.FlushInterval;
        assembler = new BatchAssembler(context.Config.FlushWorkers, new BatchLimits(context.Config.FlushBufferSize), context.Tracker, context.Pool.Rent);
    }

    /// <summary>Reads until the stream ends, which is always an exception, or until it is stopped.</summary>
    /// <exception cref="ReplicationStreamException">The connection is lost; what was read is on its way to Redis.</exception>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        try
        {
            while (true)
            {
                var next = stream.NextAsync();
                if (assembler.HasOpen && (!next.IsCompleted || context.Time.GetElapsedTime(lastFlush) > flushInterval)) await FlushAllAsync(cancellationToken);
                var message = await next;
                await HandleAsync(message, cancellationToken);
            }
        }
        finally
        {
            // What was read whole is in open batches and positioned; it goes out whether or not the connection lives.
            await FlushAllAsync(cancellationToken);
            ReportSkipped();
        }
    }

    ValueTask HandleAsync(ReadOnlyMemory<byte> message, CancellationToken cancellationToken)
    {
        switch (decoder.Decode(message.Span))
        {
            case PgOutputMessageKind.Insert: return HandleRow(ChangeKind.Insert, message, cancellationToken);
            case PgOutputMessageKind.Update: return HandleRow(ChangeKind.Update, message, cancellationToken);
            case PgOutputMessageKind.Delete: return HandleRow(ChangeKind.Delete, message, cancellationToken);
            case PgOutputMessageKind.Begin:
                (commitLsn, commitTime, transaction) = (decoder.CommitLsn, decoder.CommitTimeUtc, decoder.TransactionId);
                rowsInTransaction = 0;
                break;
            case PgOutputMessageKind.Commit:
                context.Tracker.Committed(assembler.Sequence, decoder.EndLsn);
                break;
            case PgOutputMessageKind.Relation: return BindAsync(decoder.Table!, cancellationToken);
            case PgOutputMessageKind.Truncate: return TruncateAsync([.. decoder.Truncated], cancellationToken);
        }
        return ValueTask.CompletedTask;
    }

    /// <summary>A new version of a relation: the plan is compiled anew, and a table that no longer compiles is stopped alone.</summary>
    async ValueTask BindAsync(DecodedRelation decoded, CancellationToken cancellationToken)
    {
        var table = context.Tables.Find(decoded.Schema, decoded.Name);
        relations[decoded.Oid] = table;
        if (table is null) return;
        var relation = await catalog.CompleteAsync(decoded, cancellationToken);
        bool wasStopped = table.Plan is null;
        var (_, error) = context.Tables.Bind(table, relation);
        if (error is null)
        {
            context.Stats.Stopped(table.Index, "");
            return;
        }
        context.Stats.Stopped(table.Index, error);
        if (wasStopped) return;
        context.Log.TableStopped(table.Name, error);
        // Its rows can't be written any more; forgetting the mark makes the next start copy the table anew.
        await context.Writers[0].RunBehindAsync((session, ct) => context.Writer.Snapshots.ClearAsync(session.Connection, table.Name, ct), cancellationToken);
    }

    ValueTask HandleRow(ChangeKind kind, ReadOnlyMemory<byte> message, CancellationToken cancellationToken)
    {
        ulong step = 2 * rowsInTransaction++;
        if (relations.GetValueOrDefault(decoder.RelationOid) is not { } table) return ValueTask.CompletedTask;
        if (table.Plan is not { } plan)
        {
            table.Skipped++;
            return ValueTask.CompletedTask;
        }
        var position = new Position(commitLsn, step);
        if (commitLsn < table.Floor) return BelowFloorAsync(table, plan, kind, message, position, cancellationToken);
        var change = Change(plan.Relation, kind, message.Span, position);
        var outcome = plan.Map(change, mapped);
        if (outcome == MapOutcome.Mapped && mapped.Parts == 1)
        {
            int worker = AddPart(table, 0, kind, position, poison: null);
            return worker < 0 ? ValueTask.CompletedTask : FlushAsync(worker, cancellationToken);
        }
        return FinishRowAsync(outcome, table, plan, kind, message, position, cancellationToken);
    }

    RowChange Change(Relation relation, ChangeKind kind, ReadOnlySpan<byte> message, Position position) => new()
    {
        Relation = relation,
        Kind = kind,
        New = kind == ChangeKind.Delete ? default : decoder.New(message),
        Old = kind == ChangeKind.Insert ? default : decoder.Old(message),
        Position = position,
        TransactionId = transaction,
        CommitTimeUtc = commitTime,
    };

    /// <summary>The uncommon ends of a row: nothing to do, poison, a second reading, or a move between keys.</summary>
    async ValueTask FinishRowAsync(
        MapOutcome outcome, TableRuntime table, TablePlan plan, ChangeKind kind, ReadOnlyMemory<byte> message, Position position, CancellationToken cancellationToken)
    {
        if (outcome == MapOutcome.NeedsReread)
        {
            await RereadAsync(plan.Relation, message, cancellationToken);
            outcome = MapFilled(plan, kind, message, position);
        }
        if (mapped.SkippedCommands > 0) context.Metrics.Warnings.Add(mapped.SkippedCommands, new KeyValuePair<string, object?>("kind", "old_value_missing"));
        if (outcome is MapOutcome.Nothing or MapOutcome.NeedsReread)
        {
            table.Skipped++;
            return;
        }
        await AddPartsAsync(table, kind, position, outcome == MapOutcome.Poison ? mapped.Error : null, cancellationToken);
    }

    async ValueTask AddPartsAsync(TableRuntime table, ChangeKind kind, Position position, string? poison, CancellationToken cancellationToken)
    {
        int previous = -1;
        for (int part = 0; part < mapped.Parts; part++)
        {
            var at = position with { Step = position.Step + (ulong)part };
            int worker = context.Router.WorkerOf(context.Router.LaneOf(mapped.Key(part)));
            // The second half of a move must not overtake the first, nor anything before it in the lane the row leaves.
            if (previous >= 0 && previous != worker)
            {
                await FlushAsync(previous, cancellationToken);
                await context.Writers[previous].DrainedAsync(cancellationToken);
            }
            int full = AddPart(table, part, kind, at, part == mapped.Parts - 1 ? poison : null);
            if (full >= 0) await FlushAsync(full, cancellationToken);
            previous = worker;
        }
    }

    /// <summary>Returns the worker whose batch is full now, or -1.</summary>
    int AddPart(TableRuntime table, int part, ChangeKind kind, Position position, string? poison)
    {
        var key = mapped.Key(part);
        int lane = context.Router.LaneOf(key);
        if (context.Applied.Covers(lane, position))
        {
            table.Skipped++;
            return -1;
        }
        int worker = context.Router.WorkerOf(lane);
        if (poison is not null) assembler.AddPoison(worker, position, key, table.Index, kind, commitTime.Ticks, poison);
        else if (mapped.CommandCount(part) > 0)
            return assembler.Add(worker, position, mapped.CommandBytes(part), mapped.CommandCount(part), key, table.Index, kind, commitTime.Ticks) ? worker : -1;
        return -1;
    }

    async ValueTask RereadAsync(Relation relation, ReadOnlyMemory<byte> message, CancellationToken cancellationToken)
    {
        context.Metrics.Warnings.Add(1, new KeyValuePair<string, object?>("kind", "row_reread"));
        bool found = await rows.ReadAsync(relation, decoder.New(message.Span), decoder.Old(message.Span), cancellationToken);
        filled.Fill(decoder.New(message.Span), found ? rows.Row : default, relation.Columns.Count);
    }

    MapOutcome MapFilled(TablePlan plan, ChangeKind kind, ReadOnlyMemory<byte> message, Position position)
    {
        var change = Change(plan.Relation, kind, message.Span, position);
        return plan.Map(new RowChange
        {
            Relation = change.Relation,
            Kind = kind,
            New = filled.Tuple,
            Old = change.Old,
            Position = position,
            TransactionId = transaction,
            CommitTimeUtc = commitTime,
        }, mapped);
    }

    /// <summary>
    /// A change that the table's copy shows already. Only a key that ended needs a look: an earlier copy that broke off may have written it,
    /// and the finished one, which did not see the row, could not take it away. It is removed if the row is really gone.
    /// </summary>
    async ValueTask BelowFloorAsync(
        TableRuntime table, TablePlan plan, ChangeKind kind, ReadOnlyMemory<byte> message, Position position, CancellationToken cancellationToken)
    {
        table.Skipped++;
        bool keyEnded = kind == ChangeKind.Delete || (kind == ChangeKind.Update && decoder.Old(message.Span).IsPresent);
        if (!keyEnded || plan.Relation.PrimaryKey.Count == 0) return;
        if (await rows.ReadAsync(plan.Relation, decoder.Old(message.Span), default, cancellationToken)) return;
        var ended = new RowChange
        {
            Relation = plan.Relation,
            Kind = ChangeKind.Delete,
            Old = decoder.Old(message.Span),
            Position = position,
            TransactionId = transaction,
            CommitTimeUtc = commitTime,
        };
        if (plan.Map(ended, mapped) == MapOutcome.Mapped) await AddPartsAsync(table, ChangeKind.Delete, position, null, cancellationToken);
    }

    /// <summary>Everything before it is applied first, and nothing behind it is begun before it is done.</summary>
    async ValueTask TruncateAsync(uint[] oids, CancellationToken cancellationToken)
    {
        foreach (uint oid in oids)
        {
            var position = new Position(commitLsn, 2 * rowsInTransaction++);
            if (relations.GetValueOrDefault(oid) is not { Plan: { } plan } table || commitLsn < table.Floor) continue;
            if (plan.TruncateMode is TruncateMode.Unset or TruncateMode.Ignore)
            {
                context.Metrics.Warnings.Add(1, new KeyValuePair<string, object?>("kind", "truncate_ignored"));
                if (plan.TruncateMode == TruncateMode.Unset) context.Log.TruncateIgnored(table.Name);
                continue;
            }
            await FlushAllAsync(cancellationToken);
            foreach (var writer in context.Writers) await writer.DrainedAsync(cancellationToken);
            // A lane that has passed this position proves that the truncate was done before: rows behind it waited for it.
            if (Enumerable.Range(0, context.Applied.Count).Any(lane => context.Applied.Covers(lane, position))) continue;
            if (plan.TruncateMode == TruncateMode.Commands) await TruncateByCommandsAsync(table, plan, position, cancellationToken);
            else await context.Writers[0].RunBehindAsync((session, ct) => TruncateSweep.RunAsync(session.Connection, table, context, ct), cancellationToken);
        }
    }

    async ValueTask TruncateByCommandsAsync(TableRuntime table, TablePlan plan, Position position, CancellationToken cancellationToken)
    {
        var change = new RowChange { Relation = plan.Relation, Kind = ChangeKind.Truncate, Position = position, TransactionId = transaction, CommitTimeUtc = commitTime };
        if (plan.Map(change, mapped) != MapOutcome.Mapped) return;
        await AddPartsAsync(table, ChangeKind.Truncate, position, null, cancellationToken);
        await FlushAllAsync(cancellationToken);
        foreach (var writer in context.Writers) await writer.DrainedAsync(cancellationToken);
    }

    async ValueTask FlushAllAsync(CancellationToken cancellationToken)
    {
        lastFlush = context.Time.GetTimestamp();
        if (!assembler.HasOpen) return;
        for (int worker = 0; worker < context.Writers.Count; worker++) await FlushAsync(worker, cancellationToken);
    }

    async ValueTask FlushAsync(int worker, CancellationToken cancellationToken)
    {
        if (assembler.Take(worker) is not { } batch) return;
        await context.Gate.EnterAsync(batch.Count, batch.Bytes, cancellationToken);
        await context.Writers[worker].SendAsync(WriterWork.Of(batch, this), cancellationToken);
    }

    void ReportSkipped()
    {
        foreach (var table in context.Tables.All)
        {
            if (table.Skipped == 0) continue;
            context.Stats.Skipped(table.Index, table.Skipped);
            context.Metrics.RowsSkipped.Add(table.Skipped, new KeyValuePair<string, object?>("table", table.Name));
            table.Skipped = 0;
        }
    }

    public void Applied(int worker, Batch batch)
    {
        context.Reached(worker, batch.Last);
        context.Count(batch);
        context.Gate.Leave(batch.Count, batch.Bytes);
        context.Pool.Return(batch);
        context.Tracker.Applied(worker);
    }
}
