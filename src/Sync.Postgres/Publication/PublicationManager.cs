using Npgsql;
using NpgsqlTypes;
using Sync.Contracts;
using Sync.Contracts.Configuration;
using Sync.Postgres.Catalog;
using Sync.Postgres.Connections;

namespace Sync.Postgres.Publication;

/// <summary>
/// Brings the publication in line with the configuration, or checks it. To be done before the slot is created: what is
/// decoded from a slot looks for the publication as it was at that point of the WAL.
/// </summary>
public sealed class PublicationManager(PostgresPrimary primary, CatalogReader catalog)
{
    /// <summary>
    /// With <see cref="ReplicationOwner.App"/> creates or alters the publication, with <see cref="ReplicationOwner.User"/>
    /// only checks it.
    /// </summary>
    /// <exception cref="SyncException">A table is missing, a privilege is missing, or the user has to act.</exception>
    public Task<PublicationReport> EnsureAsync(ReplicationOptions options, IReadOnlyCollection<TableName> tables, CancellationToken ct = default) =>
        RunAsync(options, tables, execute: true, ct);

    /// <summary>Tells what <see cref="EnsureAsync"/> would do, and does nothing.</summary>
    /// <exception cref="SyncException">As in <see cref="EnsureAsync"/>, but for privileges.</exception>
    public Task<PublicationReport> CheckAsync(ReplicationOptions options, IReadOnlyCollection<TableName> tables, CancellationToken ct = default) =>
        RunAsync(options, tables, execute: false, ct);

    /// <summary>The OID of a publication, which is another one when it was dropped and created again; 0 when there is none.</summary>
    /// <exception cref="SyncException">PostgreSQL can't be asked.</exception>
    public async Task<uint> FindAsync(string name, CancellationToken ct = default)
    {
        await using var connection = await primary.OpenAsync(ct);
        return await ReadOidAsync(connection, name, ct);
    }

    async Task<PublicationReport> RunAsync(ReplicationOptions options, IReadOnlyCollection<TableName> names, bool execute, CancellationToken ct)
    {
        try
        {
            await using var connection = await primary.OpenAsync(ct);
            var tables = await ReadTablesAsync(connection, [.. names.Distinct()], ct);
            for (int attempt = 1; ; attempt++)
            {
                var state = await ReadStateAsync(connection, options.Pub, ct);
                var plan = PublicationPlan.Make(state, options, tables);
                try
                {
                    if (execute) await ExecuteAsync(connection, plan, ct);
                }
                catch (PostgresException e) when (attempt < 4 && IsRace(e.SqlState))
                {
                    continue;
                }
                var published = await ReadPublishedAsync(connection, options.Pub, tables, ct);
                return new PublicationReport(state is null, plan.Changes, plan.Warnings, published) { Oid = await ReadOidAsync(connection, options.Pub, ct) };
            }
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.InsufficientPrivilege)
        {
            throw new SyncException(ExitCode.Schema, PrivilegeSentence(options.Pub, e), e);
        }
        catch (Exception e) when (e is not (SyncException or OperationCanceledException))
        {
            throw primary.Describe(e);
        }
    }

    // Another node did the same in this moment: it exists already, its name is taken, a table is gone from it, "tuple concurrently updated".
    static bool IsRace(string sqlState) => sqlState is
        PostgresErrorCodes.DuplicateObject or PostgresErrorCodes.UniqueViolation or PostgresErrorCodes.UndefinedObject or PostgresErrorCodes.InternalError;

    // CREATE PUBLICATION needs CREATE on the database, ALTER the ownership of the publication, and both that of every table they name.
    string PrivilegeSentence(string publication, PostgresException error)
    {
        var (database, user) = (primary.Options.Database, primary.Options.User);
        return $"User {user} may not set up publication {publication} ({error.MessageText}): run GRANT CREATE ON DATABASE {Sql.Identifier(database)}"
            + $" TO {Sql.Identifier(user)}"
            + " and make it the owner of the publication and of the tables, or set up the publication yourself and set postgres.repl.owner: user.";
    }

    static async Task ExecuteAsync(NpgsqlConnection connection, PublicationPlan plan, CancellationToken ct)
    {
        if (plan.Statements.Count == 0) return;
        await using var transaction = await connection.BeginTransactionAsync(ct);
        foreach (string statement in plan.Statements)
        {
            await using var command = new NpgsqlCommand(statement, connection, transaction);
            await command.ExecuteNonQueryAsync(ct);
        }
        await transaction.CommitAsync(ct);
    }

    async Task<IReadOnlyList<ConfiguredTable>> ReadTablesAsync(NpgsqlConnection connection, IReadOnlyList<TableName> names, CancellationToken ct)
    {
        if (names.Count == 0) throw new SyncException(ExitCode.Configuration, "No table is configured: name at least one under tables.");
        var found = await catalog.ReadAsync(names, ct);
        var missing = names.Where(n => !found.ContainsKey(n)).ToList();
        if (missing.Count > 0)
            throw new SyncException(ExitCode.Schema,
                $"{(missing.Count == 1 ? "Table" : "Tables")} {string.Join(", ", missing)} {(missing.Count == 1 ? "does" : "do")} not exist in"
                    + $" database {primary.Options.Database}: correct the name, or create the table.");
        var tables = new List<ConfiguredTable>();
        foreach (var name in names)
            tables.Add(new ConfiguredTable(found[name], found[name].IsPartition ? await ReadAncestorsAsync(connection, found[name].Oid, ct) : []));
        return tables;
    }

