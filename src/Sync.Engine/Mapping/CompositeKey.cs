using System.Buffers;
using System.Text;
using Sync.Contracts.Rows;
using Sync.Engine.Mapping.Conditions;
using Sync.Engine.Resp;

namespace Sync.Engine.Mapping;

/// <summary>
/// Joins the values of several columns by <c>:</c> so that two rows never give one text: see docs/adr/0026. A value that may hold a <c>:</c> itself and
/// has another such value behind it is escaped; all others stay as they are.
/// </summary>
static class CompositeKey
{
    static readonly SearchValues<byte> special = SearchValues.Create(":\\"u8);

    /// <summary>Which of the columns, joined in this order, have to be escaped. False for all but the last of those that may hold any text.</summary>
    public static bool[] Escapes(Relation relation, IReadOnlyList<int> columns)
    {
        int last = columns.Count - 1;
        while (last >= 0 && !HoldsAnyText(relation.Columns[columns[last]])) last--;
        return [.. columns.Select((column, i) => i < last && HoldsAnyText(relation.Columns[column]))];
    }

    /// <summary>Whether a value may hold a colon at any place. Times and hardware addresses hold a fixed number, so where they end is known.</summary>
    public static bool HoldsAnyText(RelationColumn column) => ScalarKinds.Of(column) is not (
        ScalarKind.Boolean or ScalarKind.Whole or ScalarKind.Oid or ScalarKind.Numeric or ScalarKind.Real or ScalarKind.Double or ScalarKind.Bytea
        or ScalarKind.Date or ScalarKind.Timestamp or ScalarKind.TimestampTz or ScalarKind.Time or ScalarKind.Uuid
        or ScalarKind.MacAddress or ScalarKind.MacAddress8 or ScalarKind.Bits);

    /// <summary>Writes a value with a backslash before each colon and backslash.</summary>
    public static void WriteEscaped(RespWriter output, ReadOnlySpan<byte> value)
    {
        for (int at = value.IndexOfAny(special); at >= 0; at = value.IndexOfAny(special))
        {
            output.Raw(value[..at]);
            output.Byte((byte)'\\');
            output.Byte(value[at]);
            value = value[(at + 1)..];
        }
        output.Raw(value);
    }

    /// <summary>What <see cref="WriteEscaped"/> was given; null when it can't have made the text.</summary>
    public static string? Unescape(ReadOnlySpan<char> text)
    {
        if (text.IndexOfAny(':', '\\') < 0) return text.ToString();
        var plain = new StringBuilder(text.Length);
        for (int i = 0; i < text.Length; i++)
        {
            if (text[i] == ':') return null;
            if (text[i] == '\\' && (++i == text.Length || text[i] is not (':' or '\\'))) return null;
            plain.Append(text[i]);
        }
        return plain.ToString();
    }
}
