using System.Text.Json;
using Sync.Contracts.Configuration;
using Sync.Contracts.Schema;
using Sync.Engine.Progress;
using Sync.Engine.Schema;
using Sync.Node.Hosting;
using Sync.Node.Http;
using Sync.Postgres.Catalog;
using Sync.Redis.Connections;
using Sync.Redis.Progress;

namespace Sync.Node.Schema;

/// <summary>What is known of a table's content in Redis.</summary>
/// <param name="Shape">Of the table when Redis was filled from it.</param>
/// <param name="Change">The last change that is not settled: its table is being read again, or has a notice. Empty for none.</param>
/// <param name="Notice">What may be wrong since; empty for nothing.</param>
/// <param name="ChangedAt">From when on the end of a re-sync settles the change.</param>
sealed record KeptShape(TableShape Shape, string Change = "", string Notice = "", DateTimeOffset ChangedAt = default);

/// <summary>
/// The shapes that Redis was filled from, kept there, so that what changes while no node runs is found as well. A table that is copied anyway gets
/// its present shape; one that was
/// replaced by another is marked to be emptied and copied.
/// </summary>
sealed class ShapeBook
{
    readonly WriterContext writer;
    readonly TableTexts texts;
    readonly Dictionary<string, KeptShape> kept = new(StringComparer.Ordinal);

    ShapeBook(WriterContext writer)
    {
        this.writer = writer;
        texts = new TableTexts(writer.Keys.Shapes);
    }

    /// <summary>Shapes of tables that were refused when the node connected, as they were just before; a table that is not there has none.</summary>
    public Dictionary<string, string> AtRefusal { get; } = new(StringComparer.Ordinal);

    public KeptShape? Find(string table) => kept.GetValueOrDefault(table);

    /// <summary>At the start, before anything is copied.</summary>
    /// <param name="writer">Keys and log.</param>
    /// <param name="connection">Where marks and shapes are.</param>
    /// <param name="source">PostgreSQL.</param>
    /// <param name="tables">The tables, settled.</param>
    /// <param name="marks">Of all copies; those of replaced tables, and of tables that are not configured any more, are changed.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public static async Task<ShapeBook> OpenAsync(
        WriterContext writer, RespConnection connection, Source source, TableSet tables, Dictionary<string, SnapshotMark> marks,
        CancellationToken cancellationToken)
    {
        var book = new ShapeBook(writer);
        foreach (var (table, text) in await book.texts.LoadAsync(connection, cancellationToken))
            if (Parse(text) is { } known) book.kept[table] = known;
        // Nobody follows them any more: what changes until they come back is lost.
        foreach (string gone in marks.Keys.Except(tables.All.Select(t => t.Name)).ToList())
            await StopAsync(gone);
        var now = await ReadAsync(source, tables, writer.Config.Postgres.Repl.Pub, cancellationToken);
        foreach (var table in tables.All)
        {
            var shape = now.GetValueOrDefault(TableName.Of(table.Config));
            if (table.IsRefused) book.AtRefusal[table.Name] = Text(source.Reviewed.GetValueOrDefault(TableName.Of(table.Config)));
            if (table.IsStopped || shape is null or { Publication: 0 }) continue;
            // Where nothing is ever copied, the shape that was kept first stays the one to compare with.
            bool isCopied = marks.TryGetValue(table.Name, out var mark) && mark.State == SnapshotState.Done;
            if ((isCopied || writer.Config.Snapshot.Mode == SnapshotMode.Never) && book.Find(table.Name) is { } before)
            {
                writer.Stats.Noticed(table.Index, before.Notice);
                if (ShapeDifferences.Find(before.Shape, shape).FirstOrDefault(d => d.Effect == ShapeEffect.Replace) is not { } replaced) continue;
                // What the other policies ask for, the watch does.
                if (!isCopied || writer.Config.Postgres.OnSchemaChange != SchemaPolicy.Resync) continue;
                string change = $"{table.Name} {replaced.Text}";
                writer.CountSchemaChange(change);
                writer.Log.SchemaReread(change);
                await StopAsync(table.Name);
            }
            writer.Stats.Noticed(table.Index, "");
            // The copy goes by what was found when the table was bound: what has changed since is to be found again.
            if (source.Reviewed.TryGetValue(TableName.Of(table.Config), out var bound))
                shape = shape with { Oid = bound.Oid, File = bound.File, Key = bound.Key, Columns = bound.Columns, Leaves = bound.Leaves };
            await book.SetAsync(connection, table.Name, new KeptShape(shape), cancellationToken);
        }
        return book;

        async Task StopAsync(string table)
        {
            if (marks[table].State is SnapshotState.Stopped) return;
            await writer.Snapshots.MarkStoppedAsync(connection, table, source.Slot.Facts.ConfirmedFlushLsn, cancellationToken);
            marks[table] = new SnapshotMark(source.Slot.Facts.ConfirmedFlushLsn, SnapshotState.Stopped, 0);
        }
    }

    /// <summary>The shapes of all configured tables that exist.</summary>
    public static Task<IReadOnlyDictionary<TableName, TableShape>> ReadAsync(
        Source source, TableSet tables, string publication, CancellationToken cancellationToken) => ShapeReader.ReadAsync(
        source.Primary.DataSource, source.Facts.VersionNumber, publication, [.. tables.All.Select(t => TableName.Of(t.Config))], cancellationToken);

    public async Task SetAsync(RespConnection connection, string table, KeptShape shape, CancellationToken cancellationToken)
    {
        kept[table] = shape;
        await texts.SaveAsync(connection, table, JsonSerializer.Serialize(shape, HttpJson.Options), cancellationToken);
    }

    /// <summary>For comparing shapes as a whole; empty for none.</summary>
    public static string Text(TableShape? shape) => shape is null ? "" : JsonSerializer.Serialize(shape, HttpJson.Options);

    /// <summary>Null for what another version wrote otherwise: the present shape takes its place.</summary>
    static KeptShape? Parse(string text)
    {
        try
        {
            return JsonSerializer.Deserialize<KeptShape>(text, HttpJson.Lenient);
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
