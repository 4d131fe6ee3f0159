using System.Security.Cryptography;
using Npgsql;
using Npgsql.Replication;
using Sync.Contracts;
using Sync.Contracts.Configuration;
using Sync.Postgres.Connections;

namespace Sync.Postgres.Slots;

/// <param name="Facts">The slot.</param>
/// <param name="Snapshot">What the database held when the slot was created; null when the slot was there already. The caller disposes it.</param>
/// <param name="Warnings">What works otherwise than one may expect; a sentence each.</param>
public sealed record SlotResult(SlotFacts Facts, ExportedSnapshot? Snapshot, IReadOnlyList<string> Warnings)
{
    public bool Created => Snapshot is not null;
}

/// <summary>Creates, inspects, waits for and drops replication slots (PostgreSQL docs, "Replication Slots").</summary>
public sealed class SlotManager(PostgresPrimary primary, TimeProvider? time = null)
{
    static readonly TimeSpan firstDelay = TimeSpan.FromMilliseconds(200), maxDelay = TimeSpan.FromSeconds(2);
    static readonly TimeSpan reminder = TimeSpan.FromSeconds(30);

    readonly TimeProvider time = time ?? TimeProvider.System;

    /// <summary>The slot as it is now; null when there is none.</summary>
    public async Task<SlotFacts?> InspectAsync(string slot, CancellationToken ct = default)
    {
        // to_jsonb lets one query do for servers that lack the newer columns.
        await using var command = primary.DataSource.CreateCommand("""
            select s.plugin, s.database, s.temporary, s.active, s.active_pid, a.application_name, host(a.client_addr), r.rolname,
                   s.restart_lsn::text, s.confirmed_flush_lsn::text, s.wal_status,
                   coalesce(to_jsonb(s)->>'invalidation_reason', case when (to_jsonb(s)->>'conflicting')::bool then 'conflict' end),
                   (to_jsonb(s)->>'failover')::bool,
                   coalesce(pg_wal_lsn_diff(case when pg_is_in_recovery() then pg_last_wal_receive_lsn() else pg_current_wal_lsn() end, s.restart_lsn), 0)::int8
            from pg_replication_slots s
            left join pg_stat_activity a on a.pid = s.active_pid
            left join pg_roles r on r.oid = a.usesysid
            where s.slot_name = $1
            """);
        command.Parameters.AddWithValue(slot);
        try
        {
            await using var row = await command.ExecuteReaderAsync(ct);
            return await row.ReadAsync(ct) ? Read(slot, row) : null;
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            throw primary.Describe(e);
        }
    }

    static SlotFacts Read(string slot, NpgsqlDataReader row)
    {
        string? Text(int column) => row.IsDBNull(column) ? null : row.GetString(column);
        Lsn Position(int column) => Lsn.TryParse(Text(column), out var lsn) ? lsn : Lsn.None;
        return new SlotFacts
        {
            Name = slot,
            Plugin = Text(0),
            Database = Text(1),
            IsTemporary = row.GetBoolean(2),
            IsActive = row.GetBoolean(3),
            Holder = row.IsDBNull(4) ? null : new SlotHolder(row.GetInt32(4), Text(5), Text(6), Text(7)),
            RestartLsn = Position(8),
            ConfirmedFlushLsn = Position(9),
            WalStatus = Text(10),
            Invalidation = Text(11),
            IsFailover = row.IsDBNull(12) ? null : row.GetBoolean(12),
            RetainedBytes = row.GetInt64(13),
        };
    }

    /// <summary>Why <see cref="EnsureAsync"/> would fail now, as far as that can be seen without changing anything; null when nothing stands against it.</summary>
    /// <exception cref="SyncException">PostgreSQL can't be asked.</exception>
    public async Task<SyncException?> ReviewAsync(ReplicationOptions options, ServerFacts server, CancellationToken ct = default)
    {
        if (await InspectAsync(options.Slot, ct) is { } slot) return SlotChecks.Find(slot, primary.Options.Database);
        if (options.Owner == ReplicationOwner.User) return Missing(options.Slot);
        return server.UsedReplicationSlots < server.MaxReplicationSlots ? null : NoneLeft(options.Slot, server);
    }