    static async Task<IReadOnlyList<(uint, TableName)>> ReadAncestorsAsync(NpgsqlConnection connection, uint oid, CancellationToken ct)
    {
        await using var command = new NpgsqlCommand("""
            select c.oid, n.nspname, c.relname
            from pg_partition_ancestors($1) with ordinality a (relid, depth)
            join pg_class c on c.oid = a.relid
            join pg_namespace n on n.oid = c.relnamespace
            where c.oid <> $1
            order by a.depth desc
            """, connection);
        command.Parameters.Add(new NpgsqlParameter { Value = oid, NpgsqlDbType = NpgsqlDbType.Oid });
        var ancestors = new List<(uint, TableName)>();
        await using var reader = await command.ExecuteReaderAsync(ct);
        while (await reader.ReadAsync(ct)) ancestors.Add((reader.GetFieldValue<uint>(0), new TableName(reader.GetString(1), reader.GetString(2))));
        return ancestors;
    }

    static async Task<PublicationState?> ReadStateAsync(NpgsqlConnection connection, string name, CancellationToken ct)
    {
        PublicationState state;
        await using (var command = new NpgsqlCommand("""
            select puballtables, pubinsert, pubupdate, pubdelete, pubtruncate, pubviaroot, obj_description(oid, 'pg_publication')
            from pg_publication where pubname = $1
            """, connection) { Parameters = { new() { Value = name } } })
        {
            await using var row = await command.ExecuteReaderAsync(ct);
            if (!await row.ReadAsync(ct)) return null;
            string[] operations = ["insert", "update", "delete", "truncate"];
            state = new PublicationState
            {
                Name = name,
                AllTables = row.GetBoolean(0),
                Operations = operations.Where((_, i) => row.GetBoolean(1 + i)).ToHashSet(),
                ViaRoot = row.GetBoolean(5),
                IsManaged = !row.IsDBNull(6) && row.GetString(6) == PublicationState.ManagedComment,
            };
        }
        return state with { Tables = await ReadMembersAsync(connection, name, ct), Schemas = await ReadSchemasAsync(connection, name, ct) };
    }

    static async Task<uint> ReadOidAsync(NpgsqlConnection connection, string name, CancellationToken ct)
    {
        await using var command = new NpgsqlCommand("select oid from pg_publication where pubname = $1", connection) { Parameters = { new() { Value = name } } };
        return await command.ExecuteScalarAsync(ct) is uint oid ? oid : 0;
    }

    static async Task<Dictionary<uint, TableName>> ReadMembersAsync(NpgsqlConnection connection, string name, CancellationToken ct)
    {
        await using var command = new NpgsqlCommand("""
            select c.oid, n.nspname, c.relname
            from pg_publication_rel r
            join pg_publication p on p.oid = r.prpubid
            join pg_class c on c.oid = r.prrelid
            join pg_namespace n on n.oid = c.relnamespace
            where p.pubname = $1
            order by n.nspname, c.relname
            """, connection) { Parameters = { new() { Value = name } } };
        var members = new Dictionary<uint, TableName>();
        await using var reader = await command.ExecuteReaderAsync(ct);
        while (await reader.ReadAsync(ct)) members.Add(reader.GetFieldValue<uint>(0), new TableName(reader.GetString(1), reader.GetString(2)));
        return members;
    }

    static async Task<HashSet<string>> ReadSchemasAsync(NpgsqlConnection connection, string name, CancellationToken ct)
    {
        var schemas = new HashSet<string>();
        if (connection.PostgreSqlVersion.Major < 15) return schemas;
        await using var command = new NpgsqlCommand("""
            select n.nspname
            from pg_publication_namespace s
            join pg_publication p on p.oid = s.pnpubid
            join pg_namespace n on n.oid = s.pnnspid
            where p.pubname = $1
            """, connection) { Parameters = { new() { Value = name } } };
        await using var reader = await command.ExecuteReaderAsync(ct);
        while (await reader.ReadAsync(ct)) schemas.Add(reader.GetString(0));
        return schemas;
    }

    // Column lists and row filters came with PostgreSQL 15; to_jsonb lets one query do for servers without the columns.
    static async Task<IReadOnlyDictionary<TableName, PublishedTable>> ReadPublishedAsync(
        NpgsqlConnection connection, string name, IReadOnlyList<ConfiguredTable> tables, CancellationToken ct)
    {
        var lists = new Dictionary<TableName, (HashSet<string>? Columns, string? Filter)>();
        await using (var command = new NpgsqlCommand("""
            select schemaname, tablename, to_jsonb(t) ? 'attnames', array(select jsonb_array_elements_text(to_jsonb(t)->'attnames')), to_jsonb(t)->>'rowfilter'
            from pg_publication_tables t where pubname = $1
            """, connection) { Parameters = { new() { Value = name } } })
        {
            await using var reader = await command.ExecuteReaderAsync(ct);
            while (await reader.ReadAsync(ct))
                lists[new TableName(reader.GetString(0), reader.GetString(1))] = (
                    reader.GetBoolean(2) ? [.. reader.GetFieldValue<string[]>(3)] : null, reader.IsDBNull(4) ? null : reader.GetString(4));
        }
        bool sendsGenerated = connection.PostgreSqlVersion.Major >= 18;
        return tables.ToDictionary(t => t.Name, t =>
        {
            var (columns, filter) = lists.GetValueOrDefault(t.Name);
            var sent = t.Facts.Columns.Where(c => columns is null ? !c.Generated : columns.Contains(c.Name) && (sendsGenerated || !c.Generated));
            return new PublishedTable(t.Facts, [.. sent.Select(c => c.Name)], filter);
        });
    }
}
