namespace Sync.Contracts.Rows;

/// <summary>How a PostgreSQL type is rendered; several types share a kind. The wire carries every value as PostgreSQL's text.</summary>
public enum ValueKind : byte
{
    /// <summary>Text, varchar, enum, range, money, bit, composite, network and every type not named below.</summary>
    Text,
    Boolean,
    /// <summary>int2, int4, int8, oid.</summary>
    Integer,
    /// <summary>float4, float8.</summary>
    Float,
    Numeric,
    /// <summary>json, jsonb.</summary>
    Json,
    Bytea,
    Date,
    Timestamp,
    TimestampTz,
    Interval,
    Array,
}

/// <summary>
/// The part of a column's type that rendering needs. A domain counts as its base type.
/// </summary>
/// <param name="Kind">How to render.</param>
/// <param name="Element">The element type when <paramref name="Kind"/> is <see cref="ValueKind.Array"/>, else null.</param>
/// <param name="Delimiter">What separates array elements in the text form: <c>,</c> for all built-in types but box.</param>
/// <param name="DomainOf">pg_type.oid of what a domain is based on, through all domains; 0 when the type is no domain.</param>
/// <param name="IsEnum">Whether it is an enum, whose order stands in the catalog.</param>
public sealed record ColumnType(ValueKind Kind, ColumnType? Element = null, char Delimiter = ',', uint DomainOf = 0, bool IsEnum = false)
{
    public static readonly ColumnType Text = new(ValueKind.Text);
}
