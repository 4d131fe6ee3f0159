using Npgsql;
using NpgsqlTypes;
using Sync.Contracts;
using Sync.Contracts.Configuration;
using Sync.Contracts.Rows;
using Sync.Postgres.PgOutput;

namespace Sync.Postgres.Catalog;

/// <summary>
/// Reads tables from the system catalogs. Throws the driver's exceptions; <see cref="Connections.PostgresErrors"/> judges
/// them. Safe for use by several threads.
/// </summary>
/// <param name="source">Connections to the database the tables are in.</param>
/// <param name="types">Shared between readers, so that types are asked for once; a resolver belongs to one database.</param>
public sealed class CatalogReader(NpgsqlDataSource source, TypeResolver types)
{
    public CatalogReader(NpgsqlDataSource source) : this(source, new TypeResolver()) { }

    // What reltuples is for a table that was never analyzed; before PostgreSQL 14 the same as for an empty one.
    const string NeverAnalyzed = "case when current_setting('server_version_num')::int >= 140000 then -1 else 0 end";

    const string TableQuery = $"""
        select c.oid, n.nspname, c.relname, c.relkind, c.relispartition, c.relpersistence = 'p', c.relreplident,
               case when c.relkind = 'p' then parts.rows else nullif(c.reltuples, {NeverAnalyzed})::float8 end,
               case when c.relkind = 'r' then coalesce(pg_relation_size(c.oid), 0) / current_setting('block_size')::int else 0 end,
               case when c.relkind = 'p' then coalesce(parts.bytes, 0) else coalesce(pg_table_size(c.oid), 0) end::int8
        from pg_class c
        join pg_namespace n on n.oid = c.relnamespace
        left join lateral (
          select sum(nullif(leaf.reltuples, {NeverAnalyzed}))::float8 as rows, sum(pg_table_size(leaf.oid)) as bytes
          from pg_partition_tree(c.oid) p join pg_class leaf on leaf.oid = p.relid
          where p.isleaf
        ) parts on c.relkind = 'p'
        where c.relkind in ('r', 'p', 'v', 'm', 'f') and 
        """;

    /// <summary>The tables of these names; one that does not exist is left out.</summary>
    public async Task<IReadOnlyDictionary<TableName, TableFacts>> ReadAsync(IReadOnlyCollection<TableName> names, CancellationToken ct = default)
    {
        var tables = await QueryAsync("(n.nspname, c.relname) in (select * from unnest($1::text[], $2::text[]))",
            [new() { Value = names.Select(n => n.Schema).ToArray() }, new() { Value = names.Select(n => n.Name).ToArray() }], ct);
        return tables.ToDictionary(t => t.Name);
    }

    /// <summary>The table of this name.</summary>
    /// <exception cref="SyncException">There is none.</exception>
    public async Task<TableFacts> ReadAsync(TableName name, CancellationToken ct = default) =>
        (await ReadAsync([name], ct)).GetValueOrDefault(name)
        ?? throw new SyncException(ExitCode.Schema, $"Table {name} does not exist: create it or remove it from the configuration.");

    /// <summary>The partitions of a partitioned table that hold rows, at any depth; empty for other tables.</summary>
    public Task<IReadOnlyList<TableFacts>> ReadPartitionsAsync(uint oid, CancellationToken ct = default) => QueryAsync(
        "c.oid in (select relid from pg_partition_tree($1) where isleaf and relid <> $1)", [new() { Value = oid, NpgsqlDbType = NpgsqlDbType.Oid }], ct);

    /// <summary>
    /// What a user may want to publish: ordinary and partitioned tables that write WAL, without partitions, system tables
    /// and tables of extensions; by schema and name.
    /// </summary>
    public Task<IReadOnlyList<TableFacts>> ListTablesAsync(CancellationToken ct = default) => QueryAsync("""
        c.relkind in ('r', 'p') and c.relpersistence = 'p' and not c.relispartition
        and n.nspname <> 'information_schema' and n.nspname not like 'pg\_%'
        and not exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
        """, [], ct);

