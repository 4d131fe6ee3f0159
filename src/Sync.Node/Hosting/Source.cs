using Npgsql;
using Sync.Contracts;
using Sync.Contracts.Configuration;
using Sync.Contracts.Schema;
using Sync.Engine.Retry;
using Sync.Node.Schema;
using Sync.Postgres.Catalog;
using Sync.Postgres.Connections;
using Sync.Postgres.PgOutput;
using Sync.Postgres.Publication;
using Sync.Postgres.Slots;
using Sync.Postgres.Streaming;

namespace Sync.Node.Hosting;

/// <summary>
/// PostgreSQL as this node has found it: the primary, its facts, the publication settled, the tables bound, the slot's lease held and the
/// slot there. Opened anew after every lost connection, because the primary may be another one by then.
/// </summary>
sealed class Source : IAsyncDisposable
{
    static readonly TimeSpan confirmationWait = TimeSpan.FromSeconds(2), confirmationPoll = TimeSpan.FromMilliseconds(20), handingOver = TimeSpan.FromMilliseconds(200), staleAfter = TimeSpan.FromSeconds(10);

    const int mostPreparations = 3;

    readonly List<IAsyncDisposable> owned = [];

    Source(PostgresPrimary primary, ServerFacts facts, CatalogReader catalog)
    {
        Primary = primary;
        Facts = facts;
        Catalog = catalog;
        owned.Add(primary);
    }

    public PostgresPrimary Primary { get; }
    public ServerFacts Facts { get; }
    public CatalogReader Catalog { get; }
    public PublicationReport Publication { get; private set; } = null!;

    /// <summary>The shapes of the tables before they were looked at; a table that was refused is worth another look when its shape is another one.</summary>
    public IReadOnlyDictionary<TableName, TableShape> Reviewed { get; private set; } = null!;
    public SlotLease Lease { get; private set; } = null!;
    public SlotResult Slot { get; private set; } = null!;

    /// <summary>The server's log when the slot was ours.</summary>
    public ServerLog Log { get; private set; } = null!;

    /// <summary>
    /// What committed before this is in every row that is read from now on. Not behind the end of the log that was judged: the server may have been exchanged since the first look at it.
    /// </summary>
    public Lsn SeenAt => Facts.CurrentLsn < Log.End ? Facts.CurrentLsn : Log.End;

    /// <param name="parts">Configuration, log and clock.</param>
    /// <param name="tables">Bound to what the publication shows.</param>
    /// <param name="board">Told where the primary is, and who holds the slot.</param>
    /// <param name="found">Called when there is a primary that will do.</param>
    /// <param name="cancellationToken">Ends the wait for the slot.</param>
    /// <exception cref="SyncException">Nothing can be reached, or what is found can't be used.</exception>
    public static async Task<Source> OpenAsync(
        NodeParts parts, TableSet tables, StatusBoard board, Action found, CancellationToken cancellationToken)
    {
        var config = parts.Config;
        var primary = await new PostgresConnector(config.Postgres.Conn).FindPrimaryAsync(cancellationToken);
        Source? source = null;
        try
        {
            var facts = await primary.ReadFactsAsync(cancellationToken);
            source = new Source(primary, facts, new CatalogReader(primary.DataSource));
            ServerChecks.Ensure(facts, config.Postgres.Repl);
            board.SetPostgres(primary.Address.ToString());
            var watch = WaitWatch.Start(primary, Waiting, parts.Time);
            source.owned.Add(watch);
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, watch.Silent);
            try
            {
                await source.SettleAsync(parts, tables, board, found, limit.Token);
            }
            catch (OperationCanceledException) when (watch.Silent.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
            {
                throw primary.Describe(new TimeoutException("it does not answer"));
            }
            return source;
        }
        catch (Exception e)
        {
            if (source is not null) await source.DisposeAsync();
            else await primary.DisposeAsync();
            if (e is NpgsqlException) throw primary.Describe(e);
            throw;
        }

        void Waiting(string forWhom)
        {
            board.SetWaiting(forWhom);
            if (forWhom.Length > 0) parts.Log.Warning(forWhom);
        }
    }

