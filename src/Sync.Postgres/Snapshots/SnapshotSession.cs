using System.Data;
using Npgsql;
using NpgsqlTypes;
using Sync.Contracts;
using Sync.Postgres.Connections;

namespace Sync.Postgres.Snapshots;

/// <summary>
/// A connection with a transaction that sees one snapshot and holds ACCESS SHARE on every table it will read, as pg_dump
/// does: nobody can drop, truncate or rewrite one between two of its ranges, which would move rows from one range to
/// another or make the table look empty. Such statements wait until the snapshot is through.
/// <para>The locks come before the first read, and a session that can't have one at once is not used (unless it is the
/// first). Otherwise it would queue behind a statement that waits for the first session's lock, and the two would wait
/// for each other for ever: PostgreSQL sees no deadlock, because the first session waits for nothing in the server.</para>
/// </summary>
sealed class SnapshotSession : IAsyncDisposable
{
    readonly NpgsqlConnection connection;

    SnapshotSession(NpgsqlConnection connection) => this.connection = connection;

    /// <summary>Whether the connection is lost, and with it the transaction.</summary>
    public bool IsLost => connection.State != ConnectionState.Open;

    /// <summary>Begins a transaction in <paramref name="snapshot"/>.</summary>
    /// <exception cref="SyncException">The server can't be reached, or the snapshot is gone.</exception>
    public static async Task<SnapshotSession> OpenAsync(PostgresPrimary primary, string snapshot, CancellationToken ct)
    {
        var session = new SnapshotSession(await primary.OpenReadingAsync(ct).ConfigureAwait(false));
        try
        {
            string begin = $"begin isolation level repeatable read read only; set transaction snapshot {Sql.Literal(snapshot)}";
            await session.ExecuteAsync(begin, ct).ConfigureAwait(false);
            return session;
        }
        catch (Exception e)
        {
            await session.DisposeAsync().ConfigureAwait(false);
            if (e is OperationCanceledException) throw;
            throw e is PostgresException { SqlState: PostgresErrorCodes.InvalidParameterValue or PostgresErrorCodes.UndefinedObject } gone
                ? new SyncException(ExitCode.PostgresUnreachable, $"The snapshot {snapshot} is gone ({gone.MessageText}): begin with a new one.", e)
                : primary.Describe(e);
        }
    }

    /// <summary>Exports the snapshot again; it lives as long as this session. Throws the driver's exceptions.</summary>
    public async Task<string> ExportAsync(CancellationToken ct)
    {
        await using var command = new NpgsqlCommand("select pg_export_snapshot()", connection);
        return (string)(await command.ExecuteScalarAsync(ct).ConfigureAwait(false))!;
    }

    /// <summary>Locks the target, waiting if need be, and finds what holds its rows. Throws the driver's exceptions.</summary>
    /// <exception cref="SyncException">The table was rewritten since the snapshot.</exception>
    public async Task<IReadOnlyList<SnapshotLeaf>> PlanAsync(SnapshotTarget target, CancellationToken ct)
    {
        await ExecuteAsync("savepoint plan", ct).ConfigureAwait(false);
        try
        {
            await ExecuteAsync($"lock table {Name(target)} in access share mode", ct).ConfigureAwait(false);
            var leaves = await FindLeavesAsync(target, ct).ConfigureAwait(false);
            await ExecuteAsync("release savepoint plan", ct).ConfigureAwait(false);
            return leaves;
        }
        catch (Exception e) when (e is PostgresException or SyncException)
        {
            await ExecuteAsync("rollback to savepoint plan; release savepoint plan", ct).ConfigureAwait(false);
            throw;
        }
    }

