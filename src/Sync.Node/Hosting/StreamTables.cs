using Sync.Contracts;
using Sync.Contracts.Rows;
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
sealed class StreamTables(PumpContext context, CatalogReader catalog, RowReader rows, ResyncFeed resync, SchemaSignal schema, PgOutputDecoder decoder)
{
    readonly Dictionary<uint, TableRuntime?> relations = [];

    /// <summary>Partitioned tables, with what the stream has said of their partitions.</summary>
    readonly Dictionary<uint, (DecodedRelation Root, Dictionary<uint, PartitionIdentity> Partitions)> roots = [];

    /// <summary>The partitioned table that was described last, if nothing was since.</summary>
    uint describedRoot;

    /// <summary>The table of a relation; null when it is not configured.</summary>
    public TableRuntime? Find(uint oid) => relations.GetValueOrDefault(oid);

    public async ValueTask BindAsync(DecodedRelation decoded, uint transaction, CancellationToken cancellationToken)
    {
        uint root = describedRoot;
        describedRoot = 0;
        if (roots.TryGetValue(root, out var known) && context.Tables.Find(decoded.Schema, decoded.Name) is null)
        {
            // A table is described with each of its partitions, which follows at once (pgoutput.c, maybe_send_schema).
            var partition = PartitionIdentities.Of(decoded);
            if (known.Partitions.TryGetValue(decoded.Oid, out var before) && IsSame(before, partition)) return;
            known.Partitions[decoded.Oid] = partition;
            await BindAsync(known.Root, relations[root], transaction, cancellationToken);
            return;
        }
        var table = context.Tables.Find(decoded.Schema, decoded.Name);
        relations[decoded.Oid] = table ?? Renamed(decoded);
        schema.Set();
        await BindAsync(decoded, table, transaction, cancellationToken);
        if (table?.Plan?.Relation.Partitions.Count > 0) describedRoot = decoded.Oid;
    }

    async ValueTask BindAsync(DecodedRelation decoded, TableRuntime? table, uint transaction, CancellationToken cancellationToken)
    {
        if (table is null || table.IsStopped) return;
        // The transaction may have made the column's type or the primary key itself.
        await rows.SeeAsync(transaction, cancellationToken);
        var partitions = roots.TryGetValue(decoded.Oid, out var known) ? known.Partitions : [];
        var relation = await catalog.CompleteAsync(decoded, partitions.Values, cancellationToken);
        if (relation.Partitions.Count > 0)
        {
            roots[decoded.Oid] = (decoded, partitions);
            decoder.SetSentOld(decoded.Oid, PartitionIdentities.SentInKeys(relation));
        }
        // Rows may have been read with the columns it had before.
        resync.Spoil(table.Index);
        context.Log.Issues(context.Tables.Bind(table, relation));
    }

    static bool IsSame(PartitionIdentity one, PartitionIdentity other) =>
        (one.Sent is null) == (other.Sent is null) && (one.Sent is null || one.Sent.SequenceEqual(other.Sent!));

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
