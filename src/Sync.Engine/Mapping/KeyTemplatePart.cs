using System.Text.RegularExpressions;
using Sync.Contracts.Rows;
using Sync.Engine.Mapping.Conditions;

namespace Sync.Engine.Mapping;

/// <summary>A piece of a <see cref="KeyTemplate"/>: text, the value of a column, or a value nobody can get back (column -1, no text).</summary>
readonly partial record struct KeyTemplatePart(string? Literal, int Column, Regex? Shape, bool IsEscaped = false)
{
    /// <summary>pg_type.oid of uuid, which renders as text but always looks the same.</summary>
    public const uint UuidOid = 2950;

    public static KeyTemplatePart Text(string literal) => new(literal, -1, null);

    public static KeyTemplatePart Unknown => new(null, -1, null);

    public static KeyTemplatePart Value(Relation relation, int column, bool isEscaped = false) => new(null, column, ShapeOf(relation.Columns[column]), isEscaped);

    /// <summary>Whether PostgreSQL can have written the column's value so.</summary>
    public bool Fits(string value) => Shape?.IsMatch(value) != false;

    static Regex? ShapeOf(RelationColumn column) => column.TypeOid == UuidOid ? Uuid() : column.Type.Kind switch
    {
        ValueKind.Text when ScalarKinds.Of(column) == ScalarKind.Time => Time(),
        ValueKind.Text when ScalarKinds.Of(column) is ScalarKind.MacAddress or ScalarKind.MacAddress8 => Hardware(),
        ValueKind.Integer => Integer(),
        ValueKind.Boolean => Boolean(),
        ValueKind.Numeric or ValueKind.Float => Number(),
        ValueKind.Date => Date(),
        ValueKind.Timestamp or ValueKind.TimestampTz => Moment(),
        ValueKind.Bytea => Bytea(),
        _ => null,
    };

    // The texts of PostgreSQL's output functions with ISO dates (PostgreSQL docs, "Data Types").
    [GeneratedRegex(@"\A(?:0|-?[1-9][0-9]*)\z")]
    private static partial Regex Integer();

    [GeneratedRegex(@"\A(?:true|false)\z")]
    private static partial Regex Boolean();

    [GeneratedRegex(@"\A(?:-?[0-9]+(?:\.[0-9]+)?(?:e[+-][0-9]+)?|NaN|-?Infinity)\z")]
    private static partial Regex Number();

    [GeneratedRegex(@"\A(?:[0-9]{4,}-[0-9]{2}-[0-9]{2}(?: BC)?|-?infinity)\z")]
    private static partial Regex Date();

    [GeneratedRegex(@"\A(?:[0-9]{4,}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?(?:[+-][0-9]{2}(?::[0-9]{2}){0,2})?(?: BC)?|-?infinity)\z")]
    private static partial Regex Moment();

    [GeneratedRegex(@"\A[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?\z")]
    private static partial Regex Time();

    [GeneratedRegex(@"\A[0-9a-f]{2}(?:(?::[0-9a-f]{2}){5}|(?::[0-9a-f]{2}){7})\z")]
    private static partial Regex Hardware();

    [GeneratedRegex(@"\A\\x(?:[0-9a-f]{2})*\z")]
    private static partial Regex Bytea();

    [GeneratedRegex(@"\A[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\z")]
    private static partial Regex Uuid();
}
