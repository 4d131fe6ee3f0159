using Npgsql;
using NpgsqlTypes;
using Sync.Contracts;
using Sync.Postgres.Connections;

namespace Sync.Postgres.Snapshots;

/// <summary>
/// The transaction that keeps a snapshot alive while others read in it. It takes over the exported snapshot and exports
/// it again, so that the connection that exported it first is free at once. It holds ACCESS SHARE on every table, as
/// pg_dump does: nobody can drop, truncate or rewrite one between two of its ranges, which would move rows from one
/// range to another or make the table look empty. Such statements wait until the snapshot is through.
/// </summary>
sealed class SnapshotSession : IAsyncDisposable
{
    readonly NpgsqlConnection connection;
    readonly PostgresPrimary primary;
    readonly SemaphoreSlim gate = new(1, 1);
    string exported = "";

    SnapshotSession(NpgsqlConnection connection, PostgresPrimary primary) => (this.connection, this.primary) = (connection, primary);

    /// <summary>Takes over <paramref name="snapshot"/>.</summary>
    /// <exception cref="SyncException">The server can't be reached, or the snapshot is gone.</exception>
    public static async Task<SnapshotSession> OpenAsync(PostgresPrimary primary, string snapshot, CancellationToken ct)
    {
        var session = new SnapshotSession(await CopyExport.OpenConnectionAsync(primary, ct).ConfigureAwait(false), primary);
        try
        {
            await ImportAsync(session.connection, snapshot, ct).ConfigureAwait(false);
            await using var command = new NpgsqlCommand("select pg_export_snapshot()", session.connection);
            session.exported = (string)(await command.ExecuteScalarAsync(ct).ConfigureAwait(false))!;
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

    /// <summary>Locks the target and finds what holds its rows. Throws the driver's exceptions.</summary>
    /// <exception cref="SyncException">The table was rewritten since the snapshot.</exception>
    public async Task<IReadOnlyList<SnapshotLeaf>> PlanAsync(SnapshotTarget target, CancellationToken ct)
    {
        await ExecuteAsync(connection, "savepoint plan", ct).ConfigureAwait(false);
        try
        {
            // LOCK TABLE reaches every partition; for tables with children by inheritance that is more than needed, and harmless.
            await ExecuteAsync(connection, $"lock table {Sql.Identifier(target.Relation.Schema, target.Relation.Name)} in access share mode", ct).ConfigureAwait(false);
            var leaves = await FindLeavesAsync(target, ct).ConfigureAwait(false);
            await ExecuteAsync(connection, "release savepoint plan", ct).ConfigureAwait(false);
            return leaves;
        }
        catch (Exception e) when (e is PostgresException or SyncException)
        {
            await ExecuteAsync(connection, "rollback to savepoint plan; release savepoint plan", ct).ConfigureAwait(false);
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
                   c.oid = $1 or has_table_privilege(c.oid, 'select')
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
        // A privilege on a partitioned table reaches its partitions only through it: then it is read in one piece.
        return readable ? leaves : [new SnapshotLeaf(target.Relation.Oid, target.Relation.Schema, target.Relation.Name, 0, WithPartitions: true)];
    }

    /// <summary>Opens a connection with a transaction in the same snapshot.</summary>
    public async Task<NpgsqlConnection> OpenReaderAsync(TimeSpan? queryTimeout, CancellationToken ct)
    {
        var reader = await CopyExport.OpenConnectionAsync(primary, ct).ConfigureAwait(false);
        try
        {
            await ImportAsync(reader, exported, ct).ConfigureAwait(false);
            if (queryTimeout is { } timeout)
                await ExecuteAsync(reader, $"set statement_timeout = {Math.Max(1, (long)timeout.TotalMilliseconds)}", ct).ConfigureAwait(false);
            return reader;
        }
        catch (Exception e)
        {
            await reader.DisposeAsync().ConfigureAwait(false);
            if (e is OperationCanceledException) throw;
            throw primary.Describe(e);
        }
    }

    /// <summary>Whether the snapshot can still be taken over.</summary>
    public async Task<bool> IsAliveAsync(CancellationToken ct)
    {
        await gate.WaitAsync(ct).ConfigureAwait(false);
        try
        {
            await ExecuteAsync(connection, "select 1", ct).ConfigureAwait(false);
            return true;
        }
        catch (Exception e) when (e is NpgsqlException or InvalidOperationException or IOException)
        {
            return false;
        }
        finally
        {
            gate.Release();
        }
    }

    static Task ImportAsync(NpgsqlConnection connection, string snapshot, CancellationToken ct) =>
        ExecuteAsync(connection, $"begin isolation level repeatable read read only; set transaction snapshot {Sql.Literal(snapshot)}", ct);

    static async Task ExecuteAsync(NpgsqlConnection connection, string sql, CancellationToken ct)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync(ct).ConfigureAwait(false);
    }

    public ValueTask DisposeAsync() => connection.DisposeAsync();
}
