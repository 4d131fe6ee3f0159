using Sync.Contracts.Configuration;
using Sync.Postgres.Connections;
using Sync.Postgres.Leases;

namespace Sync.Postgres.Privileges;

/// <summary>Judges what a role may do. Pure: facts in, findings out. The statements in the findings can be run as they stand.</summary>
public static class PrivilegeChecks
{
    /// <summary>Columns that tell one version of a row from another, which a comparison and a re-sync read.</summary>
    static readonly string[] versionColumns = ["ctid", "xmin"];

    /// <summary>What is missing to read the rows of a table.</summary>
    /// <param name="role">Who reads.</param>
    /// <param name="table">The table.</param>
    /// <param name="columns">The columns that are read: those that are published.</param>
    /// <param name="copies">Whether the table is to be copied. Without a copy, rows are read only to complete large values, to compare and to re-sync.</param>
    public static IReadOnlyList<PrivilegeFinding> FindForReading(RoleFacts role, TableRights table, IReadOnlyList<string> columns, bool copies)
    {
        if (role.IsSuperuser) return [];
        var findings = new List<PrivilegeFinding>();
        string user = Sql.Identifier(role.Name), name = Sql.Identifier(table.Name.Schema, table.Name.Name);
        string use = copies ? "which copying it needs" : "so that it can't be compared or re-synced, and large values that an update leaves alone can't be read again";
        void Add(bool isFatal, string message) => findings.Add(new PrivilegeFinding(table.Name, isFatal, message));

        if (!table.MayUseSchema)
            Add(copies, $"User {role.Name} may not use schema {table.Name.Schema} of {table.Name}, {use}: run GRANT USAGE ON SCHEMA {Sql.Identifier(table.Name.Schema)} TO {user}.");
        string[] hidden = table.MaySelect ? [] : [.. columns.Where(c => !table.Selectable.Contains(c))];
        if (hidden.Length > 0 && hidden.Length == columns.Count)
            Add(copies, $"User {role.Name} may not read {table.Name}, {use}: run GRANT SELECT ON {name} TO {user}.");
        else if (hidden.Length > 0)
            Add(copies, $"User {role.Name} may not read {Words("column", hidden)} of {table.Name}, {use}: run GRANT SELECT ({List(hidden)}) ON {name} TO {user}.");
        if (HidesRows(role, table))
            Add(copies, $"Row-level security of {table.Name} hides rows from user {role.Name}, {use}: run ALTER ROLE {user} BYPASSRLS"
                + (table.IsOwner ? $", or ALTER TABLE {name} NO FORCE ROW LEVEL SECURITY." : "."));
        string[] versions = table.MaySelect || hidden.Length > 0 ? [] : [.. versionColumns.Where(c => !table.Selectable.Contains(c))];
        if (versions.Length > 0)
            Add(false, $"User {role.Name} may not read {Words("system column", versions)} of {table.Name}, so that it can't be compared or re-synced:"
                + $" run GRANT SELECT ({List(versions)}) ON {name} TO {user}.");
        return findings;
    }

    /// <summary>Whether policies apply to the role: not to superusers and BYPASSRLS, and to the owner only with FORCE (PostgreSQL docs, "Row Security Policies").</summary>
    static bool HidesRows(RoleFacts role, TableRights table) =>
        table.HasRowSecurity && !role.IsSuperuser && !role.BypassesRowSecurity && (!table.IsOwner || table.ForcesRowSecurity);

    /// <summary>What is missing to bring the publication in line with the configuration.</summary>
    public static IReadOnlyList<PrivilegeFinding> FindForPublication(RoleFacts role, PublicationNeeds needs, IReadOnlyDictionary<TableName, TableRights> tables)
    {
        if (role.IsSuperuser) return [];
        var findings = new List<PrivilegeFinding>();
        string user = Sql.Identifier(role.Name);
        const string otherwise = ", or set up the publication yourself and set postgres.repl.owner: user.";
        if (needs.Creates && !role.MayCreateInDatabase)
            findings.Add(new PrivilegeFinding(null, true,
                $"User {role.Name} may not create publication {needs.Name} in database {role.Database}: run GRANT CREATE ON DATABASE {Sql.Identifier(role.Database)} TO {user}{otherwise}"));
        if (needs is { Creates: false, Alters: true, IsOwner: false })
            findings.Add(new PrivilegeFinding(null, true,
                $"User {role.Name} is not the owner of publication {needs.Name}, which has to be altered: run ALTER PUBLICATION {Sql.Identifier(needs.Name)} OWNER TO {user}{otherwise}"));
        foreach (var name in needs.Adds)
            if (tables.TryGetValue(name, out var table) && !table.IsOwner)
                findings.Add(new PrivilegeFinding(name, true,
                    $"User {role.Name} lacks the rights of {table.Owner}, the owner of {name}, which publishing the table needs: run GRANT {Sql.Identifier(table.Owner)} TO {user},"
                    + $" or ALTER TABLE {Sql.Identifier(name.Schema, name.Name)} OWNER TO {user}{otherwise}"));
        return findings;
    }

    /// <summary>What is missing to keep the state of a cluster of nodes.</summary>
    public static IReadOnlyList<PrivilegeFinding> FindForCluster(RoleFacts role, ClusterRights rights)
    {
        if (role.IsSuperuser) return [];
        string user = Sql.Identifier(role.Name), schema = Sql.Identifier(ClusterSchema.Name);
        string? missing = rights switch
        {
            { Exists: false } => role.MayCreateInDatabase ? null : $"CREATE SCHEMA {schema} AUTHORIZATION {user}",
            { MayUse: false, IsComplete: true } => $"GRANT USAGE ON SCHEMA {schema} TO {user}",
            { IsComplete: false } when !rights.MayUse || !rights.MayCreate => $"GRANT USAGE, CREATE ON SCHEMA {schema} TO {user}",
            _ => null,
        };
        return missing is null ? [] : [new PrivilegeFinding(null, true, $"User {role.Name} may not use schema {ClusterSchema.Name}, which a cluster of nodes keeps its state in: run {missing}.")];
    }

    static string Words(string noun, string[] names) => $"{noun}{(names.Length == 1 ? "" : "s")} {string.Join(", ", names)}";

    static string List(string[] columns) => string.Join(", ", columns.Select(Sql.Identifier));
}
