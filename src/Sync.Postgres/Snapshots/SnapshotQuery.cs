using System.Text;
using Sync.Postgres.Connections;

namespace Sync.Postgres.Snapshots;

/// <summary>Blocks <paramref name="From"/> up to but not including <paramref name="Until"/>; null goes to the table's end, wherever that is.</summary>
readonly record struct PageRange(long From, long? Until);

/// <summary>A table that holds rows itself: the target, or one partition of it.</summary>
/// <param name="Oid">pg_class.oid.</param>
/// <param name="Schema">Schema.</param>
/// <param name="Name">Table name.</param>
/// <param name="Pages">Blocks it has; 0 when it can't be read by ranges.</param>
/// <param name="WithPartitions">It is a partitioned table, read as a whole.</param>
sealed record SnapshotLeaf(uint Oid, string Schema, string Name, long Pages, bool WithPartitions = false);

/// <summary>Splits tables and writes the statements that read the pieces. Pure.</summary>
static class SnapshotQuery
{
    /// <summary>
    /// Ranges that cover every block that is or will be there exactly once, so that a wrong <paramref name="pages"/> costs
    /// speed and never a row. Several for each worker, so that none waits long for the last one.
    /// </summary>
    public static IReadOnlyList<PageRange> Split(long pages, int workers, int rangePages)
    {
        long size = workers == 1 ? rangePages : Math.Clamp(pages / (4L * workers), Math.Min(256, rangePages), rangePages);
        var ranges = new List<PageRange>();
        for (long from = 0; ; from += size)
        {
            bool last = from + size >= pages;
            ranges.Add(new PageRange(from, last ? null : from + size));
            if (last) return ranges;
        }
    }

    /// <summary>The COPY of one range. A partition is read under the name of its root, which the user's condition may use.</summary>
    public static string Build(SnapshotTarget target, SnapshotLeaf leaf, PageRange range)
    {
        var relation = target.Relation;
        bool isPartition = leaf.Oid != relation.Oid;
        var sql = new StringBuilder("COPY (SELECT ");
        sql.AppendJoin(", ", relation.Columns.Select(c => $"{Sql.Identifier(relation.Name)}.{Sql.Identifier(c.Name)}"));
        sql.Append(leaf.WithPartitions ? " FROM " : " FROM ONLY ").Append(Sql.Identifier(leaf.Schema, leaf.Name));
        if (isPartition) sql.Append(" AS ").Append(Sql.Identifier(relation.Name));
        string and = " WHERE ";
        if (range.From > 0) Condition($"{Sql.Identifier(relation.Name)}.ctid >= '({range.From},0)'::tid");
        if (range.Until is { } until) Condition($"{Sql.Identifier(relation.Name)}.ctid < '({until},0)'::tid");
        // On lines of their own, so that a comment at the end of a condition ends with it.
        if (target.RowFilter is { } filter) Condition($"(\n{filter}\n)");
        if (target.Query is { } query) Condition($"(\n{query}\n)");
        return sql.Append(") TO STDOUT").ToString();

        void Condition(string condition)
        {
            sql.Append(and).Append(condition);
            and = " AND ";
        }
    }
}
