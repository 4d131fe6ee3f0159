using Sync.Contracts;
using Sync.Node.Resync;
using Sync.Node.Schema;
using Sync.Postgres.Catalog;
using Sync.Postgres.PgOutput;
using Sync.Postgres.Rows;

namespace Sync.Node.Hosting;

/// <summary>
/// Which configured table each relation of one stream is. A new version of a relation compiles its table's plan anew; a table that no longer
/// compiles is stopped alone, and not before a row comes that its copy does not show. Belongs to the reader.
/// </summary>
sealed class StreamTables(PumpContext context, CatalogReader catalog, RowReader rows, ResyncFeed resync, SchemaSignal schema)
{
    readonly Dictionary<uint, TableRuntime?> relations = [];

    /// <summary>The table of a relation; null when it is not configured.</summary>
    public TableRuntime? Find(uint oid) => relations.GetValueOrDefault(oid);

    public async ValueTask BindAsync(DecodedRelation decoded, uint transaction, CancellationToken cancellationToken)
    {
        var table = context.Tables.Find(decoded.Schema, decoded.Name);
        relations[decoded.Oid] = table ?? Renamed(decoded);
        schema.Set();
        if (table is null || table.IsStopped) return;
        // The transaction may have made the column's type or the primary key itself.
        await rows.SeeAsync(transaction, cancellationToken);
        var relation = await catalog.CompleteAsync(decoded, cancellationToken);
        // Rows may have been read with the columns it had before.
        resync.Spoil(table.Index);
        context.Log.Issues(context.Tables.Bind(table, relation));
    }

    /// <summary>A configured table that has another name now: leaving its changes out silently would be wrong.</summary>
    TableRuntime? Renamed(DecodedRelation decoded)
    {
        if (context.Tables.FindRenamed(decoded.Oid) is not { } table) return null;
        table.Plan = null;
        table.Error = $"{table.Config.Position}: table {table.Name} is called {decoded.Schema}.{decoded.Name} in the stream";
        return table;
    }

    /// <summary>A row, or a truncate, of a table for which nothing can be done.</summary>
    public async ValueTask WithoutPlanAsync(TableRuntime table, Lsn commitLsn, CancellationToken cancellationToken)
    {
        table.Skip();
        if (table.IsStopped || commitLsn < table.Floor) return;
        table.IsStopped = true;
        context.Stats.Stopped(table.Index, table.Error);
        context.Log.TableStopped(table.Name, table.Error);
        // Its rows can't be written any more; the mark makes the next start empty the table's keys and copy it anew.
        await context.Output.ActAsync(
            (session, ct) => context.Writer.Snapshots.MarkStoppedAsync(session.Connection, table.Name, commitLsn, ct), cancellationToken);
    }
}