    /// <summary>A relation of the stream with its types and its primary key (see <see cref="RelationKey"/>).</summary>
    /// <param name="relation">As the stream describes it.</param>
    /// <param name="partitions">What the stream has said of its partitions; null for nothing.</param>
    /// <param name="ct">Gives up.</param>
    public async Task<Relation> CompleteAsync(DecodedRelation relation, IEnumerable<PartitionIdentity>? partitions = null, CancellationToken ct = default)
    {
        var leaves = PartitionIdentities.Merge([.. (await ReadIdentitiesAsync([relation.Oid], ct))[relation.Oid]], partitions ?? []);
        var kinds = await types.ResolveAsync(source, relation.Columns.Select(c => c.TypeOid), ct);
        var key = (await ReadIndexesAsync([relation.Oid], ct)).FirstOrDefault(i => i.IsPrimary);
        bool isRenamed = key is not null && key.Columns.Any(name => relation.Columns.All(c => c.Name != name));
        var columns = isRenamed ? (await ReadColumnsAsync([relation.Oid], ct)).Select(c => (c.Column.Name, c.Column.TypeOid)).ToList() : null;
        return new Relation
        {
            Oid = relation.Oid,
            Schema = relation.Schema,
            Name = relation.Name,
            Identity = relation.Identity,
            Columns = PartitionIdentities.Narrow([.. relation.Columns.Select(c => new RelationColumn(c.Name, c.TypeOid, kinds[c.TypeOid], RelationKey.InIdentity(relation, c)))], leaves),
            Partitions = leaves,
            PrimaryKey = RelationKey.Find(relation, key is null ? null : new CatalogKey(key.Columns, key.IsImmediate, columns)),
            IsKeyDeferrable = key is { IsImmediate: false },
        };
    }

    async Task<IReadOnlyList<TableFacts>> QueryAsync(string condition, NpgsqlParameter[] parameters, CancellationToken ct)
    {
        var tables = new List<TableFacts>();
        await using (var command = source.CreateCommand(TableQuery + condition + " order by n.nspname, c.relname"))
        {
            command.Parameters.AddRange(parameters);
            // The size of a table that is locked exclusively is only told when the lock is free.
            command.CommandTimeout = 0;
            await using var reader = await command.ExecuteReaderAsync(ct);
            while (await reader.ReadAsync(ct)) tables.Add(ReadTable(reader));
        }
        var oids = tables.Select(t => t.Oid).ToArray();
        var indexes = (await ReadIndexesAsync(oids, ct)).ToLookup(i => i.Table);
        var columns = (await ReadColumnsAsync(oids, ct)).ToLookup(c => c.Table, c => c.Column);
        var partitions = await ReadIdentitiesAsync([.. tables.Where(t => t.Kind == TableKind.Partitioned).Select(t => t.Oid)], ct);
        return [.. tables.Select(t => Assemble(t, [.. columns[t.Oid]], [.. indexes[t.Oid]]) with { Partitions = [.. partitions[t.Oid]] })];
    }

    static TableFacts ReadTable(NpgsqlDataReader row) => new()
    {
        Oid = row.GetFieldValue<uint>(0),
        Name = new TableName(row.GetString(1), row.GetString(2)),
        Kind = (TableKind)row.GetChar(3),
        IsPartition = row.GetBoolean(4),
        IsPermanent = row.GetBoolean(5),
        Identity = (ReplicaIdentity)row.GetChar(6),
        EstimatedRows = row.IsDBNull(7) ? null : (long)row.GetDouble(7),
        Pages = row.GetInt64(8),
        Bytes = row.GetInt64(9),
        Columns = [],
        PrimaryKey = [],
    };

    static TableFacts Assemble(TableFacts table, ColumnFacts[] columns, IndexRow[] indexes)
    {
        var primary = indexes.FirstOrDefault(i => i.IsPrimary);
        var identity = table.Identity switch
        {
            ReplicaIdentity.Full => columns.Select(c => c.Name),
            ReplicaIdentity.Default => primary is { IsImmediate: true } ? primary.Columns : [],
            ReplicaIdentity.Index => indexes.FirstOrDefault(i => i.IsIdentity)?.Columns ?? [],
            _ => [],
        };
        var inIdentity = identity.ToHashSet();
        return table with
        {
            Columns = [.. columns.Select(c => c with { InIdentity = inIdentity.Contains(c.Name) })],
            PrimaryKey = [.. (primary?.Columns ?? []).Select(name => Array.FindIndex(columns, c => c.Name == name))],
        };
    }

