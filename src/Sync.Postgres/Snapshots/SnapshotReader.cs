using System.Runtime.ExceptionServices;
using Npgsql;
using Sync.Contracts;
using Sync.Postgres.Connections;

namespace Sync.Postgres.Snapshots;

/// <summary>
/// Copies tables as one snapshot shows them, with several connections at once. Usage:
/// <code>
/// await using var reader = await SnapshotReader.OpenAsync(primary, snapshot.Name, targets, options, ct);
/// // The connection that exported the snapshot may be closed or start streaming from here on.
/// var outcomes = await reader.RunAsync(consumer, ct);
/// </code>
/// Tables are cut into ranges of blocks; workers take the ranges in the order of the tables, so that the tables end in
/// about that order. Memory is one buffer per worker, as large as its largest row. The protocol around it is in
/// docs/protocols/snapshot.md.
/// </summary>
public sealed class SnapshotReader : IAsyncDisposable
{
    readonly PostgresPrimary primary;
    readonly SnapshotReadOptions options;
    readonly List<SnapshotTable> tables = [];
    readonly List<(SnapshotTable Table, SnapshotLeaf Leaf, PageRange Range)> work = [];

    // The first one keeps the snapshot for the others: with its connection everything is lost.
    readonly List<SnapshotSession> sessions = [];
    int next = -1;

    SnapshotReader(PostgresPrimary primary, SnapshotReadOptions options) => (this.primary, this.options) = (primary, options);

    /// <summary>
    /// Takes the snapshot over and locks every table against being dropped, truncated or rewritten until disposal. A table
    /// that can't be locked or read fails later, as its outcome.
    /// </summary>
    /// <param name="primary">The server that exported the snapshot.</param>
    /// <param name="snapshot">Its name; whoever exported it must keep it until this returns.</param>
    /// <param name="targets">What to copy, in this order.</param>
    /// <param name="options">How.</param>
    /// <param name="ct">Ends the wait for locks.</param>
    /// <exception cref="SyncException">The server can't be reached, or the snapshot is gone.</exception>
    public static async Task<SnapshotReader> OpenAsync(
        PostgresPrimary primary, string snapshot, IReadOnlyList<SnapshotTarget> targets, SnapshotReadOptions options, CancellationToken ct)
    {
        var reader = new SnapshotReader(primary, options);
        try
        {
            reader.sessions.Add(await SnapshotSession.OpenAsync(primary, snapshot, ct).ConfigureAwait(false));
            string exported = await reader.sessions[0].ExportAsync(ct).ConfigureAwait(false);
            foreach (var target in targets) await reader.PlanAsync(target, ct).ConfigureAwait(false);
            await reader.AddSessionsAsync(exported, ct).ConfigureAwait(false);
            foreach (var session in reader.sessions) await session.BeginReadsAsync(options.QueryTimeout, ct).ConfigureAwait(false);
            return reader;
        }
        catch (Exception e)
        {
            await reader.DisposeAsync().ConfigureAwait(false);
            if (e is OperationCanceledException) throw;
            throw primary.Describe(e);
        }
    }

    async Task PlanAsync(SnapshotTarget target, CancellationToken ct)
    {
        var table = new SnapshotTable(target);
        tables.Add(table);
        try
        {
            foreach (var leaf in await sessions[0].PlanAsync(target, ct).ConfigureAwait(false))
            {
                var ranges = leaf.Pages == 0 ? [new PageRange(0, null)] : SnapshotQuery.Split(leaf.Pages, options.Workers, options.RangePages);
                foreach (var range in ranges) work.Add((table, leaf, range));
                table.Plan(ranges.Count, leaf.Pages);
            }
        }
        catch (Exception e) when (e is PostgresException or SyncException)
        {
            table.Fail(SnapshotErrors.Describe(target, e, null, primary));
        }
    }

    /// <summary>As many as can be had; the first one alone is enough to go on.</summary>
    async Task AddSessionsAsync(string exported, CancellationToken ct)
    {
        var locked = tables.Where(t => t.Error is null).Select(t => t.Target).ToList();
        while (sessions.Count < Math.Min(options.Workers, work.Count))
        {
            SnapshotSession session;
            try { session = await SnapshotSession.OpenAsync(primary, exported, ct).ConfigureAwait(false); }
            catch (SyncException) { return; }
            sessions.Add(session);
            if (await session.TryLockAsync(locked, ct).ConfigureAwait(false)) continue;
            sessions.Remove(session);
            await session.DisposeAsync().ConfigureAwait(false);
            return;
        }
    }

    /// <summary>How many connections read; fewer than asked for when PostgreSQL has none left or a statement waits for a table's lock.</summary>
    public int Workers => sessions.Count;

    /// <summary>How far every table is; may be called from any thread at any time.</summary>
    public IReadOnlyList<SnapshotProgress> Progress() => [.. tables.Select(t => t.Progress())];

