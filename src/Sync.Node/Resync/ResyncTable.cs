using System.Globalization;
using Npgsql;
using Sync.Contracts;
using Sync.Engine.Resync;
using Sync.Node.Hosting;
using Sync.Node.Verification;
using Sync.Postgres.Rows;

namespace Sync.Node.Resync;

/// <summary>
/// A table that is read while its changes stream: it reads rows at one moment, sends a message behind them, and waits until the stream has brought
/// the message and the rows were dealt with there. docs/protocols/resync.md has the steps.
/// </summary>
sealed class ResyncTable : IAsyncDisposable
{
    const int longestWaitMs = 64;

    /// <summary>Messages exist in pgoutput since then (PostgreSQL docs, "Logical Streaming Replication Parameters").</summary>
    public const int FirstVersion = 140000;

    readonly PumpContext context;
    readonly Source source;
    readonly ResyncFeed feed;
    readonly TableRuntime table;
    readonly string run = Guid.NewGuid().ToString("N");
    readonly TableWatch watch;
    TableParts? parts;
    long sent;

    ResyncTable(PumpContext context, Source source, ResyncFeed feed, TableRuntime table)
    {
        (this.context, this.source, this.feed, this.table) = (context, source, feed, table);
        watch = feed.Watch(table.Index);
    }

    public TableParts Parts => parts!;

    /// <summary>From here on the stream's changes of the table are watched.</summary>
    /// <exception cref="SyncException">The table can't be re-synced, and why.</exception>
    public static async Task<ResyncTable> OpenAsync(PumpContext context, Source source, ResyncFeed feed, TableRuntime table, CancellationToken cancellationToken)
    {
        if (context.Config.Redis.IsCluster)
            throw new SyncException(ExitCode.RedisUnsuitable, "A re-sync does not work with a Redis Cluster (redis.nodes) yet; actorsync snapshot --table T copies a table again.");
        if (source.Facts.VersionNumber < FirstVersion)
            throw new SyncException(ExitCode.Usage, $"A re-sync needs PostgreSQL 14 or later, which lets messages through the stream; this one is {source.Facts.Version}: use actorsync snapshot.");
        var opened = new ResyncTable(context, source, feed, table);
        try
        {
            await opened.BeginAsync(cancellationToken);
            return opened;
        }
        catch
        {
            await opened.DisposeAsync();
            throw;
        }
    }

    /// <summary>Reads rows and has what differs in Redis mended.</summary>
    /// <param name="read">Which rows.</param>
    /// <param name="insists">Whether keys that may have come to the end of their life are to be there.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>What was read, and what became of it; null without rows.</returns>
    public async Task<(IReadOnlyList<ReadRow> Rows, ChunkResult? Result)> MendAsync(
        Func<RowChunks, Task<IReadOnlyList<ReadRow>>> read, bool insists, CancellationToken cancellationToken)
    {
        var (rows, sight) = await ReadAsync(read, cancellationToken);
        if (rows.Count == 0) return (rows, null);
        ResyncRow[] items = [.. rows.Select(r => new ResyncRow(r.Key, Parts.OrderingKey(r.Key, r), insists ? Parts.Insist(r) : Parts.Expect(r)))];
        return (rows, await SendAsync(sight, items, [], cancellationToken));
    }

    /// <summary>Has places removed that no row leads to.</summary>
    public async Task<ChunkResult> RemoveAsync(IReadOnlyList<(FoundPlace Place, IReadOnlyList<IReadOnlyList<string>> Rows)> places, CancellationToken cancellationToken)
    {
        var keys = places.SelectMany(p => p.Rows).DistinctBy(Text).ToList();
        var (rows, sight) = await ReadAsync(chunks => chunks.ByKeyAsync(keys, cancellationToken), cancellationToken);
        var found = rows.GroupBy(r => Text(r.Key)).ToDictionary(g => g.Key, g => g.First());
        ResyncPlace[] items = [.. places.Select(p => new ResyncPlace(p.Place, p.Rows,
            [.. p.Rows.Select(key => Parts.OrderingKey(key, found.GetValueOrDefault(Text(key))))],
            p.Rows.Any(key => found.TryGetValue(Text(key), out var row) && Parts.Expect(row).Claims(p.Place.Key, p.Place.Part))))];
        return await SendAsync(sight, [], items, cancellationToken);
    }

    /// <summary>Begins to watch anew, with the table as it is now.</summary>
    public async Task ReopenAsync(CancellationToken cancellationToken)
    {
        if (parts is not null) await parts.DisposeAsync();
        parts = null;
        watch.Changes.Restart();
        await BeginAsync(cancellationToken);
    }

