using System.Threading.Channels;
using Npgsql;
using Sync.Contracts;
using Sync.Contracts.Configuration;
using Sync.Contracts.Schema;
using Sync.Engine.Schema;
using Sync.Node.Hosting;
using Sync.Node.Resync;
using Sync.Node.Verification;
using Sync.Redis.Errors;

namespace Sync.Node.Schema;

/// <summary>
/// Looks at what the stream does not tell: at once when the stream describes a table, and by the clock. What it finds is answered as
/// <c>postgres.onSchemaChange</c> says: the table is
/// read again while its changes stream, or the engine starts anew to settle the publication, or the table is stopped, or it is only told. The shape
/// that the answer covers is kept
/// behind it, so whatever ends the node in between, the change is found again.
/// </summary>
/// <param name="context">Tables, log and writers.</param>
/// <param name="source">PostgreSQL.</param>
/// <param name="parts">Which changes a start was to settle.</param>
/// <param name="book">What Redis was filled from.</param>
/// <param name="desk">Reads tables again.</param>
/// <param name="signal">Set by the stream.</param>
sealed class SchemaWatch(PumpContext context, Source source, NodeParts parts, ShapeBook book, ResyncDesk desk, SchemaSignal signal)
{
    static readonly TimeSpan shortest = TimeSpan.FromMilliseconds(200);

    SchemaPolicy Policy => context.Config.Postgres.OnSchemaChange;

