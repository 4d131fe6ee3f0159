using System.Text.Json;
using System.Threading.Channels;
using Sync.Contracts;
using Sync.Node.Hosting;
using Sync.Node.Http;
using Sync.Redis.Errors;
using Sync.Redis.Progress;

namespace Sync.Node.Resync;

/// <summary>
/// The re-syncs of a node that streams: takes orders, works on one table after the other, and keeps in Redis how far each is. Lives as long as one
/// connection to PostgreSQL; the next one goes on with what is kept.
/// </summary>
sealed class ResyncDesk(PumpContext context, Source source, ResyncFeed feed)
{
    const int mostRepairs = 5000;
    static readonly TimeSpan patience = TimeSpan.FromSeconds(1);

    readonly Lock gate = new();
    readonly Dictionary<string, ResyncRecord> records = new(StringComparer.Ordinal);
    readonly TableTexts store = new(context.Writer.Keys.Resync);
    readonly SemaphoreSlim called = new(0), repairing = new(1);
    readonly CancellationTokenSource ended = new();
    (string Name, CancellationTokenSource Own)? current;

    /// <summary>All that is known, in the order of the configuration.</summary>
    public IReadOnlyList<ResyncStatus> Status
    {
        get
        {
            lock (gate) return [.. context.Tables.All.Select(t => records.GetValueOrDefault(t.Name)?.Status).OfType<ResyncStatus>()];
        }
    }

    /// <summary>Whether it works no more, because the stream has ended.</summary>
    public bool HasEnded => ended.IsCancellationRequested;

    /// <summary>Before anything streams: takes up what an earlier life left unfinished, and tables that are to be copied this way.</summary>
    /// <param name="copies">Tables without a copy in Redis.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public async Task OpenAsync(IReadOnlyList<TableRuntime> copies, CancellationToken cancellationToken)
    {
        await LoadAsync(cancellationToken);
        await context.Mends.OpenAsync(cancellationToken);
        foreach (var table in copies) await OpenCopyAsync(table, cancellationToken);
    }