    SyncException Missing(string slot) => new(ExitCode.Slot,
        $"Slot {slot} does not exist: run SELECT pg_create_logical_replication_slot({Sql.Literal(slot)},"
            + $" '{SlotChecks.Plugin}') in database {primary.Options.Database}, or set postgres.repl.owner: app.");

    static SyncException NoneLeft(string slot, ServerFacts server, Exception? cause = null) => new(ExitCode.Slot,
        $"No replication slot is left for {slot}: all {server.MaxReplicationSlots} of max_replication_slots are taken; drop an unused one (see"
            + " pg_replication_slots), or raise the setting and restart PostgreSQL.", cause);

    /// <summary>
    /// Checks the slot; with <see cref="ReplicationOwner.App"/> creates it when it is missing, together with a snapshot of
    /// the database to begin with. Creating waits until every transaction that is under way has ended. Whether the slot is
    /// free is not asked here; see <see cref="WaitUntilFreeAsync"/>.
    /// </summary>
    /// <exception cref="SyncException">It is missing and not ours to create, unusable, or none can be created.</exception>
    public async Task<SlotResult> EnsureAsync(ReplicationOptions options, CancellationToken ct = default)
    {
        string database = primary.Options.Database;
        ExportedSnapshot? snapshot = null;
        var facts = await InspectAsync(options.Slot, ct);
        if (facts is null)
        {
            if (options.Owner == ReplicationOwner.User) throw Missing(options.Slot);
            snapshot = await CreateAsync(options, ct);
        }
        try
        {
            facts ??= await InspectAsync(options.Slot, ct)
                ?? throw new SyncException(ExitCode.Slot, $"Slot {options.Slot} was dropped right after its creation: somebody else manages it.");
            if (SlotChecks.Find(facts, database) is { } problem) throw problem;
            return new SlotResult(facts, snapshot, options.Failover == true && facts.IsFailover == false
                ? [$"Slot {options.Slot} is not kept on standbys, although postgres.repl.failover is true: it was created without. Drop it and start"
                    + " anew to change that."]
                : []);
        }
        catch
        {
            if (snapshot is not null) await snapshot.DisposeAsync();
            throw;
        }
    }

    /// <summary>Null when another process created the slot in this moment.</summary>
    async Task<ExportedSnapshot?> CreateAsync(ReplicationOptions options, CancellationToken ct)
    {
        bool failover = options.Failover != false && (await primary.ReadFactsAsync(ct)).HasFailoverSlots;
        try
        {
            if (!failover) return await ExportAsync(options.Slot, temporary: false, ct);
            // Only the SQL function makes a failover slot through this driver, and it exports no snapshot; a temporary slot right behind it does.
            await using (var command = primary.DataSource.CreateCommand("select pg_create_logical_replication_slot($1, $2, failover => true)"))
            {
                command.CommandTimeout = 0;
                command.Parameters.AddWithValue(options.Slot);
                command.Parameters.AddWithValue(SlotChecks.Plugin);
                await command.ExecuteNonQueryAsync(ct);
            }
            return await SnapshotOrDropAsync(options.Slot, ct);
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.DuplicateObject)
        {
            return null;
        }
        catch (Exception e) when (e is not (SyncException or OperationCanceledException))
        {
            throw await DescribeAsync(e, options.Slot);
        }
    }

    // A slot without its snapshot would pass for one whose snapshot was taken long ago.
    async Task<ExportedSnapshot> SnapshotOrDropAsync(string slot, CancellationToken ct)
    {
        try
        {
            return await CreateTemporaryAsync(slot, ct);
        }
        catch
        {
            await DropAsync(slot, CancellationToken.None);
            throw;
        }
    }

    /// <summary>
    /// A snapshot for tables that are to be copied later, from a temporary slot that ends with it. The stream may have
    /// passed its consistent point or not reached it yet.
    /// </summary>
    /// <param name="slot">The slot of the stream; the temporary one is named after it.</param>
    /// <param name="ct">Ends the wait for transactions that are under way.</param>
    /// <exception cref="SyncException">No slot is left, or the user may not replicate.</exception>
    public async Task<ExportedSnapshot> CreateTemporaryAsync(string slot, CancellationToken ct = default)
    {
        string name = $"{slot[..Math.Min(slot.Length, 50)]}_{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(6))}";
        try
        {
            return await ExportAsync(name, temporary: true, ct);
        }
        catch (Exception e) when (e is not (SyncException or OperationCanceledException))
        {
            throw await DescribeAsync(e, name);
        }
    }

