using Npgsql;
using NpgsqlTypes;
using Sync.Contracts.Configuration;
using Sync.Postgres.Leases;

namespace Sync.Postgres.Privileges;

/// <summary>Asks the catalog what the role of our sessions may do. Throws the driver's exceptions.</summary>
public static class PrivilegeReader
{
    public static async Task<RoleFacts> RoleAsync(NpgsqlDataSource source, CancellationToken cancellationToken)
    {
        await using var command = source.CreateCommand("""
            select r.rolname::text, current_database()::text, r.rolsuper, l.rolreplication or l.rolsuper, r.rolbypassrls,
                   has_database_privilege(current_database(), 'create')
            from pg_roles r, pg_roles l
            where r.rolname = current_user and l.rolname = session_user
            """);
        await using var row = await command.ExecuteReaderAsync(cancellationToken);
        await row.ReadAsync(cancellationToken);
        return new RoleFacts(row.GetString(0), row.GetString(1), row.GetBoolean(2), row.GetBoolean(3), row.GetBoolean(4), row.GetBoolean(5));
    }

    /// <summary>The rights on the tables of these OIDs.</summary>
    public static async Task<IReadOnlyDictionary<TableName, TableRights>> TablesAsync(NpgsqlDataSource source, IReadOnlyCollection<uint> oids, CancellationToken cancellationToken)
    {
        await using var command = source.CreateCommand("""
            select n.nspname::text, c.relname::text, has_schema_privilege(n.oid, 'usage'), has_table_privilege(c.oid, 'select'),
                   array(select a.attname::text from pg_attribute a
                         where a.attrelid = c.oid and not a.attisdropped and has_column_privilege(c.oid, a.attnum, 'select')),
                   c.relrowsecurity, c.relforcerowsecurity, pg_has_role(c.relowner, 'usage'), pg_get_userbyid(c.relowner)::text
            from pg_class c join pg_namespace n on n.oid = c.relnamespace
            where c.oid = any($1)
            """);
        command.Parameters.Add(new NpgsqlParameter { Value = oids.ToArray(), NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Oid });
        var rights = new Dictionary<TableName, TableRights>();
        await using var row = await command.ExecuteReaderAsync(cancellationToken);
        while (await row.ReadAsync(cancellationToken))
        {
            var name = new TableName(row.GetString(0), row.GetString(1));
            rights[name] = new TableRights
            {
                Name = name,
                MayUseSchema = row.GetBoolean(2),
                MaySelect = row.GetBoolean(3),
                Selectable = row.GetFieldValue<string[]>(4).ToHashSet(),
                HasRowSecurity = row.GetBoolean(5),
                ForcesRowSecurity = row.GetBoolean(6),
                IsOwner = row.GetBoolean(7),
                Owner = row.GetString(8),
            };
        }
        return rights;
    }

    /// <summary>The rights on the schema of a cluster.</summary>
    public static async Task<ClusterRights> ClusterAsync(NpgsqlDataSource source, CancellationToken cancellationToken)
    {
        await using var command = source.CreateCommand("""
            select has_schema_privilege(n.oid, 'usage'), has_schema_privilege(n.oid, 'create'),
                   (select count(*) = 2 from pg_class c where c.relnamespace = n.oid and c.relname in ('leases', 'settings'))
            from pg_namespace n where n.nspname = $1
            """);
        command.Parameters.AddWithValue(ClusterSchema.Name);
        await using var row = await command.ExecuteReaderAsync(cancellationToken);
        return await row.ReadAsync(cancellationToken) ? new ClusterRights(true, row.GetBoolean(2), row.GetBoolean(0), row.GetBoolean(1)) : new ClusterRights(false, false, false, false);
    }

    /// <summary>Whether the role has the rights of the publication's owner; true when there is no publication.</summary>
    public static async Task<bool> OwnsPublicationAsync(NpgsqlDataSource source, string publication, CancellationToken cancellationToken)
    {
        await using var command = source.CreateCommand("select pg_has_role(pubowner, 'usage') from pg_publication where pubname = $1");
        command.Parameters.AddWithValue(publication);
        return await command.ExecuteScalarAsync(cancellationToken) is not false;
    }
}