    /// <summary>Reads everything, once.</summary>
    /// <returns>One outcome for each target, in their order.</returns>
    /// <exception cref="SyncException">
    /// The snapshot itself is lost (<see cref="ExitCode.PostgresUnreachable"/>: begin with a new one), or a
    /// table failed and <see cref="SnapshotReadOptions.AbortOnError"/> is set (<see cref="ExitCode.SnapshotAborted"/>).
    /// </exception>
    public async Task<IReadOnlyList<SnapshotOutcome>> RunAsync(ISnapshotConsumer consumer, CancellationToken ct)
    {
        foreach (var table in tables)
        {
            // Tables that failed to be planned, and partitioned ones without a partition, have no work that could end them.
            if (!table.IsThrough) continue;
            if (table.Error is { } error && options.AbortOnError) throw Aborted(error);
            await consumer.TableEndedAsync(table.End(), ct).ConfigureAwait(false);
        }
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(ct);
        var runs = sessions
            .Select((session, number) => Task.Run(() => WorkAsync(new Worker(number, session), consumer, stop), CancellationToken.None))
            .ToArray();
        await Task.WhenAll(runs).ContinueWith(_ => { }, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default).ConfigureAwait(false);
        // The worker that failed cancelled the others, so that its exception is the one that matters.
        var failures = runs.Where(r => r.IsFaulted).SelectMany(r => r.Exception!.InnerExceptions).ToList();
        if (failures.Count > 0) ExceptionDispatchInfo.Throw(failures.Find(f => f is not OperationCanceledException) ?? failures[0]);
        ct.ThrowIfCancellationRequested();
        return [.. tables.Select(t => t.End())];
    }

    sealed class Worker(int number, SnapshotSession session)
    {
        public int Number { get; } = number;
        public SnapshotSession Session { get; } = session;

        /// <summary>Kept from range to range of one table.</summary>
        public CopyTextReader? Rows { get; set; }
        public SnapshotTarget? RowsOf { get; set; }
    }

    async Task WorkAsync(Worker worker, ISnapshotConsumer consumer, CancellationTokenSource stop)
    {
        try
        {
            int index;
            bool isUsable = true;
            while (isUsable && (index = Interlocked.Increment(ref next)) < work.Count)
            {
                stop.Token.ThrowIfCancellationRequested();
                var (table, leaf, range) = work[index];
                if (table.Error is null) isUsable = await ReadOrFailAsync(worker, table, leaf, range, consumer, stop.Token).ConfigureAwait(false);
                if (!table.RangeEnded((range.Until ?? leaf.Pages) - range.From)) continue;
                await consumer.TableEndedAsync(table.End(), stop.Token).ConfigureAwait(false);
            }
        }
        catch
        {
            await stop.CancelAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>False when the worker's connection is lost; the others take over what is left.</summary>
    async Task<bool> ReadOrFailAsync(Worker worker, SnapshotTable table, SnapshotLeaf leaf, PageRange range, ISnapshotConsumer consumer, CancellationToken ct)
    {
        try
        {
            await ReadAsync(worker, table, leaf, range, consumer, ct).ConfigureAwait(false);
            return true;
        }
        catch (Exception e) when (e is CopyExportException or CopyTextException)
        {
            var cause = e is CopyTextException ? e : e.InnerException!;
            bool isUsable = await worker.Session.TryRecoverAsync(ct).ConfigureAwait(false);
            if (!isUsable && worker.Number == 0)
                throw new SyncException(ExitCode.PostgresUnreachable,
                    $"The snapshot was lost with the connection that kept it: {PostgresErrors.Cause(cause)}. It has to begin with a new one.", cause);
            var error = SnapshotErrors.Describe(table.Target, cause, options.QueryTimeout, primary);
            table.Fail(error);
            return options.AbortOnError ? throw Aborted(error) : isUsable;
        }
    }

    async Task ReadAsync(Worker worker, SnapshotTable table, SnapshotLeaf leaf, PageRange range, ISnapshotConsumer consumer, CancellationToken ct)
    {
        if (worker.RowsOf != table.Target) (worker.RowsOf, worker.Rows) = (table.Target, new CopyTextReader(table.Target.Relation.Columns.Count));
        table.Begin();
        await using var export = await worker.Session.CopyAsync(SnapshotQuery.Build(table.Target, leaf, range), worker.Rows!, ct).ConfigureAwait(false);
        int batch = 0;
        long counted = 0;
        do
        {
            int rows = 0;
            while (export.TryReadRow())
            {
                rows++;
                bool full = consumer.OnRow(worker.Number, table.Target, export.Row);
                if (++batch < options.BatchSize && !full) continue;
                batch = 0;
                await consumer.FlushAsync(worker.Number, table.Target, ct).ConfigureAwait(false);
            }
            if (rows == 0) continue;
            table.Count(rows, export.Bytes - counted);
            counted = export.Bytes;
        }
        while (await export.FillAsync(ct).ConfigureAwait(false));
        await consumer.FlushAsync(worker.Number, table.Target, ct).ConfigureAwait(false);
    }

    static SyncException Aborted(SyncException error) =>
        new(ExitCode.SnapshotAborted, $"The snapshot was aborted, because snapshot.abortOnError is set and this happened: {error.Message}", error);

    /// <summary>Ends the snapshot and its locks. No <see cref="RunAsync"/> may be under way.</summary>
    public async ValueTask DisposeAsync()
    {
        foreach (var session in sessions) await session.DisposeAsync().ConfigureAwait(false);
        sessions.Clear();
    }
}