    async Task SettleAsync(NodeParts parts, TableSet tables, StatusBoard board, Action found, CancellationToken cancellationToken)
    {
        var (config, log, time) = (parts.Config, parts.Log, parts.Time);
        var repl = config.Postgres.Repl;
        if (!Primary.IsDirect)
        {
            log.Warning(Primary.ProxyWarning);
            // A pooler may refuse a replication connection: before anything was made for one.
            await using var replication = await Primary.OpenReplicationAsync(cancellationToken);
        }
        await PrepareAsync(parts, tables, cancellationToken);
        long since = time.GetTimestamp();
        Lease = await SlotLease.AcquireAsync(Primary, repl.Slot, holder => StandBy(holder?.ToString() ?? "another node"), time, cancellationToken);
        owned.Add(Lease);
        // A standby may have looked long ago.
        if (time.GetElapsedTime(since) > staleAfter) await PrepareAsync(parts, tables, cancellationToken);
        var slots = new SlotManager(Primary, time);
        Slot = await slots.EnsureAsync(repl, cancellationToken);
        if (Slot.Snapshot is { } snapshot) owned.Add(snapshot);
        foreach (string warning in Slot.Warnings) log.Warning(warning);
        if (Slot.Facts.IsActive)
        {
            found();
            // One that ends lets the slot go a moment behind the lease.
            await Task.Delay(handingOver, time, cancellationToken);
            if (await slots.EndReaderAsync(repl.Slot, cancellationToken)) log.Warning($"The stream of slot {repl.Slot} was ended: whoever read it had lost the lease.");
            // Whoever held it has moved it, or dropped it.
            var free = await slots.WaitUntilFreeAsync(repl.Slot, facts => StandBy(facts.Holder?.ToString() ?? "another process"), cancellationToken);
            Slot = free is null ? await slots.EnsureAsync(repl, cancellationToken) : Slot with { Facts = free };
            if (free is null && Slot.Snapshot is { } late) owned.Add(late);
        }
        if (parts.HasToRemakeSlot) await RemakeAsync(slots, parts, cancellationToken);
        Log = await Primary.ReadLogAsync(cancellationToken);
        found();
        board.Set(NodeState.Starting);

        void StandBy(string holder)
        {
            found();
            board.Set(NodeState.Standby, $"slot {repl.Slot} is in use by {holder}");
            log.StandingBy(repl.Slot, holder);
        }
    }

    /// <summary>Drops the slot, whose content can't be decoded, and makes it anew; what lies between is for a copy of the tables to bring.</summary>
    async Task RemakeAsync(SlotManager slots, NodeParts parts, CancellationToken cancellationToken)
    {
        var repl = parts.Config.Postgres.Repl;
        if (!Slot.Created)
        {
            await slots.DropAsync(repl.Slot, cancellationToken);
            Slot = await slots.EnsureAsync(repl, cancellationToken);
            if (Slot.Snapshot is { } snapshot) owned.Add(snapshot);
            parts.Metrics.Warnings.Add(1, new KeyValuePair<string, object?>("kind", "slot_remade"));
            parts.Log.SlotRemade(parts.Stats.LastError, repl.Slot);
        }
        parts.HasToRemakeSlot = false;
    }

    /// <summary>
    /// Looks at everything, and only then settles the publication and binds the tables. What a table that is dropped in between spoils is done again.
    /// </summary>
    async Task PrepareAsync(NodeParts parts, TableSet tables, CancellationToken cancellationToken)
    {
        for (int attempt = 1; ; attempt++)
        {
            try
            {
                await PrepareOnceAsync(parts, tables, cancellationToken);
                return;
            }
            catch (Exception e) when (attempt < mostPreparations && (e is SyncException { Code: ExitCode.Schema } or PostgresException { SqlState: PostgresErrorCodes.UndefinedTable }))
            {
                await Task.Delay(handingOver, parts.Time, cancellationToken);
            }
        }
    }

