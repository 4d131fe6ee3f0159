using System.Collections.Concurrent;
using Npgsql;
using NpgsqlTypes;
using Sync.Contracts.Rows;

namespace Sync.Postgres.Catalog;

/// <summary>
/// Tells how values of a type are rendered. Domains count as what they are based on, arrays carry their element; enums,
/// ranges, composites and types of extensions are text. Answers are kept: base type and element of a type never change
/// (PostgreSQL docs, ALTER DOMAIN, ALTER TYPE). Safe for use by several threads.
/// </summary>
public sealed class TypeResolver
{
    readonly ConcurrentDictionary<uint, ColumnType> known = new(BuiltinTypes.ByOid);

    /// <summary>
    /// One type for each of <paramref name="oids"/>. A type that was dropped since counts as text: its values were sent
    /// as text, and nothing else is known of them.
    /// </summary>
    public async Task<IReadOnlyDictionary<uint, ColumnType>> ResolveAsync(NpgsqlDataSource source, IEnumerable<uint> oids, CancellationToken ct = default)
    {
        var wanted = oids.Distinct().ToArray();
        var unknown = wanted.Where(oid => !known.ContainsKey(oid)).ToArray();
        if (unknown.Length > 0)
        {
            var rows = await ReadAsync(source, unknown, ct);
            foreach (uint oid in rows.Keys) known.TryAdd(oid, Resolve(oid, rows));
        }
        return wanted.ToDictionary(oid => oid, oid => known.GetValueOrDefault(oid, ColumnType.Text));
    }

    /// <param name="Base">The type a domain is based on, else 0.</param>
    /// <param name="Element">The element type of an array, else 0.</param>
    /// <param name="Delimiter">What separates the elements of an array.</param>
    /// <param name="IsEnum">Whether it is an enum.</param>
    readonly record struct TypeRow(uint Base, uint Element, char Delimiter, bool IsEnum);

    // Domains and arrays are finite chains (a domain's base and an array's element exist before them), so this ends.
    ColumnType Resolve(uint oid, Dictionary<uint, TypeRow> rows)
    {
        if (known.TryGetValue(oid, out var already)) return already;
        if (!rows.TryGetValue(oid, out var row)) return ColumnType.Text;
        if (row.Base != 0) return Resolve(row.Base, rows) is var based && based.DomainOf != 0 ? based : based with { DomainOf = row.Base };
        if (row.IsEnum) return ColumnType.Text with { IsEnum = true };
        return row.Element != 0 ? new ColumnType(ValueKind.Array, Resolve(row.Element, rows), row.Delimiter) : ColumnType.Text;
    }

    // int2vector and oidvector have an element type, too, but are not arrays in text form: true arrays are what their element names as its array.
    static async Task<Dictionary<uint, TypeRow>> ReadAsync(NpgsqlDataSource source, uint[] oids, CancellationToken ct)
    {
        await using var command = source.CreateCommand("""
            with recursive chain as (
              select unnest($1) as oid
              union
              select link.oid
              from chain
              join pg_type t on t.oid = chain.oid
              left join pg_type e on e.oid = t.typelem and e.typarray = t.oid
              cross join lateral (values (t.typbasetype), (e.oid)) as link (oid)
              where link.oid <> 0
            )
            select t.oid, t.typbasetype, coalesce(e.oid, 0::oid), coalesce(e.typdelim, ','), t.typtype = 'e'
            from chain
            join pg_type t on t.oid = chain.oid
            left join pg_type e on e.oid = t.typelem and e.typarray = t.oid
            """);
        command.Parameters.Add(new NpgsqlParameter { Value = oids, NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Oid });
        var rows = new Dictionary<uint, TypeRow>();
        await using var reader = await command.ExecuteReaderAsync(ct);
        while (await reader.ReadAsync(ct))
            rows.Add(reader.GetFieldValue<uint>(0), new TypeRow(reader.GetFieldValue<uint>(1), reader.GetFieldValue<uint>(2), reader.GetChar(3), reader.GetBoolean(4)));
        return rows;
    }
}
