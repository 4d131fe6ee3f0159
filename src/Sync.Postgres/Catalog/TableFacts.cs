using Sync.Contracts.Configuration;
using Sync.Contracts.Rows;

namespace Sync.Postgres.Catalog;

/// <summary>pg_class.relkind, as far as it can be named like a table.</summary>
public enum TableKind : byte
{
    Table = (byte)'r',
    Partitioned = (byte)'p',
    View = (byte)'v',
    MaterializedView = (byte)'m',
    Foreign = (byte)'f',
}

/// <param name="Name">Column name.</param>
/// <param name="Number">pg_attribute.attnum.</param>
/// <param name="TypeOid">pg_type.oid.</param>
/// <param name="Type">How to render its values.</param>
/// <param name="NotNull">Whether it is declared NOT NULL; the columns of a primary key are.</param>
/// <param name="Generated">Computed from other columns; such columns are not in the stream before PostgreSQL 18.</param>
/// <param name="InIdentity">Whether PostgreSQL sends its old value with deletes and key updates.</param>
public sealed record ColumnFacts(string Name, short Number, uint TypeOid, ColumnType Type, bool NotNull, bool Generated, bool InIdentity);

/// <summary>A table as the catalog describes it now.</summary>
public sealed record TableFacts
{
    public required uint Oid { get; init; }
    public required TableName Name { get; init; }
    public required TableKind Kind { get; init; }

    /// <summary>Whether it is a partition of another table.</summary>
    public required bool IsPartition { get; init; }

    /// <summary>False for temporary and unlogged tables, which write no WAL and can't be published.</summary>
    public required bool IsPermanent { get; init; }
    public required ReplicaIdentity Identity { get; init; }

    /// <summary>In the order of the table.</summary>
    public required IReadOnlyList<ColumnFacts> Columns { get; init; }

    /// <summary>Indexes into <see cref="Columns"/>, in the order of the primary key's index; empty without a primary key.</summary>
    public required IReadOnlyList<int> PrimaryKey { get; init; }

    /// <summary>Of a partitioned table, what its partitions send of old rows; empty for other tables.</summary>
    public IReadOnlyList<PartitionIdentity> Partitions { get; init; } = [];

    /// <summary>The planner's estimate, partitions included; null when the table was never analyzed.</summary>
    public required long? EstimatedRows { get; init; }

    /// <summary>Blocks of the table itself now; 0 for a partitioned table, whose rows are in its partitions.</summary>
    public required long Pages { get; init; }

    /// <summary>Bytes on disk with TOAST and partitions, without indexes.</summary>
    public required long Bytes { get; init; }

    /// <summary>Whether PostgreSQL can tell which row was updated or deleted; without it, it refuses both on a published table.</summary>
    public bool HasIdentity => Columns.Any(c => c.InIdentity);

    /// <summary>The column's index, or -1.</summary>
    public int IndexOf(string column)
    {
        for (int i = 0; i < Columns.Count; i++)
            if (Columns[i].Name == column) return i;
        return -1;
    }

    /// <summary>
    /// The table as the stream would describe it, for rows that don't come from the stream.
    /// </summary>
    /// <param name="published">The published columns; null for all that are not generated.</param>
    public Relation ToRelation(IReadOnlyCollection<string>? published = null)
    {
        var columns = Columns.Where(c => published?.Contains(c.Name) ?? !c.Generated).ToList();
        var key = PrimaryKey.Select(i => columns.FindIndex(c => c.Name == Columns[i].Name)).ToList();
        return new Relation
        {
            Oid = Oid,
            Schema = Name.Schema,
            Name = Name.Name,
            Identity = Identity,
            Columns = PartitionIdentities.Narrow([.. columns.Select(c => new RelationColumn(c.Name, c.TypeOid, c.Type, c.InIdentity))], Partitions),
            Partitions = Partitions,
            PrimaryKey = key.Contains(-1) ? [] : key,
            LeftOut = [.. Columns.Select((c, i) => (Column: c, Index: i)).Where(c => !columns.Contains(c.Column))
                .Select(c => new LeftOutColumn(c.Column.Name, c.Column.Generated, PrimaryKey.Contains(c.Index)))],
        };
    }
}