    async Task<List<SnapshotLeaf>> FindLeavesAsync(SnapshotTarget target, CancellationToken ct)
    {
        // pg_class is read in the snapshot, while pg_relation_filenode looks at the table of now: they differ after a rewrite.
        await using var command = new NpgsqlCommand("""
            select c.oid, n.nspname, c.relname,
                   case when c.relkind = 'r' and am.amname = 'heap' then pg_relation_size(c.oid) / current_setting('block_size')::int else 0 end,
                   c.relkind = 'r' and c.relfilenode is distinct from pg_relation_filenode(c.oid),
                   c.oid = $1 or (has_table_privilege(c.oid, 'select') and has_schema_privilege(n.oid, 'usage') and not row_security_active(c.oid))
            from pg_class c
            join pg_namespace n on n.oid = c.relnamespace
            left join pg_am am on am.oid = c.relam
            where (c.oid = $1 and c.relkind <> 'p') or c.oid in (select relid from pg_partition_tree($1) where isleaf)
            order by c.oid
            """, connection);
        command.Parameters.Add(new NpgsqlParameter { Value = target.Relation.Oid, NpgsqlDbType = NpgsqlDbType.Oid });
        var leaves = new List<SnapshotLeaf>();
        await using var row = await command.ExecuteReaderAsync(ct).ConfigureAwait(false);
        bool rewritten = false, readable = true;
        while (await row.ReadAsync(ct).ConfigureAwait(false))
        {
            rewritten |= row.GetBoolean(4);
            readable &= row.GetBoolean(5);
            // Reading by ranges of ctid is slow before PostgreSQL 14, which made it a plan of its own (TID Range Scan).
            long pages = connection.PostgreSqlVersion.Major >= 14 ? row.GetInt64(3) : 0;
            leaves.Add(new SnapshotLeaf(row.GetFieldValue<uint>(0), row.GetString(1), row.GetString(2), pages));
        }
        if (rewritten) throw SnapshotErrors.Rewritten(target);
        // A privilege on a partitioned table reaches its partitions only through it, and their own policies hold for them only: then it is read in one piece.
        return readable ? leaves : [new SnapshotLeaf(target.Relation.Oid, target.Relation.Schema, target.Relation.Name, 0, WithPartitions: true)];
    }

    /// <summary>Locks the targets if that needs no waiting; after false the transaction is of no use any more.</summary>
    public async Task<bool> TryLockAsync(IReadOnlyCollection<SnapshotTarget> targets, CancellationToken ct)
    {
        if (targets.Count == 0) return true;
        try
        {
            await ExecuteAsync($"lock table {string.Join(", ", targets.Select(Name))} in access share mode nowait", ct).ConfigureAwait(false);
            return true;
        }
        catch (NpgsqlException)
        {
            return false;
        }
    }

    /// <summary>After the last lock, before the first read. Throws the driver's exceptions.</summary>
    public async Task BeginReadsAsync(TimeSpan? queryTimeout, CancellationToken ct)
    {
        if (queryTimeout is { } timeout)
            await ExecuteAsync($"set local statement_timeout = {Math.Clamp((long)timeout.TotalMilliseconds, 1, int.MaxValue)}", ct).ConfigureAwait(false);
        await ExecuteAsync("savepoint reads", ct).ConfigureAwait(false);
    }

    /// <summary>Starts reading; the session is busy until the export is disposed.</summary>
    /// <exception cref="CopyExportException">PostgreSQL refuses the statement, or the connection is lost.</exception>
    public Task<CopyExport> CopyAsync(string sql, CopyTextReader rows, CancellationToken ct) => CopyExport.BeginAsync(connection, sql, rows, ct);

    /// <summary>
    /// Makes the transaction usable again after a failed read: snapshot and locks are older than the savepoint and stay.
    /// False when the connection is lost.
    /// </summary>
    public async Task<bool> TryRecoverAsync(CancellationToken ct)
    {
        if (IsLost) return false;
        try
        {
            await ExecuteAsync("rollback to savepoint reads", ct).ConfigureAwait(false);
            return true;
        }
        catch (Exception e) when (e is NpgsqlException or InvalidOperationException or IOException)
        {
            return false;
        }
    }

    static string Name(SnapshotTarget target) => Sql.Identifier(target.Relation.Schema, target.Relation.Name);

    async Task ExecuteAsync(string sql, CancellationToken ct)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync(ct).ConfigureAwait(false);
    }

    public ValueTask DisposeAsync() => connection.DisposeAsync();
}
