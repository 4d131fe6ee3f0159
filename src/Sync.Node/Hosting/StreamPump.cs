using Sync.Contracts;
using Sync.Contracts.Configuration;
using Sync.Contracts.Rows;
using Sync.Engine.Mapping;
using Sync.Engine.Progress;
using Sync.Node.Resync;
using Sync.Node.Schema;
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
sealed class StreamPump
{
    readonly PumpContext context;
    readonly ReplicationStream stream;
    readonly RowReader rows;
    readonly StreamTables tables;
    readonly KeyOccupants occupants = new();
    readonly PgOutputDecoder decoder = new();
    readonly MappedChange mapped = new();
    readonly StreamOutlet outlet;
    readonly ResyncFeed resync;
    Lsn commitLsn;
    DateTime commitTime;
    uint transaction;
    ulong rowsInTransaction;
    StoppableRead? reading;
    volatile bool isWaiting;

    public StreamPump(PumpContext context, ReplicationStream stream, CatalogReader catalog, RowReader rows, ResyncFeed resync, SchemaSignal schema)
    {
        this.context = context;
        this.stream = stream;
        this.rows = rows;
        this.resync = resync;
        tables = new StreamTables(context, catalog, rows, resync, schema, decoder);
        outlet = new StreamOutlet(context);
    }

    /// <summary>Whether all that was received was looked at, and the next message is waited for.</summary>
    public bool IsWaiting => isWaiting;

    /// <summary>
    /// Reads until the stream ends, which is always an exception, or until it is asked to stop, which leaves the stream open for a last report.
    /// </summary>
    /// <param name="stop">Asks to stop at the next message boundary.</param>
    /// <param name="hard">Gives up what was read.</param>
    /// <exception cref="ReplicationStreamException">The connection is lost; what was read is on its way to Redis.</exception>
    public async Task RunAsync(CancellationToken stop, CancellationToken hard)
    {
        using var read = reading = new StoppableRead(stop);
        try
        {
            while (!stop.IsCancellationRequested)
            {
                var next = stream.NextAsync();
                if (!next.IsCompleted) ReportSkipped();
                if (outlet.HasOpen && (!next.IsCompleted || outlet.IsFlushDue())) await outlet.FlushAllAsync(hard);
                ReadOnlyMemory<byte> message;
                if (next.IsCompleted) message = await next;
                else
                {
                    isWaiting = true;
                    if (!await read.EndsAsync(next)) return;
                    isWaiting = false;
                    message = read.Message();
                }
                await HandleAsync(message, hard);
            }
        }
        finally
        {
            // What was read whole is in open batches and positioned; it goes out whether or not the connection lives.
            await outlet.FlushAllAsync(hard);
            ReportSkipped();
        }
    }