    async Task PrepareOnceAsync(NodeParts parts, TableSet tables, CancellationToken cancellationToken)
    {
        var (config, log) = (parts.Config, parts.Log);
        Reviewed = await ShapeBook.ReadAsync(this, tables, config.Postgres.Repl.Pub, cancellationToken);
        var review = await SourceReview.RunAsync(config, Primary, Facts, Catalog, cancellationToken);
        if (review.Problems is [var first, ..]) throw first;
        foreach (var table in tables.Settle(review))
        {
            parts.Stats.Stopped(table.Index, table.Error);
            if (table.IsRefused) log.TableStopped(table.Name, table.Error);
            else log.Changed($"{table.Name} is followed again; its rows are copied anew.");
        }
        var followed = tables.All.ToLookup(t => !t.IsRefused, t => TableName.Of(t.Config));
        Publication = await new PublicationManager(Primary, Catalog).EnsureAsync(config.Postgres.Repl, [.. followed[true]], followed[false].ToHashSet(), cancellationToken);
        foreach (string change in Publication.Changes) log.Changed(change);
        foreach (string warning in review.Tables.SelectMany(t => t.Warnings).Concat(Publication.Warnings).Where(tables.IsNew)) log.Warning(warning);
        log.Issues(tables.BindAll(RelationOf));
    }

    /// <summary>Looks at what an opening looks at, and changes nothing. For a node that may open it later.</summary>
    /// <returns>The server's log, and the tables that it would refuse, each with the reason.</returns>
    /// <exception cref="SyncException">Nothing can be reached, or what is found can't be used.</exception>
    public static async Task<(ServerLog Log, IReadOnlyList<string> Refused)> RehearseAsync(
        SyncConfig config, Action<string> onWaiting, TimeProvider time, CancellationToken cancellationToken)
    {
        var repl = config.Postgres.Repl;
        await using var primary = await new PostgresConnector(config.Postgres.Conn).FindPrimaryAsync(cancellationToken);
        try
        {
            await using var watch = WaitWatch.Start(primary, onWaiting, time);
            var facts = await primary.ReadFactsAsync(cancellationToken);
            ServerChecks.Ensure(facts, repl);
            var review = await SourceReview.RunAsync(config, primary, facts, new CatalogReader(primary.DataSource), cancellationToken);
            if (review.Problems is [var first, ..]) throw first;
            var tables = new TableSet(config);
            return (await primary.ReadLogAsync(cancellationToken), [.. tables.Settle(review).Select(t => $"{t.Name}: {t.Error}")]);
        }
        catch (NpgsqlException e)
        {
            throw primary.Describe(e);
        }
    }

    /// <summary>The table as the publication shows it.</summary>
    public Contracts.Rows.Relation RelationOf(TableRuntime table) => RelationOf(PublishedOf(table));

    static Contracts.Rows.Relation RelationOf(PublishedTable published) => published.Facts.ToRelation([.. published.Columns]);

    public PublishedTable PublishedOf(TableRuntime table) => Publication.Tables[TableName.Of(table.Config)];

    /// <summary>Whether a failure of PostgreSQL passes by itself once the node has been running.</summary>
    public static bool IsTransient(Exception error) => error switch
    {
        ReplicationStreamException stream => stream.Class == FailureClass.Transient,
        SyncException sync => sync.Code == ExitCode.PostgresUnreachable,
        // Bytes that are no pgoutput: the connection is of no use any more, the next one may be.
        PgOutputException => true,
        NpgsqlException npgsql => PostgresErrors.Classify(npgsql) == FailureClass.Transient,
        _ => false,
    };

    /// <summary>Lets go of the snapshot that came with a new slot: an exported one holds back vacuum for as long as it is kept.</summary>
    public async ValueTask ReleaseSnapshotAsync()
    {
        if (Slot.Snapshot is not { } snapshot || !owned.Remove(snapshot)) return;
        await snapshot.DisposeAsync();
    }

    /// <summary>Gives PostgreSQL a moment to take in what it was told. If it does not, the same changes come again and are dropped.</summary>
    /// <exception cref="SyncException">PostgreSQL can't be asked.</exception>
    public async Task WaitUntilConfirmedAsync(Lsn lsn, TimeProvider time, CancellationToken cancellationToken)
    {
        var slots = new SlotManager(Primary, time);
        for (long since = time.GetTimestamp(); time.GetElapsedTime(since) < confirmationWait; await Task.Delay(confirmationPoll, time, cancellationToken))
            if (await slots.InspectAsync(Slot.Facts.Name, cancellationToken) is not { IsActive: true } facts || facts.ConfirmedFlushLsn >= lsn) return;
    }

    public async ValueTask DisposeAsync()
    {
        for (int i = owned.Count - 1; i >= 0; i--) await owned[i].DisposeAsync();
    }
}
