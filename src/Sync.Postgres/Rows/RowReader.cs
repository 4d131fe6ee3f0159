using System.Runtime.CompilerServices;
using Npgsql;
using NpgsqlTypes;
using Sync.Contracts;
using Sync.Contracts.Rows;
using Sync.Postgres.Connections;
using Sync.Postgres.Snapshots;

namespace Sync.Postgres.Rows;

/// <summary>
/// Reads single rows again by primary key: for a TOASTed value the stream did not send, and to see whether a row is
/// really gone. It reads the row as it is now, which may be later than the change that asked; the changes in between
/// follow in the stream. Values come through COPY and look exactly as pgoutput would send them. Owns one connection,
/// opened on first use and again after a failure. Not thread-safe.
/// </summary>
public sealed class RowReader(PostgresPrimary primary) : IAsyncDisposable
{
    const int MaxVisibilityWaitMs = 64;

    sealed record Plan(CurrentTable Table, int[] Columns, CopyTextReader Rows);

    readonly ConditionalWeakTable<Relation, Plan> plans = [];
    NpgsqlConnection? connection;
    Cell[] cells = [];
    byte[] data = [];
    int count;
    uint seen;

    /// <summary>Every transaction before this one was over at the last look, so that it needs no look of its own; null when nothing is known.</summary>
    uint? overBefore;

    /// <summary>
    /// The row read last, with the relation's columns; a column that was dropped meanwhile is missing. Absent when it is
    /// gone. Valid until the next read.
    /// </summary>
    public RowTuple Row => new(data, cells.AsSpan(0, count));

    /// <summary>
    /// Waits until what a transaction committed can be seen. The stream carries it as soon as its commit record is on disk, which is a moment
    /// before its changes are visible to queries, and long before where the commit waits for a synchronous standby; a row read in
    /// between would be the one before the change.
    /// </summary>
    /// <exception cref="SyncException">The server can't be reached.</exception>
    public async ValueTask SeeAsync(uint transaction, CancellationToken ct = default)
    {
        if (seen == transaction || (overBefore is { } over && (int)(transaction - over) < 0)) return;
        try
        {
            for (int waitMs = 1; !await IsVisibleAsync(transaction, ct).ConfigureAwait(false); waitMs = Math.Min(2 * waitMs, MaxVisibilityWaitMs))
                await Task.Delay(waitMs, ct).ConfigureAwait(false);
            seen = transaction;
        }
        catch (Exception e)
        {
            await CloseAsync().ConfigureAwait(false);
            if (e is OperationCanceledException) throw;
            throw primary.Describe(e);
        }
    }

    // The stream's ids have 32 bits; the snapshot's end, which is at most two thousand million away, says what stands before them.
    async Task<bool> IsVisibleAsync(uint transaction, CancellationToken ct)
    {
        connection ??= await primary.OpenReadingAsync(ct).ConfigureAwait(false);
        await using var command = new NpgsqlCommand("""
            select txid_visible_in_snapshot(newest - ((newest - $1 + 6442450944) % 4294967296 - 2147483648), shot), txid_snapshot_xmin(shot) % 4294967296
            from (select shot, txid_snapshot_xmax(shot) newest from txid_current_snapshot() shot) s
            """, connection);
        command.Parameters.Add(new NpgsqlParameter<long> { TypedValue = transaction });
        await using var answer = await command.ExecuteReaderAsync(ct).ConfigureAwait(false);
        await answer.ReadAsync(ct).ConfigureAwait(false);
        overBefore = (uint)answer.GetInt64(1);
        return answer.GetBoolean(0);
    }

    /// <summary>Reads the row; false when there is none with this key (any more), also when the table itself is gone.</summary>
    /// <param name="relation">The table, as the change came with it.</param>
    /// <param name="row">An image of the row that has the key.</param>
    /// <param name="old">Where to look for key values that <paramref name="row"/> lacks; may be absent.</param>
    /// <param name="ct">Ends the wait.</param>
    /// <exception cref="SyncException">
    /// The table has no primary key or its value was not sent, a privilege is missing, or the server can't be reached.
    /// </exception>
    public ValueTask<bool> ReadAsync(Relation relation, RowTuple row, RowTuple old = default, CancellationToken ct = default)
    {
        count = 0;
        return ReadAsync(relation, RowQuery.Key(relation, row, old), ct);
    }