    /// <summary>Works until cancelled.</summary>
    /// <param name="cancellationToken">The stream has ended.</param>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        try
        {
            while (true)
            {
                if (Next(cancellationToken) is not var (name, own)) await called.WaitAsync(cancellationToken);
                else
                    using (own) await WorkAsync(name, own, cancellationToken);
            }
        }
        catch (Exception e) when (e is OperationCanceledException or ChannelClosedException)
        {
            // The stream has ended, or a writer has, which ends everything.
        }
        finally
        {
            await ended.CancelAsync();
        }
    }

    /// <summary>Begins the re-sync of a table, or of all, from the first row.</summary>
    /// <exception cref="SyncException">The table is not configured.</exception>
    public async Task<IReadOnlyList<ResyncStatus>> StartAsync(string? name, int rate, CancellationToken cancellationToken)
    {
        foreach (var table in Tables(name))
        {
            var before = Find(table.Name);
            bool isCopy = before is { Status: { IsOver: false, IsCopy: true } };
            var status = new ResyncStatus(table.Name) { Rate = rate, StartedAt = context.Time.GetUtcNow(), IsCopy = isCopy };
            await OrderAsync(new ResyncRecord(status, null, [], isCopy ? before!.Floor : ""), cancellationToken);
        }
        called.Release();
        return Status;
    }

    /// <summary>Holds, goes on with, or gives up what is under way.</summary>
    /// <exception cref="SyncException">Nothing is.</exception>
    public async Task<IReadOnlyList<ResyncStatus>> OrderAsync(string? name, ResyncOrder order, CancellationToken cancellationToken)
    {
        var open = Tables(name).Select(t => Find(t.Name)).OfType<ResyncRecord>().Where(r => !r.Status.IsOver).ToList();
        if (open.Count == 0) throw new SyncException(ExitCode.Usage, $"No re-sync{(name is null ? "" : $" of {name}")} is under way: see actorsync resync --status.");
        foreach (var record in open)
        {
            var now = order switch
            {
                ResyncOrder.Pause => record.Status with { State = ResyncState.Paused },
                ResyncOrder.Resume => record.Status with { State = ResyncState.Queued },
                _ => record.Status with { State = ResyncState.Cancelled, EndedAt = context.Time.GetUtcNow() },
            };
            if (order != ResyncOrder.Resume || record.Status.State == ResyncState.Paused) await OrderAsync(record with { Status = now }, cancellationToken);
        }
        called.Release();
        return Status;
    }

    /// <summary>Mends single rows and removes single places, at once, beside a re-sync that is under way.</summary>
    /// <exception cref="SyncException">The table can't be re-synced.</exception>
    public async Task<RepairReply> RepairAsync(RepairRequest request, CancellationToken cancellationToken)
    {
        if (request.Rows.Count + request.Remove.Count > mostRepairs) throw new SyncException(ExitCode.Usage, $"At most {mostRepairs} rows and places can be repaired at once.");
        var runtime = Tables(request.Table).Single();
        using var both = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, ended.Token);
        await repairing.WaitAsync(both.Token);
        try
        {
            await using var table = await ResyncTable.OpenAsync(context, source, feed, runtime, both.Token);
            return await new RepairRun(table, context.Time).RunAsync(request, both.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new SyncException(ExitCode.Usage, "The node lost PostgreSQL or stopped in the middle of the repair; ask again.");
        }
        finally
        {
            repairing.Release();
        }
    }

    async Task WorkAsync(string name, CancellationTokenSource own, CancellationToken cancellationToken)
    {
        try
        {
            var from = Find(name)!;
            context.Log.ResyncBegun(name, from.After is null && from.Status.Phase == ResyncPhase.Rows ? "from its first row" : "where it was left");
            await using var table = await ResyncTable.OpenAsync(context, source, feed, context.Tables.All.First(t => t.Name == name), own.Token);
            var status = await new ResyncRun(context, table, from, record => KeepAsync(record, own)).RunAsync(own.Token);
            if (status.IsCopy)
                await context.Output.ActAsync((session, ct) => context.Writer.Snapshots.MarkDoneAsync(session.Connection, name, from.FloorLsn, status.Rows, ct), own.Token);
            await KeepAsync(Over(status with { State = ResyncState.Done }), own);
            context.Log.Resynced(name, status.Rows, status.Mended, status.Removed);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            // An order came, and says what this table's state is.
        }
        catch (Exception e) when (e is RedisTransientException || Source.IsTransient(e))
        {
            context.Stats.SetError(e.Message);
            await Task.Delay(patience, context.Time, cancellationToken);
        }
        catch (SyncException e)
        {
            context.Log.ResyncFailed(name, e.Message);
            await KeepAsync(Over(Find(name)!.Status with { State = ResyncState.Failed, Error = e.Message }), own);
        }
    }

    ResyncRecord Over(ResyncStatus status) => new(status with { EndedAt = context.Time.GetUtcNow() }, null, []);

    /// <summary>The table to work on now, and what ends the work on it when an order comes.</summary>
    (string Name, CancellationTokenSource Own)? Next(CancellationToken cancellationToken)
    {
        lock (gate)
        {
            current = null;
            foreach (var table in context.Tables.All)
            {
                if (!records.TryGetValue(table.Name, out var record) || record.Status.State is not (ResyncState.Queued or ResyncState.Running)) continue;
                records[table.Name] = record with { Status = record.Status with { State = ResyncState.Running } };
                var own = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
                current = (table.Name, own);
                return current;
            }
            return null;
        }
    }

    /// <summary>A table that has no copy is filled from its first row, unless that was begun before.</summary>
    async Task OpenCopyAsync(TableRuntime table, CancellationToken cancellationToken)
    {
        if (Find(table.Name) is not { Status: { IsOver: false, IsCopy: true } } record)
        {
            var status = new ResyncStatus(table.Name) { StartedAt = context.Time.GetUtcNow(), IsCopy = true, Rate = ResyncStatus.HighestRate };
            record = new ResyncRecord(status, null, [], source.SeenAt.ToString());
            await OrderAsync(record, cancellationToken);
        }
        table.Floor = record.FloorLsn;
    }

    async Task LoadAsync(CancellationToken cancellationToken)
    {
        IReadOnlyList<(string Table, string Text)> kept = [];
        await context.Output.ActAsync(async (session, ct) => kept = await store.LoadAsync(session.Connection, ct), cancellationToken);
        lock (gate)
            foreach (var (table, text) in kept)
                if (context.Tables.All.Any(t => t.Name == table) && ResyncRecord.Parse(text) is { } record) records.TryAdd(table, record);
    }

    /// <summary>A user's word: it replaces what is known, and ends the work on the table.</summary>
    async Task OrderAsync(ResyncRecord record, CancellationToken cancellationToken)
    {
        CancellationTokenSource? working = null;
        lock (gate)
        {
            records[record.Status.Table] = record;
            if (current is { } now && now.Name == record.Status.Table) (working, current) = (now.Own, null);
        }
        if (working is not null) await working.CancelAsync();
        await SaveAsync(record.Status.Table, cancellationToken);
    }

    /// <summary>How far the work is; not after an order came.</summary>
    Task KeepAsync(ResyncRecord record, CancellationTokenSource own)
    {
        lock (gate)
        {
            if (current is not { } now || now.Own != own) return Task.FromCanceled(new CancellationToken(true));
            records[record.Status.Table] = record;
        }
        return SaveAsync(record.Status.Table, own.Token);
    }

    Task SaveAsync(string table, CancellationToken cancellationToken) => context.Output.ActAsync(
        (session, ct) => store.SaveAsync(session.Connection, table, JsonSerializer.Serialize(Find(table), HttpJson.Options), ct), cancellationToken);

    ResyncRecord? Find(string table)
    {
        lock (gate) return records.GetValueOrDefault(table);
    }

    IEnumerable<TableRuntime> Tables(string? name) => name is null ? context.Tables.All
        : [context.Tables.All.FirstOrDefault(t => t.Name == name) ?? throw new SyncException(ExitCode.Usage, $"Table {name} is not configured; write it as schema.table.")];
}