    async Task<List<(uint Table, ColumnFacts Column)>> ReadColumnsAsync(uint[] oids, CancellationToken ct)
    {
        var rows = new List<(uint Table, ColumnFacts Column)>();
        await using (var command = source.CreateCommand("""
            select attrelid, attname, attnum, atttypid, attnotnull, attgenerated <> ''
            from pg_attribute
            where attrelid = any($1) and attnum > 0 and not attisdropped
            order by attrelid, attnum
            """))
        {
            command.Parameters.Add(Oids(oids));
            await using var reader = await command.ExecuteReaderAsync(ct);
            while (await reader.ReadAsync(ct))
                rows.Add((reader.GetFieldValue<uint>(0), new ColumnFacts(
                    reader.GetString(1), reader.GetInt16(2), reader.GetFieldValue<uint>(3), ColumnType.Text,
                    reader.GetBoolean(4), reader.GetBoolean(5), InIdentity: false)));
        }
        var kinds = await types.ResolveAsync(source, rows.Select(r => r.Column.TypeOid), ct);
        return [.. rows.Select(r => (r.Table, r.Column with { Type = kinds[r.Column.TypeOid] }))];
    }

    /// <summary>The identities of the partitions that hold the rows of partitioned tables, by OID; none for other tables.</summary>
    async Task<ILookup<uint, PartitionIdentity>> ReadIdentitiesAsync(uint[] roots, CancellationToken ct)
    {
        var rows = new List<(uint Root, PartitionIdentity Identity)>();
        if (roots.Length == 0) return rows.ToLookup(r => r.Root, r => r.Identity);
        await using var command = source.CreateCommand("""
            select r.oid, l.oid, n.nspname, l.relname,
                   case when l.relreplident <> 'f' then array(
                     select a.attname::text
                     from pg_index i
                     cross join unnest(i.indkey::int2[]) with ordinality k (attnum, place)
                     join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
                     where i.indrelid = l.oid and i.indisvalid and k.place <= i.indnkeyatts
                       and ((l.relreplident = 'd' and i.indisprimary and i.indimmediate) or (l.relreplident = 'i' and i.indisreplident))) end
            from pg_class r
            cross join pg_partition_tree(r.oid) p
            join pg_class l on l.oid = p.relid
            join pg_namespace n on n.oid = l.relnamespace
            where r.oid = any($1) and r.relkind = 'p' and p.isleaf and l.relkind <> 'p'
            order by l.oid
            """);
        command.Parameters.Add(Oids(roots));
        await using var reader = await command.ExecuteReaderAsync(ct);
        while (await reader.ReadAsync(ct))
            rows.Add((reader.GetFieldValue<uint>(0), new PartitionIdentity(
                reader.GetFieldValue<uint>(1), reader.GetString(2), reader.GetString(3), reader.IsDBNull(4) ? null : reader.GetFieldValue<string[]>(4))));
        return rows.ToLookup(r => r.Root, r => r.Identity);
    }

    sealed record IndexRow(uint Table, bool IsPrimary, bool IsIdentity, bool IsImmediate, string[] Columns);

    // indnkeyatts leaves out the columns that an index merely carries along (INCLUDE).
    async Task<List<IndexRow>> ReadIndexesAsync(uint[] oids, CancellationToken ct)
    {
        await using var command = source.CreateCommand("""
            select i.indrelid, i.indisprimary, i.indisreplident, i.indimmediate,
                   array(select a.attname::text
                         from unnest(i.indkey::int2[]) with ordinality k (attnum, place)
                         join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
                         where k.place <= i.indnkeyatts
                         order by k.place)
            from pg_index i
            where i.indrelid = any($1) and (i.indisprimary or i.indisreplident) and i.indisvalid
            """);
        command.Parameters.Add(Oids(oids));
        var indexes = new List<IndexRow>();
        await using var reader = await command.ExecuteReaderAsync(ct);
        while (await reader.ReadAsync(ct))
            indexes.Add(new IndexRow(
                reader.GetFieldValue<uint>(0), reader.GetBoolean(1), reader.GetBoolean(2), reader.GetBoolean(3), reader.GetFieldValue<string[]>(4)));
        return indexes;
    }

    static NpgsqlParameter Oids(uint[] oids) => new() { Value = oids, NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Oid };
}