    async ValueTask<bool> ReadAsync(Relation relation, string[] key, CancellationToken ct)
    {
        try
        {
            for (bool isRetry = false; ; isRetry = true)
            {
                if (!isRetry && plans.TryGetValue(relation, out var plan)
                    || (plan = await PlanAsync(relation, ct).ConfigureAwait(false)) is not null)
                {
                    // The catalog may have changed since the plan was made: look again, once.
                    try { return await CopyAsync(relation, plan, key, ct).ConfigureAwait(false); }
                    catch (CopyExportException e) when (!isRetry && e.InnerException is PostgresException { SqlState: "42P01" or "42703" or "3F000" }) { }
                }
                else return false;
            }
        }
        catch (Exception e)
        {
            await CloseAsync().ConfigureAwait(false);
            if (e is OperationCanceledException) throw;
            throw primary.Describe(e is CopyExportException { InnerException: { } inner } ? inner : e);
        }
    }

    /// <summary>Null when the table is gone, or every column of the relation, or a column of its key.</summary>
    async Task<Plan?> PlanAsync(Relation relation, CancellationToken ct)
    {
        plans.Remove(relation);
        connection ??= await primary.OpenReadingAsync(ct).ConfigureAwait(false);
        await using var command = new NpgsqlCommand("""
            select n.nspname, c.relname, c.relkind = 'p',
                   array(select a.attname::text from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped)
            from pg_class c join pg_namespace n on n.oid = c.relnamespace
            where c.oid = $1
            """, connection);
        command.Parameters.Add(new NpgsqlParameter { Value = relation.Oid, NpgsqlDbType = NpgsqlDbType.Oid });
        await using var found = await command.ExecuteReaderAsync(ct).ConfigureAwait(false);
        if (!await found.ReadAsync(ct).ConfigureAwait(false)) return null;
        var table = new CurrentTable(found.GetString(0), found.GetString(1), found.GetBoolean(2), found.GetFieldValue<string[]>(3).ToHashSet());
        int[] columns = RowQuery.Columns(relation, table);
        if (relation.PrimaryKey.Any(k => !columns.Contains(k)))
            throw new SyncException(ExitCode.Schema,
                $"A row of {relation.FullName} can't be read again, because a column of its primary key was dropped: copy the table anew.");
        var plan = new Plan(table, columns, new CopyTextReader(columns.Length));
        plans.Add(relation, plan);
        return plan;
    }

    async Task<bool> CopyAsync(Relation relation, Plan plan, string[] key, CancellationToken ct)
    {
        connection ??= await primary.OpenReadingAsync(ct).ConfigureAwait(false);
        string sql = RowQuery.Build(relation, plan.Table, plan.Columns, key);
        await using var export = await CopyExport.BeginAsync(connection, sql, plan.Rows, ct).ConfigureAwait(false);
        bool found = false;
        do
        {
            while (export.TryReadRow())
            {
                found = true;
                Keep(relation, plan, export.Row);
            }
        }
        while (await export.FillAsync(ct).ConfigureAwait(false));
        return found;
    }

    // The COPY's buffer lives only until its end is read, hence the copy.
    void Keep(Relation relation, Plan plan, RowTuple row)
    {
        count = relation.Columns.Count;
        if (cells.Length < count) cells = new Cell[count];
        cells.AsSpan(0, count).Clear();
        int bytes = 0;
        for (int i = 0; i < plan.Columns.Length; i++) bytes += row.Value(i).Length;
        if (data.Length < bytes || data.Length > 1024 * 1024) data = new byte[Math.Max(bytes, 4096)];
        int at = 0;
        for (int i = 0; i < plan.Columns.Length; i++)
        {
            var value = row.Value(i);
            value.CopyTo(data.AsSpan(at));
            cells[plan.Columns[i]] = new Cell(row.State(i), at, value.Length);
            at += value.Length;
        }
    }

    async ValueTask CloseAsync()
    {
        overBefore = null;
        if (connection is null) return;
        await connection.DisposeAsync().ConfigureAwait(false);
        connection = null;
    }

    public ValueTask DisposeAsync() => CloseAsync();
}