    async Task BeginAsync(CancellationToken cancellationToken)
    {
        var all = await TableOpener.OpenAllAsync(context.Config, source.Primary, cancellationToken);
        foreach (var other in all.Where(t => t.Table.FullName != table.Name && t.Parts is not null)) await other.Parts!.DisposeAsync();
        var own = all.Find(t => t.Table.FullName == table.Name)!;
        parts = own.Parts;
        if (table.IsStopped) throw new SyncException(ExitCode.Usage, $"{table.Name} is stopped ({table.Error}): mend that and start again, which copies it.");
        if (parts is null) throw new SyncException(own.Trouble ?? ExitCode.Usage, $"{table.Name} can't be re-synced: {own.Why}.");
        if (Obstacle(parts) is { } obstacle) throw new SyncException(ExitCode.Usage, $"{table.Name} can't be re-synced: {obstacle}.");
        await SeeRecentAsync(cancellationToken);
    }

    /// <summary>What stands in the way of a re-sync; null when nothing does.</summary>
    public static string? Obstacle(TableParts parts)
    {
        if (!parts.Plan.HasState) return $"nothing that its commands leave in Redis follows from its rows ({string.Join("; ", parts.Plan.NotVerifiable)})";
        return parts.Relation.PrimaryKey.All(column => parts.Relation.Columns[column].InIdentity) ? null
            : $"its replica identity leaves out the primary key, by which rows are told apart; ALTER TABLE {parts.Config.FullName} REPLICA IDENTITY DEFAULT";
    }

    /// <summary>
    /// What the stream brought before it was watched has to be visible to all that is read from now on. The stream brings a commit as soon as it
    /// is on disk; queries see it a moment later, or much later where it waits for a synchronous standby.
    /// </summary>
    async Task SeeRecentAsync(CancellationToken cancellationToken)
    {
        uint[] recent = feed.Recent.ToArray();
        for (int waitMs = 1; ; waitMs = Math.Min(2 * waitMs, longestWaitMs))
        {
            var sight = SnapshotSight.Parse((string)(await QueryAsync("select pg_current_snapshot()::text", [], cancellationToken))!);
            if (Array.TrueForAll(recent, sight.Sees)) return;
            await Task.Delay(waitMs, cancellationToken);
        }
    }

    async Task<(IReadOnlyList<ReadRow> Rows, SnapshotSight Sight)> ReadAsync(Func<RowChunks, Task<IReadOnlyList<ReadRow>>> read, CancellationToken cancellationToken)
    {
        try
        {
            var sight = SnapshotSight.Parse(await Parts.Chunks.BeginSnapshotAsync(cancellationToken));
            var rows = await read(Parts.Chunks);
            await Parts.Chunks.EndSnapshotAsync(cancellationToken);
            return (rows, sight);
        }
        catch
        {
            // Its connection is in the middle of a transaction.
            await Parts.Chunks.DisposeAsync();
            throw;
        }
    }

    async Task<ChunkResult> SendAsync(SnapshotSight sight, ResyncRow[] rows, ResyncPlace[] places, CancellationToken cancellationToken)
    {
        string mark = string.Create(CultureInfo.InvariantCulture, $"{context.Config.Postgres.Repl.Slot} {run} {++sent}");
        var chunk = new ResyncChunk(mark, Parts, watch, sight, rows, places);
        feed.Await(chunk);
        try
        {
            // A transaction of its own, so that it is on disk at once and has a place among the others; no standby has to have it.
            await QueryAsync("select set_config('synchronous_commit', 'local', true), pg_logical_emit_message(true, $1, $2)", [ResyncFeed.Prefix, mark], cancellationToken);
            return await chunk.Done.WaitAsync(cancellationToken);
        }
        finally
        {
            feed.Forget(chunk);
        }
    }

    async Task<object?> QueryAsync(string sql, string[] arguments, CancellationToken cancellationToken)
    {
        try
        {
            await using var command = source.Primary.DataSource.CreateCommand(sql);
            foreach (string argument in arguments) command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = argument });
            return await command.ExecuteScalarAsync(cancellationToken);
        }
        catch (NpgsqlException e)
        {
            throw source.Primary.Describe(e);
        }
    }

    static string Text(IReadOnlyList<string> key) => string.Join('\0', key);

    public async ValueTask DisposeAsync()
    {
        feed.Leave(watch);
        if (parts is not null) await parts.DisposeAsync();
    }
}
