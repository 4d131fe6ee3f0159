using Npgsql;
using NpgsqlTypes;
using Sync.Contracts;
using Sync.Contracts.Configuration;
using Sync.Postgres.Catalog;
using Sync.Postgres.Connections;
using Sync.Postgres.Privileges;

namespace Sync.Postgres.Publication;

/// <summary>
/// Brings the publication in line with the configuration, or checks it. To be done before the slot is created: what is
/// decoded from a slot looks for the publication as it was at that point of the WAL.
/// </summary>
public sealed class PublicationManager(PostgresPrimary primary, CatalogReader catalog)
{
    /// <summary>The OID of a publication, which is another one when it was dropped and created again; 0 when there is none.</summary>
    /// <exception cref="SyncException">PostgreSQL can't be asked.</exception>
    public async Task<uint> FindAsync(string name, CancellationToken ct = default)
    {
        await using var connection = await primary.OpenAsync(ct);
        return await ReadOidAsync(connection, name, ct);
    }

    /// <summary>
    /// With <see cref="ReplicationOwner.App"/> creates or alters the publication, with <see cref="ReplicationOwner.User"/>
    /// only checks it.
    /// </summary>
    /// <param name="options">Its name, and who owns it.</param>
    /// <param name="tables">The tables to publish: those that <see cref="ReviewAsync"/> did not refuse.</param>
    /// <param name="keep">Further tables, which stay in the publication if they are there; null for none.</param>
    /// <param name="ct">Gives up.</param>
    /// <exception cref="SyncException">A table is missing, a privilege is missing, or the user has to act.</exception>
    public async Task<PublicationReport> EnsureAsync(
        ReplicationOptions options, IReadOnlyCollection<TableName> tables, IReadOnlySet<TableName>? keep = null, CancellationToken ct = default)
    {
        try
        {
            await using var connection = await primary.OpenAsync(ct);
            var (configured, missing) = await ReadTablesAsync(connection, [.. tables.Select(t => (t, false))], ct);
            if (missing.Count > 0) throw Missing(missing);
            for (int attempt = 1; ; attempt++)
            {
                var state = await ReadStateAsync(connection, options.Pub, ct);
                var plan = PublicationPlan.Make(state, options, configured, keep);
                try
                {
                    await ExecuteAsync(connection, plan, ct);
                }
                catch (PostgresException e) when (attempt < 4 && IsRace(e.SqlState))
                {
                    continue;
                }
                var published = await ReadPublishedAsync(connection, options.Pub, configured, ct);
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

    /// <summary>Tells what <see cref="EnsureAsync"/> would do, and which tables can't be followed. Changes nothing.</summary>
    /// <exception cref="SyncException">The publication is missing and not ours to create.</exception>
    public async Task<PublicationReview> ReviewAsync(ReplicationOptions options, IReadOnlyCollection<TableConfig> tables, CancellationToken ct = default)
    {
        try
        {
            await using var connection = await primary.OpenAsync(ct);
            var (configured, missing) = await ReadTablesAsync(connection, [.. tables.Select(t => (TableName.Of(t), t.PublishWithoutIdentity))], ct);
            var state = await ReadStateAsync(connection, options.Pub, ct);
            var refused = PublicationPlan.FindRefusals(state, options, configured, primary.Major).Concat(missing.Select(n => KeyValuePair.Create(n, Missing([n])))).ToDictionary();
            List<ConfiguredTable> good = [.. configured.Where(t => !refused.ContainsKey(t.Name))];
            var plan = good.Count == 0 ? new PublicationPlan([], [], []) : PublicationPlan.Make(state, options, good, refused.Keys.ToHashSet());
            var needs = plan.Statements.Count == 0 ? PublicationNeeds.None(options.Pub) : new PublicationNeeds(
                options.Pub, Creates: state is null, Alters: state is not null, await PrivilegeReader.OwnsPublicationAsync(primary.DataSource, options.Pub, ct), plan.Adds);
            return new PublicationReview(plan.Changes, plan.Warnings, await ReadPublishedAsync(connection, options.Pub, configured, ct), refused, needs);
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
            // It may have to wait for a lock, as long as that takes; who watches the session says for whom (WaitWatch).
            await using var command = new NpgsqlCommand(statement, connection, transaction) { CommandTimeout = 0 };
            await command.ExecuteNonQueryAsync(ct);
        }
        await transaction.CommitAsync(ct);
    }

    async Task<(IReadOnlyList<ConfiguredTable> Tables, IReadOnlyList<TableName> Missing)> ReadTablesAsync(
        NpgsqlConnection connection, IReadOnlyList<(TableName Name, bool PublishWithoutIdentity)> wanted, CancellationToken ct)
    {
        if (wanted.Count == 0) throw new SyncException(ExitCode.Configuration, "No table is configured: name at least one under tables.");
        var found = await catalog.ReadAsync([.. wanted.Select(w => w.Name).Distinct()], ct);
        var tables = new List<ConfiguredTable>();
        foreach (var (name, without) in wanted.DistinctBy(w => w.Name))
        {
            if (!found.TryGetValue(name, out var facts)) continue;
            tables.Add(new ConfiguredTable(facts, facts.IsPartition ? await ReadAncestorsAsync(connection, facts.Oid, ct) : [])
            {
                Leaves = facts.Kind == TableKind.Partitioned ? await catalog.ReadPartitionsAsync(facts.Oid, ct) : [],
                PublishWithoutIdentity = without,
            });
        }
        return (tables, [.. wanted.Select(w => w.Name).Distinct().Where(n => !found.ContainsKey(n))]);
    }

    SyncException Missing(IReadOnlyList<TableName> names) => new(ExitCode.Schema,
        $"{(names.Count == 1 ? "Table" : "Tables")} {string.Join(", ", names)} {(names.Count == 1 ? "does" : "do")} not exist in database {primary.Options.Database}:"
            + " correct the name, or create the table.");

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
            select puballtables, pubinsert, pubupdate, pubdelete, pubtruncate, pubviaroot, obj_description(oid, 'pg_publication'),
                   coalesce(to_jsonb(p)->>'pubgencols' = 's', false)
            from pg_publication p where pubname = $1
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
                SendsGenerated = row.GetBoolean(7),
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
