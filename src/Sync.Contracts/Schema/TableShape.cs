namespace Sync.Contracts.Schema;

/// <summary>
/// What the catalog says of a table and its place in the publication, as far as a change of it can make what Redis holds wrong without any row in the
/// stream. Its JSON form is
/// kept in Redis, so members are only added.
/// </summary>
public sealed record TableShape
{
    /// <summary>pg_class.oid: another one when the table was dropped and made again, or another table took its name.</summary>
    public uint Oid { get; init; }

    /// <summary>
    /// pg_class.relfilenode: another one when the table was rewritten, truncated, or vacuumed in full; 0 for a partitioned table, which has no rows
    /// of its own.
    /// </summary>
    public uint File { get; init; }

    /// <summary>Names of the primary key's columns, in its order; empty without one.</summary>
    public IReadOnlyList<string> Key { get; init; } = [];

    /// <summary>In the order of the table.</summary>
    public IReadOnlyList<ColumnShape> Columns { get; init; } = [];

    /// <summary>The partitions that hold rows, by OID; empty for a table that is not partitioned.</summary>
    public IReadOnlyList<LeafShape> Leaves { get; init; } = [];

    /// <summary>
    /// OID of what makes the table a member of the publication (pg_publication_rel.oid, pg_publication_namespace.oid, or the publication's own when
    /// it is FOR ALL TABLES): another
    /// one when the table was taken out and came back. 0 when it is not published.
    /// </summary>
    public uint Member { get; init; }

    /// <summary>pg_publication.oid; 0 when there is no publication now, so that nothing can be said of the table's place in it.</summary>
    public uint Publication { get; init; }

    /// <summary>The publication's WHERE clause for the table; null for all rows.</summary>
    public string? Filter { get; init; }

    /// <summary>Columns that are published; null for all.</summary>
    public IReadOnlyList<string>? Published { get; init; }

    /// <summary>What is published of insert, update, delete and truncate.</summary>
    public IReadOnlyList<string> Operations { get; init; } = [];

    /// <summary>pg_publication.xmin: another one when the publication's settings were changed, even if they were changed back.</summary>
    public string Settings { get; init; } = "";
}

/// <param name="Name">As written in the catalog.</param>
/// <param name="Number">pg_attribute.attnum, which a new name leaves as it is.</param>
/// <param name="Type">pg_type.oid.</param>
/// <param name="Version">pg_attribute.xmin: another one when the column was altered.</param>
public sealed record ColumnShape(string Name, int Number, uint Type, string Version)
{
    /// <summary>Of an enum, a domain of one, or an array of one: its labels, each as <c>pg_enum.oid:label</c>.</summary>
    public IReadOnlyList<string> Labels { get; init; } = [];
}

/// <param name="Oid">pg_class.oid.</param>
/// <param name="Name">schema.table.</param>
/// <param name="File">pg_class.relfilenode.</param>
/// <param name="IsAttached">Whether it was a table before it became a partition, so that it may have brought rows.</param>
/// <param name="Place">pg_inherits.xmin of it and of the partitions above it: another one when it was detached and attached again.</param>
public sealed record LeafShape(uint Oid, string Name, uint File, bool IsAttached, string Place = "");
