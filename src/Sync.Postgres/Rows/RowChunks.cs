using System.Text;
using Npgsql;
using Sync.Contracts;
using Sync.Contracts.Rows;
using Sync.Postgres.Connections;
using Sync.Postgres.Snapshots;

namespace Sync.Postgres.Rows;

/// <summary>A row that was read and kept.</summary>
/// <param name="version">Changes with every change of the row: its xmin and ctid (PostgreSQL docs, "System Columns").</param>
/// <param name="key">Primary key, as PostgreSQL's text, in the order of its index.</param>
/// <param name="data">The values' bytes.</param>
/// <param name="cells">As wide as the relation.</param>
public sealed class ReadRow(string version, string[] key, byte[] data, Cell[] cells)
{
    public string Version => version;
    public IReadOnlyList<string> Key => key;
    public RowTuple Tuple => new(data, cells);
    public int Bytes => data.Length;
}

/// <summary>
/// Reads a table in the order of its primary key, some rows at a time, and single rows by it, each time as it is at that moment and as pgoutput would
/// render it: with the published columns, and only rows that the publication's filter lets through. Owns a connection. Not thread-safe.
/// </summary>
/// <param name="primary">Where from.</param>
/// <param name="relation">The table with its published columns; it has a primary key.</param>
/// <param name="isPartitioned">Whether its rows are in partitions.</param>
/// <param name="rowFilter">The publication's condition; null for all rows.</param>
public sealed class RowChunks(PostgresPrimary primary, Relation relation, bool isPartitioned, string? rowFilter) : IAsyncDisposable
{
    /// <summary>Keys of several columns make a condition each, which PostgreSQL plans one by one.</summary>
    const int CompositeKeysAtOnce = 100;

    readonly CopyTextReader reader = new(relation.Columns.Count + 1);
    NpgsqlConnection? connection;
    bool isOneSnapshot;

    /// <summary>
    /// From here to <see cref="EndSnapshotAsync"/> all is read as it is at this one moment.
    /// </summary>
    /// <returns>Which transactions it shows, as pg_current_snapshot() writes it (PostgreSQL docs, "Transaction ID and Snapshot Information Functions").</returns>
    /// <exception cref="SyncException">PostgreSQL refuses, or the connection is lost.</exception>
    public async Task<string> BeginSnapshotAsync(CancellationToken ct)
    {
        await ExecuteAsync("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", ct).ConfigureAwait(false);
        isOneSnapshot = true;
        return (string)(await ExecuteAsync("SELECT pg_current_snapshot()::text", ct).ConfigureAwait(false))!;
    }

    /// <summary>Lets go of the moment, so that it holds back no vacuum.</summary>
    /// <exception cref="SyncException">The connection is lost.</exception>
    public async Task EndSnapshotAsync(CancellationToken ct)
    {
        isOneSnapshot = false;
        await ExecuteAsync("ROLLBACK", ct).ConfigureAwait(false);
    }

    /// <summary>The rows behind a key, in its order.</summary>
    /// <param name="after">The last key seen; null for the table's begin.</param>
    /// <param name="query">A further condition; null for none.</param>
    /// <param name="rows">At most so many, 1 or more.</param>
    /// <param name="bytes">The reading ends with the row that reaches so many.</param>
    /// <param name="ct">Gives up.</param>
    /// <exception cref="SyncException">PostgreSQL refuses, or the connection is lost.</exception>
    public async Task<IReadOnlyList<ReadRow>> AfterAsync(IReadOnlyList<string>? after, string? query, int rows, long bytes, CancellationToken ct)
    {
        var sql = Select();
        string and = Filter(sql, " WHERE ", rowFilter);
        and = Filter(sql, and, query);
        if (after is not null) sql.Append(and).Append(KeyColumns()).Append(" > ").Append(Literals(after));
        sql.Append(" ORDER BY ").AppendJoin(", ", Names()).Append(" LIMIT ").Append(rows);
        var found = new List<ReadRow>();
        await CopyAsync(sql, found, bytes, ct).ConfigureAwait(false);
        return found;
    }

    /// <summary>The rows of these keys that exist now. A key that is no value of its columns' types belongs to no row.</summary>
    /// <exception cref="SyncException">PostgreSQL refuses, or the connection is lost.</exception>
    public async Task<IReadOnlyList<ReadRow>> ByKeyAsync(IReadOnlyList<IReadOnlyList<string>> keys, CancellationToken ct)
    {
        var found = new List<ReadRow>();
        int atOnce = relation.PrimaryKey.Count == 1 ? 1000 : CompositeKeysAtOnce;
        foreach (var part in keys.Chunk(atOnce))
        {
            int before = found.Count;
            if (await TryKeysAsync(part, found, ct).ConfigureAwait(false)) continue;
            found.RemoveRange(before, found.Count - before);
            foreach (var key in part) await TryKeysAsync([key], found, ct).ConfigureAwait(false);
        }
        return found;
    }

