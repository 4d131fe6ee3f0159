namespace Sync.Contracts.Rows;

/// <summary>What PostgreSQL sends of the old row (PostgreSQL docs, ALTER TABLE, "REPLICA IDENTITY"; values are pg_class.relreplident).</summary>
public enum ReplicaIdentity : byte
{
    Default = (byte)'d',
    Nothing = (byte)'n',
    Full = (byte)'f',
    Index = (byte)'i',
}

/// <param name="Name">As written in the catalog.</param>
/// <param name="TypeOid">pg_type.oid.</param>
/// <param name="Type">How to render its values.</param>
/// <param name="InIdentity">Whether PostgreSQL sends its old value with deletes and key updates; of a partitioned table, whether it does so for every
/// partition.</param>
public sealed record RelationColumn(string Name, uint TypeOid, ColumnType Type, bool InIdentity);

/// <param name="Name">As written in the catalog.</param>
/// <param name="IsGenerated">Whether it is computed from other columns.</param>
/// <param name="InPrimaryKey">Whether it is part of the primary key.</param>
public sealed record LeftOutColumn(string Name, bool IsGenerated, bool InPrimaryKey);

/// <summary>
/// What PostgreSQL sends of the old rows of one partition. It is the partition that decides: an ALTER TABLE … REPLICA IDENTITY of the partitioned
/// table does not reach it
/// (PostgreSQL docs, ALTER TABLE, "REPLICA IDENTITY").
/// </summary>
/// <param name="Oid">pg_class.oid of the partition.</param>
/// <param name="Schema">Its schema.</param>
/// <param name="Name">Its name.</param>
/// <param name="Sent">Columns whose old values are sent; null for all.</param>
public sealed record PartitionIdentity(uint Oid, string Schema, string Name, IReadOnlyList<string>? Sent)
{
    public bool Sends(string column) => Sent?.Contains(column) ?? true;
}

/// <summary>A published table as the stream describes it at one moment; a schema change gives a new instance.</summary>
public sealed class Relation
{
    public required uint Oid { get; init; }
    public required string Schema { get; init; }
    public required string Name { get; init; }
    public required ReplicaIdentity Identity { get; init; }
    public required IReadOnlyList<RelationColumn> Columns { get; init; }

    /// <summary>Indexes into <see cref="Columns"/>, in the order of the primary key's index; empty without a primary key.</summary>
    public required IReadOnlyList<int> PrimaryKey { get; init; }

    /// <summary>
    /// Whether the primary key is deferrable. Within a transaction two rows may share a key then, so that a key that one row leaves may
    /// belong to another row already.
    /// </summary>
    public bool IsKeyDeferrable { get; init; }

    /// <summary>
    /// Columns that the table has and the stream does not, as far as the catalog was asked: for messages. Generated ones are never sent before PostgreSQL 18.
    /// </summary>
    public IReadOnlyList<LeftOutColumn> LeftOut { get; init; } = [];

    /// <summary>Of a partitioned table, the partitions that hold rows; empty for other tables.</summary>
    public IReadOnlyList<PartitionIdentity> Partitions { get; init; } = [];

    /// <summary>Schema and table joined by a dot.</summary>
    public string FullName => $"{Schema}.{Name}";

    /// <summary>The column's index, or -1.</summary>
    public int IndexOf(string column)
    {
        for (int i = 0; i < Columns.Count; i++)
            if (Columns[i].Name == column) return i;
        return -1;
    }
}
