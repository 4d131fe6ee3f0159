using Sync.Contracts.Rows;

namespace Sync.Postgres.PgOutput;

/// <summary>
/// What a Relation message says, before the catalog was asked (PostgreSQL docs, "Logical Replication Message Formats",
/// Relation). It describes the table as it was at that point of the WAL, which may be long ago.
/// </summary>
/// <param name="Oid">pg_class.oid of the published table; with publish_via_partition_root that of the root.</param>
/// <param name="Schema">Never empty; pgoutput's empty name for pg_catalog is written out.</param>
/// <param name="Name">Table name.</param>
/// <param name="Identity">pg_class.relreplident at that point.</param>
/// <param name="Columns">The columns in the order of the tuples.</param>
public sealed record DecodedRelation(uint Oid, string Schema, string Name, ReplicaIdentity Identity, IReadOnlyList<DecodedColumn> Columns)
{
    /// <summary>
    /// Which columns a key tuple ('K') brings; null for those with <see cref="DecodedColumn.IsKey"/>. They differ in a partitioned table, whose rows
    /// come as its partitions' replica
    /// identities have them.
    /// </summary>
    public bool[]? SentOld { get; init; }
}

/// <param name="Name">Column name.</param>
/// <param name="TypeOid">pg_type.oid.</param>
/// <param name="IsKey">
/// The flag "part of the key": set for the columns of the replica identity's index, for every column under FULL, never under NOTHING.
/// </param>
public sealed record DecodedColumn(string Name, uint TypeOid, bool IsKey);