    /// <summary>Works until cancelled.</summary>
    /// <exception cref="SchemaChangedException">The engine has to start anew.</exception>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        try
        {
            while (true)
            {
                await TryCheckAsync(cancellationToken);
                // Each table's first row sets the signal; one look does for many.
                await Task.Delay(shortest, context.Time, cancellationToken);
                await signal.WaitAsync(context.Config.Postgres.SchemaCheckInterval, cancellationToken);
            }
        }
        catch (Exception e) when (e is OperationCanceledException or ChannelClosedException)
        {
            // The stream has ended, or a writer has, which ends everything.
        }
    }

    /// <summary>A look that fails is made again. The stream itself tells when a server is gone; what is refused to the watch alone would stay unseen.</summary>
    async Task TryCheckAsync(CancellationToken cancellationToken)
    {
        try
        {
            await CheckAsync(cancellationToken);
        }
        catch (Exception e) when (e is NpgsqlException or SyncException or RedisTransientException)
        {
            string cause = e is NpgsqlException ? source.Primary.Describe(e).Message : e.Message;
            bool passes = e is RedisTransientException || Source.IsTransient(e);
            if (!passes && context.Tables.IsNew(cause)) context.Log.Warning($"The catalog can't be watched for changes of tables: {cause}");
        }
    }

    async Task CheckAsync(CancellationToken cancellationToken)
    {
        var now = await ShapeBook.ReadAsync(source, context.Tables, context.Config.Postgres.Repl.Pub, cancellationToken);
        foreach (var table in context.Tables.All)
        {
            var shape = now.GetValueOrDefault(TableName.Of(table.Config));
            if (table.IsRefused) Reconsider(table, shape);
            // That a publication is gone is for the reporter to find; it comes back with the next start.
            if (!table.IsStopped && shape is not { Publication: 0 }) await LookAsync(table, shape, cancellationToken);
        }
    }

    /// <summary>A table that was stopped when the node connected, and is another one since: the next connection looks at it again.</summary>
    void Reconsider(TableRuntime table, TableShape? shape)
    {
        if (!book.AtRefusal.TryGetValue(table.Name, out string? before) || before == ShapeBook.Text(shape)) return;
        string change = $"{table.Name} was changed since it was stopped";
        context.Log.SchemaAnew(change);
        throw new SchemaChangedException(null, change);
    }

    async Task LookAsync(TableRuntime table, TableShape? shape, CancellationToken cancellationToken)
    {
        var before = book.Find(table.Name);
        var differences = before is null ? [] : ShapeDifferences.Find(before.Shape, shape);
        if (differences.Count > 0)
        {
            string texts = string.Join("; ", differences.Select(d => d.Text).Distinct());
            string change = $"{table.Name} {texts}{await PresentNameAsync(before!.Shape, shape, cancellationToken)}";
            // A table that is not there keeps its last shape, so that its absence is found at each look, and told once.
            if (shape is not null || change != before.Change)
                await AnswerAsync(table, before, shape, differences.Max(d => d.Effect), change, cancellationToken);
            return;
        }
        parts.SchemaChanges.RemoveWhere(c => c.StartsWith($"{table.Name} ", StringComparison.Ordinal));
        if (shape is null) return;
        var kept = before ?? new KeptShape(shape);
        if (kept.Change.Length > 0) kept = Follow(table, kept);
        if (ShapeBook.Text(kept.Shape) != ShapeBook.Text(shape)) kept = kept with { Shape = shape };
        if (kept != before) await KeepAsync(table, kept, cancellationToken);
    }

    /// <summary>What became of the re-sync that a change asks for: its good end settles the change, any other end is a notice.</summary>
    KeptShape Follow(TableRuntime table, KeptShape kept)
    {
        var resync = desk.Status.FirstOrDefault(r => r.Table == table.Name && r.StartedAt >= kept.ChangedAt);
        return resync?.State switch
        {
            ResyncState.Done => new KeptShape(kept.Shape),
            ResyncState.Failed => Noticed(kept, $"reading it again failed: {resync.Error.TrimEnd('.')}"),
            ResyncState.Cancelled => Noticed(kept, "reading it again was cancelled"),
            _ => kept,
        };

        KeptShape Noticed(KeptShape change, string why)
        {
            if (change.Notice.Length > 0) return change;
            string notice = $"{change.Change}; {why}: run actorsync resync --table {table.Name}";
            context.Log.SchemaNoticed(table.Name, notice);
            return change with { Notice = notice };
        }
    }

    async Task AnswerAsync(TableRuntime table, KeptShape before, TableShape? shape, ShapeEffect effect, string change, CancellationToken cancellationToken)
    {
        context.Writer.CountSchemaChange(change);
        if (table.CopyError.Length > 0)
        {
            // Its rows are missing; the next start copies it, now that it is another one.
            context.Log.SchemaAnew(change);
            throw new SchemaChangedException(null, change);
        }
        if (Policy == SchemaPolicy.Warn)
        {
            string notice = $"{change}; postgres.onSchemaChange is warn, so it is not read again: run actorsync resync --table {table.Name}";
            await NoticeAsync(table, shape ?? before.Shape, change, notice, cancellationToken);
            return;
        }
        if (Policy == SchemaPolicy.Stop)
        {
            await MarkStoppedAsync(table, cancellationToken);
            throw new SchemaChangedException(table, change);
        }
        bool isCopied = effect == ShapeEffect.Replace && Copies;
        if (isCopied) await MarkStoppedAsync(table, cancellationToken);
        if (isCopied || (NeedsNewStream(before.Shape, shape, effect) && parts.SchemaChanges.Add(change)))
        {
            context.Log.SchemaAnew(change);
            throw new SchemaChangedException(null, change);
        }
        if (effect == ShapeEffect.Reconnect)
            await NoticeAsync(table, shape!, change, $"{change}; only the owner of the publication can mend that", cancellationToken);
        else if (effect == ShapeEffect.Replace)
            await NoticeAsync(table, shape ?? before.Shape, change, $"{change}; {NotCopied(table)}", cancellationToken);
        else await RereadAsync(table, shape!, change, isGap: effect == ShapeEffect.Gap, cancellationToken);
    }

    /// <summary>Before PostgreSQL 15, pgoutput keeps the partitions that it has seen for as long as the stream lives.</summary>
    bool NeedsNewStream(TableShape before, TableShape? now, ShapeEffect effect) => effect is ShapeEffect.Reconnect or ShapeEffect.Replace
        || (source.Facts.VersionNumber < 150000 && !before.Leaves.Select(l => l.Oid).SequenceEqual(now!.Leaves.Select(l => l.Oid)));

    /// <summary>Whether a start copies what is marked to be copied.</summary>
    bool Copies => context.Config.Snapshot.Mode != SnapshotMode.Never;

    static string NotCopied(TableRuntime table) => $"it is not copied anew, because snapshot.mode is never: run actorsync snapshot --table {table.Name}";

    async Task RereadAsync(TableRuntime table, TableShape shape, string change, bool isGap, CancellationToken cancellationToken)
    {
        var (obstacle, uncovered) = await JudgeAsync(table, cancellationToken);
        bool isRecounted = Copies && isGap && (uncovered.Count > 0 || obstacle is not null) && table.Plan is { CanRecount: true };
        if (isRecounted || (Copies && obstacle is null && uncovered.Count == 0 && !CanResync))
        {
            await (isRecounted ? MarkOutdatedAsync(table, cancellationToken) : MarkStoppedAsync(table, cancellationToken));
            context.Log.SchemaReread(change);
            throw new SchemaChangedException(null, change);
        }
        if (obstacle is not null)
        {
            await NoticeAsync(table, shape, change, $"{change}; it can't be read again: {obstacle}", cancellationToken);
            return;
        }
        if (!CanResync)
        {
            string why = Copies
                ? $"it is not read again, because a copy would run again what does not follow from its rows ({string.Join("; ", uncovered)})"
                : NotCopied(table);
            await NoticeAsync(table, shape, change, $"{change}; {why}", cancellationToken);
            return;
        }
        var begun = context.Time.GetUtcNow();
        await desk.StartAsync(table.Name, ResyncStatus.DefaultRate, cancellationToken);
        context.Log.SchemaReread(change);
        string rest = $"{change}; what does not follow from its rows stays as it is: {string.Join("; ", uncovered)}";
        if (uncovered.Count == 0) await KeepAsync(table, new KeptShape(shape, change, "", begun), cancellationToken);
        else await NoticeAsync(table, shape, change, rest, cancellationToken);
    }

    bool CanResync => !context.Config.Redis.IsCluster && source.Facts.VersionNumber >= ResyncTable.FirstVersion;

    /// <summary>What keeps the table from being read again, and which of its commands that would not mend.</summary>
    async Task<(string? Obstacle, IReadOnlyList<string> Uncovered)> JudgeAsync(TableRuntime table, CancellationToken cancellationToken)
    {
        var all = await TableOpener.OpenAllAsync(context.Config, source.Primary, cancellationToken);
        var own = all.First(t => t.Table.FullName == table.Name);
        foreach (var other in all)
            if (other.Parts is not null) await other.Parts.DisposeAsync();
        return own.Parts is null ? (own.Why, []) : (ResyncTable.Obstacle(own.Parts), own.Parts.Plan.NotVerifiable);
    }

    async Task NoticeAsync(TableRuntime table, TableShape shape, string change, string notice, CancellationToken cancellationToken)
    {
        context.Log.SchemaNoticed(table.Name, notice);
        await KeepAsync(table, new KeptShape(shape, change, notice, context.Time.GetUtcNow()), cancellationToken);
    }

    Task KeepAsync(TableRuntime table, KeptShape kept, CancellationToken cancellationToken)
    {
        context.Stats.Noticed(table.Index, kept.Notice.Length == 0 && table.CopyError.Length > 0 ? $"its copy failed: {table.CopyError}" : kept.Notice);
        return context.Output.ActAsync(async (session, ct) => await book.SetAsync(session.Connection, table.Name, kept, ct), cancellationToken);
    }

    /// <summary>The next start empties the table's keys and copies it anew.</summary>
    Task MarkStoppedAsync(TableRuntime table, CancellationToken cancellationToken) => context.Output.ActAsync(
        (session, ct) => context.Writer.Snapshots.MarkStoppedAsync(session.Connection, table.Name, context.Tracker.Confirmed, ct), cancellationToken);

    /// <summary>The next start copies it anew and counts it again; what was told of its rows is not told again.</summary>
    Task MarkOutdatedAsync(TableRuntime table, CancellationToken cancellationToken) => context.Output.ActAsync(
        (session, ct) => context.Writer.Snapshots.MarkOutdatedAsync(session.Connection, table.Name, context.Tracker.Confirmed, ct), cancellationToken);

    /// <summary>The name that a table which is not found any more has now.</summary>
    async Task<string> PresentNameAsync(TableShape before, TableShape? shape, CancellationToken cancellationToken)
    {
        if (shape is not null) return "";
        try
        {
            await using var command = source.Primary.DataSource.CreateCommand(
                "select n.nspname || '.' || c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid = $1");
            command.Parameters.Add(new() { Value = before.Oid, NpgsqlDbType = NpgsqlTypes.NpgsqlDbType.Oid });
            return await command.ExecuteScalarAsync(cancellationToken) is string name ? $" (it is called {name} now)" : " (it was dropped)";
        }
        catch (NpgsqlException)
        {
            return "";
        }
    }
}
