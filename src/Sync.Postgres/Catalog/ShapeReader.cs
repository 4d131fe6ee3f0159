using System.Text.Json;
using Npgsql;
using Sync.Contracts.Configuration;
using Sync.Contracts.Schema;

namespace Sync.Postgres.Catalog;

/// <summary>
/// Reads the shapes of tables, in one query, so that all of it is of one moment. It takes no lock and asks for no size, so a table that is locked
/// exclusively does not hold it up.
/// Throws the driver's exceptions.
/// </summary>
public static class ShapeReader
{
    static readonly JsonSerializerOptions json = new(JsonSerializerDefaults.Web);

    // Rows of pg_attribute for system columns are never altered, so theirs is the transaction that made the table.
    const string Query = """
        with pub as (select p.oid, p.puballtables, p.xmin, to_jsonb(p) as row from pg_publication p where p.pubname = $3),
        member as (
          select r.prrelid as table_oid, 0::oid as schema_oid, r.oid from pg_publication_rel r join pub on r.prpubid = pub.oid
          {0}
        )
        select w.schema, w.name, jsonb_build_object(
          'oid', c.oid::bigint,
          'file', case when c.relkind = 'p' then 0 else c.relfilenode::bigint end,
          'key', coalesce((
            select jsonb_agg(a.attname order by k.place)
            from pg_index i
            cross join unnest(i.indkey::int2[]) with ordinality k (attnum, place)
            join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
            where i.indrelid = c.oid and i.indisprimary and k.place <= i.indnkeyatts), '[]'),
          'columns', coalesce((
            select jsonb_agg(jsonb_build_object('name', a.attname, 'number', a.attnum, 'type', a.atttypid::bigint, 'version', a.xmin::text,
              'labels', coalesce((select jsonb_agg(e.oid::text || ':' || e.enumlabel order by e.oid) from pg_enum e
                where e.enumtypid in (t.oid, t.typelem, t.typbasetype)), '[]')) order by a.attnum)
            from pg_attribute a join pg_type t on t.oid = a.atttypid
            where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped), '[]'),
          'leaves', coalesce((
            select jsonb_agg(jsonb_build_object('oid', l.oid::bigint, 'name', ln.nspname || '.' || l.relname, 'file', l.relfilenode::bigint,
              'isAttached', coalesce(made.xmin <> inh.xmin, true),
              'place', coalesce((
                select string_agg(i.xmin::text, ' ' order by a.depth)
                from pg_partition_ancestors(l.oid) with ordinality a (relid, depth) join pg_inherits i on i.inhrelid = a.relid
                where a.relid <> c.oid), '')) order by l.oid)
            from pg_partition_tree(c.oid) p
            join pg_class l on l.oid = p.relid
            join pg_namespace ln on ln.oid = l.relnamespace
            left join pg_attribute made on made.attrelid = l.oid and made.attname = 'tableoid'
            left join pg_inherits inh on inh.inhrelid = l.oid
            where c.relkind = 'p' and p.isleaf and l.relkind <> 'p'), '[]'),
          'member', coalesce((
            select max(m.oid)::bigint from member m
            where m.table_oid in (select c.oid union select relid from pg_partition_ancestors(c.oid)) or m.schema_oid = n.oid),
            (select oid::bigint from pub where puballtables), 0),
          'settings', coalesce((select xmin::text from pub), ''),
          'filter', to_jsonb(t)->>'rowfilter',
          'published', case when to_jsonb(t) ? 'attnames' then to_jsonb(t)->'attnames' end,
          'operations', coalesce((
            select jsonb_agg(o.name) from pub, (values ('insert'), ('update'), ('delete'), ('truncate')) o (name) where (pub.row->>('pub' || o.name))::boolean), '[]'),
          'publication', coalesce((select oid::bigint from pub), 0))
        from unnest($1::text[], $2::text[]) w (schema, name)
        join pg_namespace n on n.nspname = w.schema
        join pg_class c on c.relnamespace = n.oid and c.relname = w.name and c.relkind in ('r', 'p')
        left join pg_publication_tables t on t.pubname = $3 and t.schemaname = w.schema and t.tablename = w.name
        """;

    const string SchemaMembers = "union all select 0::oid, s.pnnspid, s.oid from pg_publication_namespace s join pub on s.pnpubid = pub.oid";

    /// <summary>The shapes of those of the tables that exist.</summary>
    /// <param name="source">Connections to the database the tables are in.</param>
    /// <param name="serverVersion">Of the server, such as 150018.</param>
    /// <param name="publication">Through which they are published.</param>
    /// <param name="tables">Their names.</param>
    /// <param name="ct">Gives up.</param>
    public static async Task<IReadOnlyDictionary<TableName, TableShape>> ReadAsync(
        NpgsqlDataSource source, int serverVersion, string publication, IReadOnlyCollection<TableName> tables, CancellationToken ct = default)
    {
        await using var command = source.CreateCommand(Query.Replace("{0}", serverVersion >= 150000 ? SchemaMembers : "", StringComparison.Ordinal));
        command.Parameters.Add(new() { Value = tables.Select(t => t.Schema).ToArray() });
        command.Parameters.Add(new() { Value = tables.Select(t => t.Name).ToArray() });
        command.Parameters.Add(new() { Value = publication });
        var shapes = new Dictionary<TableName, TableShape>();
        await using var reader = await command.ExecuteReaderAsync(ct);
        while (await reader.ReadAsync(ct))
            shapes[new TableName(reader.GetString(0), reader.GetString(1))] = JsonSerializer.Deserialize<TableShape>(reader.GetString(2), json)!;
        return shapes;
    }
}