    /// <summary>Ends a read that was under way when the pump was asked to stop; the stream can be disposed afterwards.</summary>
    public Task LeaveAsync()
    {
        stream.Stop();
        return reading?.LeaveAsync() ?? Task.CompletedTask;
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
                if (context.Landmarks.IsOpen && context.Landmarks.Began(Transaction) is { } missing) throw Rewritten(missing);
                resync.Recent.Add(transaction);
                occupants.Clear();
                break;
            case PgOutputMessageKind.Commit:
                context.Tracker.Committed(outlet.Sequence, decoder.EndLsn, Transaction);
                break;
            case PgOutputMessageKind.Relation: return tables.BindAsync(decoder.Table!, transaction, cancellationToken);
            case PgOutputMessageKind.Truncate: return TruncateAsync([.. decoder.Truncated], cancellationToken);
            case PgOutputMessageKind.Message:
                return resync.Take(decoder.MessagePrefix(message.Span), decoder.MessageContent(message.Span)) is { } chunk ? HandOverAsync(chunk, cancellationToken) : ValueTask.CompletedTask;
        }
        return ValueTask.CompletedTask;
    }

    /// <summary>The transaction that the stream is in.</summary>
    Landmark Transaction => new(commitLsn, transaction, commitTime.Ticks);

    /// <summary>What is thrown when a transaction that Redis knows of is not in the log.</summary>
    public static HistoryChangedException Rewritten(Landmark missing) =>
        new(new HistoryFinding(HistoryVerdict.Rewritten, missing.Commit), $"The transaction that committed at {missing.Commit} is applied in Redis, but PostgreSQL does not have it.");

    ValueTask HandleRow(ChangeKind kind, ReadOnlyMemory<byte> message, CancellationToken cancellationToken)
    {
        ulong step = 2 * rowsInTransaction++;
        if (tables.Find(decoder.RelationOid) is not { } table) return ValueTask.CompletedTask;
        if (resync.IsWatching) Watch(table, kind, message.Span);
        if (table.Plan is not { } plan) return tables.WithoutPlanAsync(table, commitLsn, cancellationToken);
        var position = new Position(commitLsn, step);
        if (commitLsn < table.Floor) return BelowFloorAsync(table, plan, kind, message, position, cancellationToken);
        var change = Change(plan.Relation, kind, message.Span, position);
        var outcome = plan.Map(change, mapped);
        if (outcome == MapOutcome.Mapped && mapped is { Parts: 1, MissingOldValues: 0, IsOrderUnknown: false } && !plan.Relation.IsKeyDeferrable)
        {
            int worker = outlet.Add(mapped, 0, table, kind, position, commitTime.Ticks, poison: null);
            return worker < 0 ? ValueTask.CompletedTask : outlet.FlushAsync(worker, cancellationToken);
        }
        return FinishRowAsync(outcome, table, plan, kind, message, position, cancellationToken);
    }

    void Watch(TableRuntime table, ChangeKind kind, ReadOnlySpan<byte> message)
    {
        if (table.Plan is { } plan) resync.Note(table.Index, Change(plan.Relation, kind, message, Position.None));
        else resync.Spoil(table.Index);
    }

    /// <summary>What was read elsewhere takes its place in the order: behind everything that came so far, before everything that follows.</summary>
    async ValueTask HandOverAsync(ResyncChunk chunk, CancellationToken cancellationToken)
    {
        await outlet.FlushAllAsync(cancellationToken);
        await chunk.HandOverAsync(context, commitLsn, outlet.SettleAsync, cancellationToken);
    }

    RowChange Change(Relation relation, ChangeKind kind, ReadOnlySpan<byte> message, Position position, bool isReread = false, RowTuple reread = default) => Change(
        relation, kind, kind == ChangeKind.Delete ? default : decoder.New(message), kind == ChangeKind.Insert ? default : decoder.Old(message), position, isReread, reread);

    RowChange Change(Relation relation, ChangeKind kind, RowTuple now, RowTuple old, Position position, bool isReread = false, RowTuple reread = default) => new()
    {
        Relation = relation,
        Kind = kind,
        New = now,
        Old = old,
        Reread = reread,
        IsReread = isReread,
        Position = position,
        TransactionId = transaction,
        CommitTimeUtc = commitTime,
    };

    /// <summary>The uncommon ends of a row: nothing to do, poison, a second reading, or a move between keys.</summary>
    async ValueTask FinishRowAsync(
        MapOutcome outcome, TableRuntime table, TablePlan plan, ChangeKind kind, ReadOnlyMemory<byte> message, Position position, CancellationToken cancellationToken)
    {
        if (outcome == MapOutcome.NeedsReread) outcome = await RereadAsync(plan, kind, message, position, cancellationToken);
        var occupant = plan.Relation.IsKeyDeferrable ? await OccupantAsync(plan, kind, message, position, cancellationToken) : null;
        if (mapped.MissingOldValues > 0) MissOldValues(table);
        if (outcome is MapOutcome.Nothing or MapOutcome.NeedsReread) table.Skip();
        else await AddPartsAsync(table, kind, position, outcome == MapOutcome.Poison ? mapped.Error : null, occupant, cancellationToken);
    }

    /// <summary>Told once per table and process; the metric has the number.</summary>
    void MissOldValues(TableRuntime table)
    {
        context.Metrics.Warnings.Add(mapped.MissingOldValues, new KeyValuePair<string, object?>("kind", "old_value_missing"));
        if (table.MissedOldValues) return;
        table.MissedOldValues = true;
        context.Log.OldValueMissing(table.Name);
    }

    /// <param name="table">Whose row it is.</param>
    /// <param name="kind">What happened to it.</param>
    /// <param name="position">Of the first part.</param>
    /// <param name="poison">Why it can't be written; null when it can.</param>
    /// <param name="occupant">Another row that has the key which this one leaves; goes out with the first part.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    async ValueTask AddPartsAsync(
        TableRuntime table, ChangeKind kind, Position position, string? poison, MappedChange? occupant, CancellationToken cancellationToken)
    {
        if (mapped.IsOrderUnknown) await outlet.SettleAsync(cancellationToken);
        int previous = -1;
        for (int part = 0; part < mapped.Parts; part++)
        {
            var at = position with { Step = position.Step + (ulong)part };
            int worker = context.Router.WorkerOf(context.Router.LaneOf(mapped.KeyHash(part)));
            // The second half of a move must not overtake the first, nor anything before it in the lane the row leaves.
            if (previous >= 0 && previous != worker)
            {
                await outlet.FlushAsync(previous, cancellationToken);
                await context.Output.DrainedAsync(previous, cancellationToken);
            }
            int full = outlet.Add(mapped, part, table, kind, at, commitTime.Ticks, part == mapped.Parts - 1 ? poison : null);
            // The row that has the key goes out with the batch in which the key has just ended, so that both become visible at once.
            if (part == 0 && occupant is not null) full = Math.Max(full, outlet.Add(occupant, 0, table, ChangeKind.Insert, at, commitTime.Ticks, poison: null));
            if (full >= 0) await outlet.FlushAsync(full, cancellationToken);
            previous = worker;
        }
        // The row's next life may begin under any ordering key.
        if (mapped.IsOrderUnknown && kind == ChangeKind.Delete) await outlet.SettleAsync(cancellationToken);
    }

    /// <summary>Maps the row again with the values that PostgreSQL did not send. A row that can't be read again is poison.</summary>
    async ValueTask<MapOutcome> RereadAsync(TablePlan plan, ChangeKind kind, ReadOnlyMemory<byte> message, Position position, CancellationToken cancellationToken)
    {
        context.Metrics.Warnings.Add(1, new KeyValuePair<string, object?>("kind", "row_reread"));
        try
        {
            await rows.SeeAsync(transaction, cancellationToken);
            bool found = await rows.ReadAsync(plan.Relation, decoder.New(message.Span), decoder.Old(message.Span), cancellationToken);
            return plan.Map(Change(plan.Relation, kind, message.Span, position, isReread: true, found ? rows.Row : default), mapped);
        }
        catch (SyncException e) when (e.Code == ExitCode.Schema)
        {
            return plan.Refuse(Change(plan.Relation, kind, message.Span, position), mapped, e.Message);
        }
    }

    /// <summary>
    /// With a deferrable primary key, rows of one transaction may exchange their keys: the key that this row leaves may belong to another one
    /// by then. If it does, that row as it is now; changes of it that came later follow in the stream.
    /// </summary>
    async ValueTask<MappedChange?> OccupantAsync(TablePlan plan, ChangeKind kind, ReadOnlyMemory<byte> message, Position position, CancellationToken cancellationToken)
    {
        bool leavesTaken = occupants.Follow(plan.Relation, kind == ChangeKind.Delete ? default : decoder.New(message.Span), decoder.Old(message.Span));
        if (!leavesTaken) return null;
        await rows.SeeAsync(transaction, cancellationToken);
        if (!await rows.ReadAsync(plan.Relation, decoder.Old(message.Span), default, cancellationToken)) return null;
        var present = Change(plan.Relation, ChangeKind.Insert, rows.Row, default, position);
        return plan.MapState(present, occupants.Mapped) == MapOutcome.Mapped ? occupants.Mapped : null;
    }

    /// <summary>
    /// A change that the table's copy shows already. Only a key that ended needs a look: an earlier copy that broke off may have written it,
    /// and the finished one, which did not see the row, could not take it away. It is removed if the row is really gone.
    /// </summary>
    async ValueTask BelowFloorAsync(
        TableRuntime table, TablePlan plan, ChangeKind kind, ReadOnlyMemory<byte> message, Position position, CancellationToken cancellationToken)
    {
        if (table.TellingPlan is { } telling)
        {
            // The table was emptied before its copy, so nothing of an earlier one is left.
            var told = telling.Map(Change(telling.Relation, kind, message.Span, position), mapped);
            await FinishRowAsync(told, table, telling, kind, message, position, cancellationToken);
            return;
        }
        table.Skip();
        if (plan.Relation.PrimaryKey.Count == 0 || !plan.EndsKeys(Change(plan.Relation, kind, message.Span, position))) return;
        try
        {
            await rows.SeeAsync(transaction, cancellationToken);
            if (await rows.ReadAsync(plan.Relation, decoder.Old(message.Span), default, cancellationToken)) return;
        }
        catch (SyncException e) when (e.Code == ExitCode.Schema)
        {
            // The key has other columns by now, so nobody can say whether the row is there; the copy has the last word.
            return;
        }
        var ended = Change(plan.Relation, ChangeKind.Delete, default, decoder.Old(message.Span), position);
        if (plan.MapLeftover(ended, mapped) == MapOutcome.Mapped) await AddPartsAsync(table, ChangeKind.Delete, position, null, null, cancellationToken);
    }

    /// <summary>Everything before it is applied first, and nothing behind it is begun before it is done.</summary>
    async ValueTask TruncateAsync(uint[] oids, CancellationToken cancellationToken)
    {
        foreach (uint oid in oids)
        {
            var position = new Position(commitLsn, 2 * rowsInTransaction++);
            if (tables.Find(oid) is not { } table) continue;
            resync.Spoil(table.Index);
            if (commitLsn < table.Floor) continue;
            if (table.Plan is not { } plan)
            {
                await tables.WithoutPlanAsync(table, commitLsn, cancellationToken);
                continue;
            }
            if (plan.TruncateMode is TruncateMode.Unset or TruncateMode.Ignore)
            {
                context.Metrics.Warnings.Add(1, new KeyValuePair<string, object?>("kind", "truncate_ignored"));
                if (plan.TruncateMode == TruncateMode.Unset) context.Log.TruncateIgnored(table.Name);
                continue;
            }
            await outlet.SettleAsync(cancellationToken);
            // A lane that has passed this position proves that the truncate was done before: rows behind it waited for it.
            if (Enumerable.Range(0, context.Applied.Count).Any(lane => context.Applied.Covers(lane, position))) continue;
            if (plan.TruncateMode == TruncateMode.Commands) await TruncateByCommandsAsync(table, plan, position, cancellationToken);
            else if (context.Replay is null || position > context.Replay.Truncated) await SweepAsync(table, position, cancellationToken);
        }
    }

    Task SweepAsync(TableRuntime table, Position position, CancellationToken cancellationToken) => context.Output.ActAsync(async (session, ct) =>
    {
        await TruncateSweep.RunAsync(session, table, context, "was truncated", ct);
        if (context.Replay is not null) await context.Writer.TruncatedAsync(session.Connection, position, ct);
    }, cancellationToken);

    async ValueTask TruncateByCommandsAsync(TableRuntime table, TablePlan plan, Position position, CancellationToken cancellationToken)
    {
        var change = new RowChange { Relation = plan.Relation, Kind = ChangeKind.Truncate, Position = position, TransactionId = transaction, CommitTimeUtc = commitTime };
        if (plan.Map(change, mapped) != MapOutcome.Mapped) return;
        await AddPartsAsync(table, ChangeKind.Truncate, position, null, null, cancellationToken);
        await outlet.SettleAsync(cancellationToken);
    }

    void ReportSkipped()
    {
        if (!context.Tables.HasSkipped) return;
        context.Tables.HasSkipped = false;
        foreach (var table in context.Tables.All)
        {
            if (table.Skipped == 0) continue;
            context.Stats.Skipped(table.Index, table.Skipped);
            context.Metrics.RowsSkipped.Add(table.Skipped, new KeyValuePair<string, object?>("table", table.Name));
            table.Skipped = 0;
        }
    }
}
