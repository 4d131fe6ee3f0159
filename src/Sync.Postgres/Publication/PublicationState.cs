using Sync.Contracts;
using Sync.Contracts.Configuration;
using Sync.Postgres.Catalog;
using Sync.Postgres.Privileges;

namespace Sync.Postgres.Publication;

/// <summary>A publication as the catalog has it (PostgreSQL docs, pg_publication).</summary>
public sealed record PublicationState
{
    /// <summary>The comment that marks a publication as created by us; only from such a one are tables taken away.</summary>
    public const string ManagedComment = "managed by actorsync";

    public required string Name { get; init; }

    /// <summary>FOR ALL TABLES.</summary>
    public bool AllTables { get; init; }

    /// <summary>Schemas published as a whole (PostgreSQL 15 and later).</summary>
    public IReadOnlySet<string> Schemas { get; init; } = new HashSet<string>();

    /// <summary>Tables named in the publication, by OID.</summary>
    public IReadOnlyDictionary<uint, TableName> Tables { get; init; } = new Dictionary<uint, TableName>();

    /// <summary>Operations it publishes: insert, update, delete, truncate.</summary>
    public IReadOnlySet<string> Operations { get; init; } = new HashSet<string>();

    /// <summary>publish_via_partition_root: changes of partitions arrive under the root's name.</summary>
    public bool ViaRoot { get; init; }

    /// <summary>publish_generated_columns = stored (PostgreSQL 18 and later).</summary>
    public bool SendsGenerated { get; init; }

    /// <summary>Whether we created it.</summary>
    public bool IsManaged { get; init; }

    /// <summary>Whether a table is published by its own name or its schema's.</summary>
    public bool Names(uint oid, string schema) => AllTables || Tables.ContainsKey(oid) || Schemas.Contains(schema);
}

/// <summary>A configured table and, if it is a partition, the tables above it.</summary>
public sealed record ConfiguredTable(TableFacts Facts, IReadOnlyList<(uint Oid, TableName Name)> Ancestors)
{
    public TableName Name => Facts.Name;

    /// <summary>The partitions that hold its rows; empty for a table that is not partitioned.</summary>
    public IReadOnlyList<TableFacts> Leaves { get; init; } = [];

    /// <summary>Whether it may be published although PostgreSQL then refuses updates and deletes.</summary>
    public bool PublishWithoutIdentity { get; init; }
}

/// <summary>What of one configured table reaches us.</summary>
/// <param name="Facts">The table.</param>
/// <param name="Columns">Published columns, in the order of the table.</param>
/// <param name="RowFilter">The publication's WHERE clause for the table; null for all rows.</param>
public sealed record PublishedTable(TableFacts Facts, IReadOnlyList<string> Columns, string? RowFilter);

/// <param name="Created">Whether the publication is new.</param>
/// <param name="Changes">What was changed; a sentence each.</param>
/// <param name="Warnings">What works otherwise than one may expect; a sentence each.</param>
/// <param name="Tables">Every configured table.</param>
public sealed record PublicationReport(
    bool Created, IReadOnlyList<string> Changes, IReadOnlyList<string> Warnings, IReadOnlyDictionary<TableName, PublishedTable> Tables)
{
    /// <summary>Its OID, which is another one when it is dropped and created again; 0 when there is none, as after a mere look.</summary>
    public uint Oid { get; init; }
}

/// <summary>What would become of the publication; nothing was changed.</summary>
/// <param name="Changes">What would be changed; a sentence each.</param>
/// <param name="Warnings">What works otherwise than one may expect; a sentence each.</param>
/// <param name="Tables">Every configured table that exists.</param>
/// <param name="Refused">Configured tables that can't be followed, each with the reason.</param>
/// <param name="Needs">What of the changes needs rights.</param>
public sealed record PublicationReview(
    IReadOnlyList<string> Changes, IReadOnlyList<string> Warnings, IReadOnlyDictionary<TableName, PublishedTable> Tables,
    IReadOnlyDictionary<TableName, SyncException> Refused, PublicationNeeds Needs);