    async Task<bool> TryKeysAsync(IReadOnlyList<string>[] keys, List<ReadRow> found, CancellationToken ct)
    {
        var sql = Select();
        string and = Filter(sql, " WHERE ", rowFilter);
        sql.Append(and).Append(KeyColumns()).Append(" IN (").AppendJoin(", ", keys.Select(Literals)).Append(')');
        if (isOneSnapshot) await ExecuteAsync("SAVEPOINT keys", ct).ConfigureAwait(false);
        try
        {
            await CopyAsync(sql, found, long.MaxValue, ct).ConfigureAwait(false);
            return true;
        }
        catch (SyncException e) when (e.InnerException is PostgresException { SqlState: ['2', '2', ..] })
        {
            // Class 22 is "data exception": a text that the type does not take.
            if (isOneSnapshot) await ExecuteAsync("ROLLBACK TO SAVEPOINT keys", ct).ConfigureAwait(false);
            return false;
        }
    }

    async Task<object?> ExecuteAsync(string sql, CancellationToken ct)
    {
        try
        {
            connection ??= await primary.OpenReadingAsync(ct).ConfigureAwait(false);
            await using var command = new NpgsqlCommand(sql, connection);
            return await command.ExecuteScalarAsync(ct).ConfigureAwait(false);
        }
        catch (NpgsqlException e)
        {
            await DisposeAsync().ConfigureAwait(false);
            throw primary.Describe(e);
        }
    }

    StringBuilder Select() => new StringBuilder("COPY (SELECT xmin::text || '/' || ctid::text, ")
        .AppendJoin(", ", relation.Columns.Select(c => Sql.Identifier(c.Name)))
        .Append(isPartitioned ? " FROM " : " FROM ONLY ").Append(Sql.Identifier(relation.Schema, relation.Name));

    /// <summary>On a line of its own, so that a comment at the end of a condition ends with it.</summary>
    static string Filter(StringBuilder sql, string and, string? condition)
    {
        if (condition is null) return and;
        sql.Append(and).Append("(\n").Append(condition).Append("\n)");
        return " AND ";
    }

    IEnumerable<string> Names() => relation.PrimaryKey.Select(i => Sql.Identifier(relation.Columns[i].Name));

    string KeyColumns() => relation.PrimaryKey.Count == 1 ? Names().First() : $"({string.Join(", ", Names())})";

    string Literals(IReadOnlyList<string> key) =>
        key.Count == 1 ? RowQuery.Literal(key[0]) : $"({string.Join(", ", key.Select(RowQuery.Literal))})";

    async Task CopyAsync(StringBuilder sql, List<ReadRow> found, long maxBytes, CancellationToken ct)
    {
        sql.Append(") TO STDOUT");
        try
        {
            connection ??= await primary.OpenReadingAsync(ct).ConfigureAwait(false);
            await using var export = await CopyExport.BeginAsync(connection, sql.ToString(), reader, ct).ConfigureAwait(false);
            long bytes = 0;
            do
            {
                while (export.TryReadRow())
                {
                    var row = Keep(export.Row);
                    found.Add(row);
                    if ((bytes += row.Bytes) >= maxBytes) return;
                }
            }
            while (await export.FillAsync(ct).ConfigureAwait(false));
        }
        catch (CopyExportException e)
        {
            if (e.InnerException is not PostgresException) await DisposeAsync().ConfigureAwait(false);
            throw primary.Describe(e.InnerException!);
        }
    }

    ReadRow Keep(RowTuple row)
    {
        int count = relation.Columns.Count, total = 0;
        for (int i = 0; i < count; i++) total += row.Value(i + 1).Length;
        byte[] data = new byte[total];
        var cells = new Cell[count];
        for (int i = 0, at = 0; i < count; i++)
        {
            var value = row.Value(i + 1);
            value.CopyTo(data.AsSpan(at));
            cells[i] = new Cell(row.State(i + 1), at, value.Length);
            at += value.Length;
        }
        var kept = new RowTuple(data, cells);
        string[] key = new string[relation.PrimaryKey.Count];
        for (int i = 0; i < key.Length; i++) key[i] = LosslessText.GetString(kept.Value(relation.PrimaryKey[i]));
        return new ReadRow(Encoding.ASCII.GetString(row.Value(0)), key, data, cells);
    }

    public async ValueTask DisposeAsync()
    {
        isOneSnapshot = false;
        if (connection is null) return;
        await connection.DisposeAsync().ConfigureAwait(false);
        connection = null;
    }
}
