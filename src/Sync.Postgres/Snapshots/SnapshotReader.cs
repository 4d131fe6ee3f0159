using Npgsql;
using Sync.Contracts;
using Sync.Engine.Retry;
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
    readonly SnapshotSession session;
    readonly PostgresPrimary primary;
    readonly SnapshotReadOptions options;
    readonly List<SnapshotTable> tables = [];
    readonly List<(SnapshotTable Table, SnapshotLeaf Leaf, PageRange Range)> work = [];
    int next = -1;

    SnapshotReader(SnapshotSession session, PostgresPrimary primary, SnapshotReadOptions options) =>
        (this.session, this.primary, this.options) = (session, primary, options);

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
        var session = await SnapshotSession.OpenAsync(primary, snapshot, ct).ConfigureAwait(false);
        var reader = new SnapshotReader(session, primary, options);
        try
        {
            foreach (var target in targets) await reader.PlanAsync(target, ct).ConfigureAwait(false);
            return reader;
        }
        catch (Exception e)
        {
            await session.DisposeAsync().ConfigureAwait(false);
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
            foreach (var leaf in await session.PlanAsync(target, ct).ConfigureAwait(false))
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

    /// <summary>How far every table is; may be called from any thread at any time.</summary>
    public IReadOnlyList<SnapshotProgress> Progress() => [.. tables.Select(t => t.Progress())];

    /// <summary>Reads everything, once.</summary>
    /// <returns>One outcome for each target, in their order.</returns>
    /// <exception cref="SyncException">
    /// No connection can be had, the snapshot itself is lost (<see cref="ExitCode.PostgresUnreachable"/>: begin with a new one), or a
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
        var workers = await OpenWorkersAsync(ct).ConfigureAwait(false);
        var runs = workers.Select((connection, number) => Task.Run(() => WorkAsync(new Worker(number, connection), consumer, stop), CancellationToken.None)).ToArray();
        await Task.WhenAll(runs).ContinueWith(_ => { }, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default).ConfigureAwait(false);
        // The worker that failed cancelled the others, so that its exception is the one that matters.
        var failures = runs.Where(r => r.IsFaulted).SelectMany(r => r.Exception!.InnerExceptions).ToList();
        if (failures.Count > 0) System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(failures.Find(f => f is not OperationCanceledException) ?? failures[0]);
        ct.ThrowIfCancellationRequested();
        return [.. tables.Select(t => t.End())];
    }

    /// <summary>As many as can be had; one is enough to go on.</summary>
    async Task<List<NpgsqlConnection>> OpenWorkersAsync(CancellationToken ct)
    {
        var connections = new List<NpgsqlConnection>();
        try
        {
            int wanted = Math.Min(options.Workers, Math.Max(1, work.Count));
            while (connections.Count < wanted) connections.Add(await session.OpenReaderAsync(options.QueryTimeout, ct).ConfigureAwait(false));
        }
        catch (SyncException) when (connections.Count > 0) { }
        catch
        {
            foreach (var connection in connections) await connection.DisposeAsync().ConfigureAwait(false);
            throw;
        }
        return connections;
    }

    sealed class Worker(int number, NpgsqlConnection connection)
    {
        public int Number { get; } = number;

        /// <summary>Null after a failure, which ends the transaction and with it the snapshot of this connection.</summary>
        public NpgsqlConnection? Connection { get; set; } = connection;

        /// <summary>Kept from range to range of one table.</summary>
        public CopyTextReader? Rows { get; set; }
        public SnapshotTarget? RowsOf { get; set; }
    }

    async Task WorkAsync(Worker worker, ISnapshotConsumer consumer, CancellationTokenSource stop)
    {
        try
        {
            int index;
            while ((index = Interlocked.Increment(ref next)) < work.Count)
            {
                stop.Token.ThrowIfCancellationRequested();
                var (table, leaf, range) = work[index];
                if (table.Error is null) await ReadOrFailAsync(worker, table, leaf, range, consumer, stop.Token).ConfigureAwait(false);
                if (!table.RangeEnded((range.Until ?? leaf.Pages) - range.From)) continue;
                await consumer.TableEndedAsync(table.End(), stop.Token).ConfigureAwait(false);
            }
        }
        catch
        {
            await stop.CancelAsync().ConfigureAwait(false);
            throw;
        }
        finally
        {
            if (worker.Connection is { } connection) await connection.DisposeAsync().ConfigureAwait(false);
        }
    }

    async Task ReadOrFailAsync(Worker worker, SnapshotTable table, SnapshotLeaf leaf, PageRange range, ISnapshotConsumer consumer, CancellationToken ct)
    {
        try
        {
            await ReadAsync(worker, table, leaf, range, consumer, ct).ConfigureAwait(false);
        }
        catch (Exception e) when (e is CopyExportException or CopyTextException or ReaderUnavailableException)
        {
            var cause = e is CopyTextException ? e : e.InnerException!;
            if (worker.Connection is { } broken) await broken.DisposeAsync().ConfigureAwait(false);
            worker.Connection = null;
            if (PostgresErrors.Classify(cause) == FailureClass.Transient && !await session.IsAliveAsync(ct).ConfigureAwait(false))
                throw new SyncException(ExitCode.PostgresUnreachable, $"The snapshot was lost with the connection that kept it: {PostgresErrors.Cause(cause)}. It has to begin with a new one.", cause);
            var error = SnapshotErrors.Describe(table.Target, cause, options.QueryTimeout, primary);
            table.Fail(error);
            if (options.AbortOnError) throw Aborted(error);
        }
    }

    sealed class ReaderUnavailableException(SyncException inner) : Exception(inner.Message, inner);

    async Task ReadAsync(Worker worker, SnapshotTable table, SnapshotLeaf leaf, PageRange range, ISnapshotConsumer consumer, CancellationToken ct)
    {
        if (worker.Connection is null)
        {
            try { worker.Connection = await session.OpenReaderAsync(options.QueryTimeout, ct).ConfigureAwait(false); }
            catch (SyncException e) { throw new ReaderUnavailableException(e); }
        }
        if (worker.RowsOf != table.Target) (worker.RowsOf, worker.Rows) = (table.Target, new CopyTextReader(table.Target.Relation.Columns.Count));
        table.Begin();
        await using var export = await CopyExport.BeginAsync(worker.Connection, SnapshotQuery.Build(table.Target, leaf, range), worker.Rows!, ct).ConfigureAwait(false);
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

    public ValueTask DisposeAsync() => session.DisposeAsync();
}
