using System.Collections.Frozen;
using Sync.Contracts.Rows;

namespace Sync.Postgres.Catalog;

/// <summary>
/// The types whose OIDs are fixed (PostgreSQL source, src/include/catalog/pg_type.dat; OIDs below 10000 never change), as
/// far as they are common, so that most relations need no look-up. Every other type is asked for.
/// </summary>
public static class BuiltinTypes
{
    // Kind, OID, OID of the array type.
    static readonly (ValueKind Kind, uint Oid, uint Array)[] types =
    [
        (ValueKind.Boolean, 16, 1000),
        (ValueKind.Bytea, 17, 1001),
        (ValueKind.Text, 18, 1002), // "char"
        (ValueKind.Text, 19, 1003), // name
        (ValueKind.Integer, 20, 1016), // int8
        (ValueKind.Integer, 21, 1005), // int2
        (ValueKind.Integer, 23, 1007), // int4
        (ValueKind.Text, 25, 1009), // text
        (ValueKind.Integer, 26, 1028), // oid
        (ValueKind.Json, 114, 199), // json
        (ValueKind.Text, 142, 143), // xml
        (ValueKind.Text, 600, 1017), // point
        (ValueKind.Text, 650, 651), // cidr
        (ValueKind.Float, 700, 1021), // float4
        (ValueKind.Float, 701, 1022), // float8
        (ValueKind.Text, 774, 775), // macaddr8
        (ValueKind.Text, 790, 791), // money
        (ValueKind.Text, 829, 1040), // macaddr
        (ValueKind.Text, 869, 1041), // inet
        (ValueKind.Text, 1042, 1014), // bpchar
        (ValueKind.Text, 1043, 1015), // varchar
        (ValueKind.Date, 1082, 1182),
        (ValueKind.Text, 1083, 1183), // time
        (ValueKind.Timestamp, 1114, 1115),
        (ValueKind.TimestampTz, 1184, 1185),
        (ValueKind.Interval, 1186, 1187),
        (ValueKind.Text, 1266, 1270), // timetz
        (ValueKind.Text, 1560, 1561), // bit
        (ValueKind.Text, 1562, 1563), // varbit
        (ValueKind.Numeric, 1700, 1231),
        (ValueKind.Text, 2950, 2951), // uuid
        (ValueKind.Text, 3614, 3643), // tsvector
        (ValueKind.Json, 3802, 3807), // jsonb
        (ValueKind.Text, 3904, 3905), // int4range
        (ValueKind.Text, 3906, 3907), // numrange
        (ValueKind.Text, 3908, 3909), // tsrange
        (ValueKind.Text, 3910, 3911), // tstzrange
        (ValueKind.Text, 3912, 3913), // daterange
        (ValueKind.Text, 3926, 3927), // int8range
    ];

    public static readonly FrozenDictionary<uint, ColumnType> ByOid = Build();

    static FrozenDictionary<uint, ColumnType> Build()
    {
        var all = new Dictionary<uint, ColumnType>
        {
            [603] = ColumnType.Text, // box, the one built-in type with another delimiter
            [1020] = new(ValueKind.Array, ColumnType.Text, ';'),
        };
        foreach (var (kind, oid, array) in types)
        {
            var type = kind == ValueKind.Text ? ColumnType.Text : new ColumnType(kind);
            all.Add(oid, type);
            all.Add(array, new ColumnType(ValueKind.Array, type));
        }
        return all.ToFrozenDictionary();
    }
}
