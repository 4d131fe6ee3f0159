using Sync.Contracts.Rows;

namespace Sync.Engine.Mapping.Conditions;

/// <summary>How a PostgreSQL type orders its values. None: conditions can't compare them as PostgreSQL does.</summary>
enum ScalarKind
{
    None, Text, Varchar, Name, PaddedText, Char, Enum, Boolean, Whole, Oid, Numeric, Real, Double, Bytea, Date, Timestamp, TimestampTz, Time, TimeTz, Interval,
    Uuid, Inet, Cidr, MacAddress, MacAddress8, Bits, Json,
}

static class ScalarKinds
{
    /// <summary>By pg_type.oid (PostgreSQL source, src/include/catalog/pg_type.dat); a domain counts as its base type.</summary>
    public static ScalarKind Of(RelationColumn column)
    {
        if (column.Type.IsEnum) return ScalarKind.Enum;
        return OidOf(column) switch
        {
            16 => ScalarKind.Boolean,
            17 => ScalarKind.Bytea,
            18 => ScalarKind.Char,
            19 => ScalarKind.Name,
            20 or 21 or 23 => ScalarKind.Whole,
            25 => ScalarKind.Text,
            26 => ScalarKind.Oid,
            650 => ScalarKind.Cidr,
            700 => ScalarKind.Real,
            701 => ScalarKind.Double,
            774 => ScalarKind.MacAddress8,
            829 => ScalarKind.MacAddress,
            869 => ScalarKind.Inet,
            1042 => ScalarKind.PaddedText,
            1043 => ScalarKind.Varchar,
            1082 => ScalarKind.Date,
            1083 => ScalarKind.Time,
            1114 => ScalarKind.Timestamp,
            1184 => ScalarKind.TimestampTz,
            1186 => ScalarKind.Interval,
            1266 => ScalarKind.TimeTz,
            1560 or 1562 => ScalarKind.Bits,
            1700 => ScalarKind.Numeric,
            2950 => ScalarKind.Uuid,
            3802 => ScalarKind.Json,
            0 => ByRendering(column.Type.Kind),
            _ => ScalarKind.None,
        };
    }

    /// <summary>The type as a message names it: "int8", "an array", "of a type that is not built in (oid 16400)".</summary>
    public static string NameOf(RelationColumn column) => column.Type switch
    {
        { IsEnum: true } => "an enum",
        { Kind: ValueKind.Array } => "an array",
        _ => OidOf(column) switch
        {
            16 => "boolean",
            17 => "bytea",
            18 => "\"char\"",
            19 => "name",
            20 => "bigint",
            21 => "smallint",
            23 => "integer",
            25 => "text",
            26 => "oid",
            114 => "json",
            142 => "xml",
            600 => "point",
            650 => "cidr",
            700 => "real",
            701 => "double precision",
            774 => "macaddr8",
            790 => "money",
            829 => "macaddr",
            869 => "inet",
            1042 => "char(n)",
            1043 => "varchar",
            1082 => "date",
            1083 => "time",
            1114 => "timestamp",
            1184 => "timestamp with time zone",
            1186 => "interval",
            1266 => "time with time zone",
            1560 => "bit(n)",
            1562 => "bit varying",
            1700 => "numeric",
            2950 => "uuid",
            3802 => "jsonb",
            3904 or 3906 or 3908 or 3910 or 3912 or 3926 => "a range",
            0 => column.Type.Kind.ToString().ToLowerInvariant(),
            var oid and < 16384 => $"of PostgreSQL's type with oid {oid}",
            var oid => $"of a type that is not built in (oid {oid})",
        },
    };

    /// <summary>Whether PostgreSQL compares the two as this project does: right beside left, without a cast.</summary>
    public static bool Meet(ScalarKind left, ScalarKind right) => Group(left) switch
    {
        // What stands beside a text is compared by its text, whatever it is.
        ScalarKind.Text => true,
        ScalarKind.None => false,
        var group => group == Group(right),
    };

    static ScalarKind Group(ScalarKind kind) => kind switch
    {
        ScalarKind.Varchar or ScalarKind.Name or ScalarKind.PaddedText => ScalarKind.Text,
        ScalarKind.Whole or ScalarKind.Real or ScalarKind.Double => ScalarKind.Numeric,
        ScalarKind.Date or ScalarKind.TimestampTz => ScalarKind.Timestamp,
        ScalarKind.TimeTz => ScalarKind.Time,
        ScalarKind.Cidr => ScalarKind.Inet,
        _ => kind,
    };

    static uint OidOf(RelationColumn column) => column.Type.DomainOf != 0 ? column.Type.DomainOf : column.TypeOid;

    static ScalarKind ByRendering(ValueKind kind) => kind switch
    {
        ValueKind.Text => ScalarKind.Text,
        ValueKind.Boolean => ScalarKind.Boolean,
        ValueKind.Integer => ScalarKind.Whole,
        ValueKind.Float => ScalarKind.Double,
        ValueKind.Numeric => ScalarKind.Numeric,
        ValueKind.Bytea => ScalarKind.Bytea,
        ValueKind.Date => ScalarKind.Date,
        ValueKind.Timestamp => ScalarKind.Timestamp,
        ValueKind.TimestampTz => ScalarKind.TimestampTz,
        ValueKind.Interval => ScalarKind.Interval,
        _ => ScalarKind.None,
    };
}