    async Task<ExportedSnapshot> ExportAsync(string slot, bool temporary, CancellationToken ct)
    {
        var connection = await primary.OpenReplicationAsync(ct);
        try
        {
            connection.CommandTimeout = Timeout.InfiniteTimeSpan;
            // The driver puts the name into the command as it is, and the replication grammar takes 2025_shop or temporary for something else than a name.
            var created = await connection.CreatePgOutputReplicationSlot(Sql.Identifier(slot), temporary, LogicalSlotSnapshotInitMode.Export, cancellationToken: ct);
            return new ExportedSnapshot(connection, created.SnapshotName!, new Lsn((ulong)created.ConsistentPoint));
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }
    }

    async Task<SyncException> DescribeAsync(Exception error, string slot)
    {
        if (error is not PostgresException { SqlState: "53400" }) return primary.Describe(error);
        return NoneLeft(slot, await primary.ReadFactsAsync(), error);
    }

    /// <summary>
    /// Returns once nobody reads from the slot; null when it was dropped meanwhile. Free now does not mean free later: whoever
    /// starts reading first has it, so that starting may still fail with 55006 (object_in_use).
    /// </summary>
    /// <param name="slot">Slot name.</param>
    /// <param name="onWaiting">Told who holds it: at once, whenever that changes, and every 30 s.</param>
    /// <param name="ct">Ends the wait.</param>
    public async Task<SlotFacts?> WaitUntilFreeAsync(string slot, Action<SlotFacts> onWaiting, CancellationToken ct = default)
    {
        SlotHolder? told = null;
        long? toldAt = null;
        for (var delay = firstDelay; ; delay = delay * 2 < maxDelay ? delay * 2 : maxDelay)
        {
            var facts = await InspectAsync(slot, ct);
            if (facts is null || !facts.IsActive) return facts;
            if (toldAt is not { } since || facts.Holder != told || time.GetElapsedTime(since) >= reminder)
            {
                onWaiting(facts);
                (told, toldAt) = (facts.Holder, time.GetTimestamp());
            }
            await Task.Delay(delay, time, ct);
        }
    }

    /// <summary>
    /// Ends the stream of one of us that reads from the slot without its lease: it stood still, or was cut off, for so long that PostgreSQL gave the lease to the caller,
    /// and would keep the slot until wal_sender_timeout. Others who read from the slot, and other users, are left alone.
    /// </summary>
    /// <returns>Whether there was one.</returns>
    public async Task<bool> EndReaderAsync(string slot, CancellationToken ct = default)
    {
        await using var command = primary.DataSource.CreateCommand("""
            select pg_terminate_backend(a.pid) from pg_replication_slots s join pg_stat_activity a on a.pid = s.active_pid
            where s.slot_name = $1 and a.application_name = $2 and a.usename = current_user
            """);
        command.Parameters.AddWithValue(slot);
        command.Parameters.AddWithValue(PostgresConnector.ApplicationName);
        return await command.ExecuteScalarAsync(ct) is true;
    }

    /// <summary>Drops the slot; the WAL it held back is freed. False when there is none.</summary>
    /// <exception cref="SyncException">Somebody reads from it.</exception>
    public async Task<bool> DropAsync(string slot, CancellationToken ct = default)
    {
        await using var command = primary.DataSource.CreateCommand("select pg_drop_replication_slot($1)");
        command.Parameters.AddWithValue(slot);
        try
        {
            await command.ExecuteNonQueryAsync(ct);
            return true;
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.UndefinedObject)
        {
            return false;
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.ObjectInUse)
        {
            var holder = (await InspectAsync(slot, ct))?.Holder;
            throw new SyncException(ExitCode.Slot, $"Slot {slot} is in use{(holder is null ? "" : $" by {holder}")}: stop that first.", e);
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            throw primary.Describe(e);
        }
    }
}
