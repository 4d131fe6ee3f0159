using Sync.Contracts;
using Sync.Postgres.Slots;
using Sync.Postgres.Snapshots;

namespace Sync.Node.Hosting;

/// <summary>Copies tables once: takes a snapshot whose place in the log is known, reads it, and keeps the picture of how far it is.</summary>
sealed class SnapshotRun(PumpContext context, Source source, StatusBoard board)
{
    static readonly TimeSpan pictureEvery = TimeSpan.FromMilliseconds(250);
    static readonly TimeSpan logEvery = TimeSpan.FromSeconds(5);

    /// <exception cref="SyncException">abortOnError is set and something failed, or PostgreSQL is lost.</exception>
    public async Task RunAsync(Func<TableRuntime, bool> wanted, CancellationToken cancellationToken)
    {
        SnapshotTarget[] targets = [.. context.Tables.All.Where(t => t.Plan is not null && wanted(t)).Select(TargetOf)];
        if (targets.Length == 0) return;
        board.Set(NodeState.Snapshotting);
        var config = context.Config;
        // A new slot brings its snapshot along; a slot that was there before gets one from a temporary slot beside it.
        await using var exported = source.Slot.Snapshot is null
            ? await new SlotManager(source.Primary, context.Time).CreateTemporaryAsync(config.Postgres.Repl.Slot, cancellationToken)
            : null;
        var snapshot = exported ?? source.Slot.Snapshot!;
        var gate = config.Snapshot.MaxWriteQueueSize is { } rows ? new FlowGate(32 * 1024 * 1024, rows) : context.Gate;
        await using var reader = await SnapshotReader.OpenAsync(source.Primary, snapshot.Name, targets, SnapshotReadOptions.Of(config.Snapshot), cancellationToken);
        var pump = new SnapshotPump(context, gate, snapshot.ConsistentPoint, config.Snapshot.ParallelWorkers);
        await pump.BeginAsync(targets, cancellationToken);
        using var done = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var picture = ShowAsync(reader, done.Token);
        try
        {
            await reader.RunAsync(pump, cancellationToken);
        }
        finally
        {
            await done.CancelAsync();
            await picture;
            board.SetSnapshot(null);
        }
    }

    SnapshotTarget TargetOf(TableRuntime table)
    {
        var published = source.PublishedOf(table);
        var custom = context.Config.Snapshot.Config.FirstOrDefault(s => s.Schema == table.Config.Schema && s.Name == table.Config.Name);
        return new SnapshotTarget(table.Plan!.Relation, custom?.Query, published.RowFilter, published.Facts.EstimatedRows);
    }

    async Task ShowAsync(SnapshotReader reader, CancellationToken cancellationToken)
    {
        long begun = context.Time.GetTimestamp(), loggedAt = begun;
        using var timer = new PeriodicTimer(pictureEvery, context.Time);
        try
        {
            while (await timer.WaitForNextTickAsync(cancellationToken))
            {
                context.Stats.Sample();
                var tables = reader.Progress();
                if (tables.FirstOrDefault(t => t.State == Sync.Postgres.Snapshots.SnapshotState.Reading) is not { } current) continue;
                var status = StatusOf(current, tables, context.Time.GetElapsedTime(begun));
                board.SetSnapshot(status);
                if (context.Time.GetElapsedTime(loggedAt) < logEvery) continue;
                loggedAt = context.Time.GetTimestamp();
                context.Log.Copying(status.Table, status.Rows, status.PercentDone, status.RowsPerSecond, status.SecondsLeft ?? 0);
            }
        }
        catch (OperationCanceledException)
        {
            // The copy has ended.
        }
    }

    /// <summary>Pages grow a range at a time, rows steadily; whichever is further says how far the table is.</summary>
    static SnapshotStatus StatusOf(SnapshotProgress current, IReadOnlyList<SnapshotProgress> tables, TimeSpan elapsed)
    {
        double byPages = current.PagesTotal > 0 ? (double)current.PagesDone / current.PagesTotal : 0;
        double byRows = current.EstimatedRows is > 0 and var estimate ? (double)current.Rows / estimate : 0;
        double share = Math.Clamp(Math.Max(byPages, byRows), 0, 0.999);
        long all = tables.Sum(t => t.Rows);
        double rate = all / Math.Max(0.001, elapsed.TotalSeconds);
        double? left = share > 0.01 && rate > 0 ? current.Rows / share * (1 - share) / rate : null;
        int done = tables.Count(t => t.State is Sync.Postgres.Snapshots.SnapshotState.Done or Sync.Postgres.Snapshots.SnapshotState.Failed);
        return new SnapshotStatus(current.Table, current.Rows, 100 * share, rate, left, done, tables.Count);
    }
}
