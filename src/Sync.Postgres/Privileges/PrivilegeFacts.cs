using Sync.Contracts.Configuration;

namespace Sync.Postgres.Privileges;

/// <summary>What a role may do that concerns no single table (PostgreSQL docs, pg_roles).</summary>
/// <param name="Name">current_user: a role's own settings may have made it another one than the user that logged in.</param>
/// <param name="Database">The database that is followed.</param>
/// <param name="IsSuperuser">rolsuper; no check concerns such a role.</param>
/// <param name="HasReplication">rolreplication of who logged in. Providers let roles of their own replicate without it.</param>
/// <param name="BypassesRowSecurity">rolbypassrls.</param>
/// <param name="MayCreateInDatabase">CREATE on the database, which a publication needs.</param>
public sealed record RoleFacts(
    string Name, string Database, bool IsSuperuser, bool HasReplication, bool BypassesRowSecurity, bool MayCreateInDatabase);

/// <summary>What the role may do with one table.</summary>
public sealed record TableRights
{
    public required TableName Name { get; init; }

    /// <summary>USAGE on the table's schema.</summary>
    public required bool MayUseSchema { get; init; }

    /// <summary>SELECT on the whole table.</summary>
    public required bool MaySelect { get; init; }

    /// <summary>Columns that may be selected, whether through the table or one by one; the system columns ctid and xmin among them.</summary>
    public required IReadOnlySet<string> Selectable { get; init; }

    /// <summary>ENABLE ROW LEVEL SECURITY.</summary>
    public required bool HasRowSecurity { get; init; }

    /// <summary>FORCE ROW LEVEL SECURITY: it holds for the owner as well.</summary>
    public required bool ForcesRowSecurity { get; init; }

    /// <summary>Whether the role has the rights of the owner.</summary>
    public required bool IsOwner { get; init; }

    /// <summary>The owner's name.</summary>
    public required string Owner { get; init; }
}

/// <summary>What has to happen to the publication, as far as it needs rights.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Creates">Whether it is to be created.</param>
/// <param name="Alters">Whether it is to be altered.</param>
/// <param name="IsOwner">Whether the role has the rights of its owner; of no meaning when it is created.</param>
/// <param name="Adds">Tables that are to be added.</param>
public sealed record PublicationNeeds(string Name, bool Creates, bool Alters, bool IsOwner, IReadOnlyCollection<TableName> Adds)
{
    /// <summary>Nothing has to happen.</summary>
    public static PublicationNeeds None(string name) => new(name, false, false, true, []);
}

/// <summary>What the role may do with the schema that a cluster of nodes keeps its state in.</summary>
/// <param name="Exists">Whether the schema is there.</param>
/// <param name="IsComplete">Whether its tables are.</param>
/// <param name="MayUse">USAGE on it.</param>
/// <param name="MayCreate">CREATE on it.</param>
public sealed record ClusterRights(bool Exists, bool IsComplete, bool MayUse, bool MayCreate);

/// <summary>A right that is missing.</summary>
/// <param name="Table">The table it concerns; null when it concerns all of them.</param>
/// <param name="IsFatal">Whether the table, or the node, can't work without; otherwise something works less well.</param>
/// <param name="Message">What is missing and the statement that gives it.</param>
public sealed record PrivilegeFinding(TableName? Table, bool IsFatal, string Message);
