using Npgsql;
using Sync.Contracts.Rows;

namespace Sync.Postgres.Snapshots;

/// <summary>Reading a COPY failed on PostgreSQL's side or on the way; the cause is the inner exception.</summary>
sealed class CopyExportException(Exception inner) : Exception(inner.Message, inner);

/// <summary>
/// One running COPY … TO STDOUT in text format, row by row. Npgsql's raw copy accepts binary COPY only, so this reads
/// the bytes below its text reader. Disposing it before the end cancels the COPY on the server instead of reading
/// everything that is left of it.
/// </summary>
sealed class CopyExport : IAsyncDisposable
{
    readonly NpgsqlCopyTextReader export;
    readonly Stream bytes;
    readonly CopyTextReader rows;
    bool finished;

    CopyExport(NpgsqlCopyTextReader export, CopyTextReader rows)
    {
        (this.export, this.rows) = (export, rows);
        bytes = export.BaseStream;
    }

    /// <summary>Bytes received so far.</summary>
    public long Bytes { get; private set; }

    /// <summary>The row <see cref="TryReadRow"/> made available, valid until the next call of any member.</summary>
    public RowTuple Row => rows.Row;

    /// <param name="connection">Open and idle; it is busy until the export is disposed.</param>
    /// <param name="sql">A whole COPY statement.</param>
    /// <param name="rows">As wide as the statement's columns; what it held is forgotten.</param>
    /// <param name="ct">Ends the wait for the first bytes.</param>
    /// <exception cref="CopyExportException">PostgreSQL refuses the statement, or the connection is lost.</exception>
    public static async Task<CopyExport> BeginAsync(NpgsqlConnection connection, string sql, CopyTextReader rows, CancellationToken ct)
    {
        rows.Reset();
        try
        {
            return new CopyExport(await connection.BeginTextExportAsync(sql, ct).ConfigureAwait(false), rows);
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            throw new CopyExportException(e);
        }
    }

    /// <summary>Takes the next row out of what has been received.</summary>
    public bool TryReadRow() => rows.TryReadRow();

    /// <summary>Receives more; false when the COPY has ended, with every row complete.</summary>
    /// <exception cref="CopyExportException">The statement failed on its way, or the connection is lost.</exception>
    public async ValueTask<bool> FillAsync(CancellationToken ct)
    {
        int count;
        try
        {
            count = await bytes.ReadAsync(rows.GetMemory(), ct).ConfigureAwait(false);
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            throw new CopyExportException(e);
        }
        rows.Advance(count);
        Bytes += count;
        if (count > 0) return true;
        finished = true;
        rows.Complete();
        return false;
    }

    public async ValueTask DisposeAsync()
    {
        if (!finished) await QuietlyAsync(export.CancelAsync()).ConfigureAwait(false);
        await QuietlyAsync(export.DisposeAsync().AsTask()).ConfigureAwait(false);
    }

    // What the server answers to the cancellation, or that it is too late for one: whoever stopped early knows why.
    async ValueTask QuietlyAsync(Task step)
    {
        try { await step.ConfigureAwait(false); }
        catch (Exception e) when (!finished && e is NpgsqlException or InvalidOperationException or OperationCanceledException or IOException) { }
    }
}
