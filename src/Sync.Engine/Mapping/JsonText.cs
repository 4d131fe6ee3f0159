using System.Buffers;
using System.Buffers.Text;
using Sync.Contracts.Configuration;
using Sync.Contracts.Rows;
using Sync.Engine.Resp;

namespace Sync.Engine.Mapping;

/// <summary>Renders PostgreSQL's text of a value as JSON, by the table in docs/configuration.md, without losing a digit.</summary>
static class JsonText
{
    static readonly SearchValues<byte> Escaped = SearchValues.Create(
        [.. Enumerable.Range(0, 32).Select(i => (byte)i), (byte)'"', (byte)'\\']);

    public static void Value(RespWriter output, ReadOnlySpan<byte> text, ColumnType type, NumericMode numericMode)
    {
        switch (type.Kind)
        {
            case ValueKind.Boolean:
                output.Raw(text is [(byte)'t', ..] ? "true"u8 : "false"u8);
                break;
            case ValueKind.Integer:
                output.Raw(text);
                break;
            case ValueKind.Float or ValueKind.Numeric:
                // NaN and the infinities have no JSON number; they start with a letter behind an optional sign.
                if (numericMode == NumericMode.Float && text.Length > 0 && text[^1] is >= (byte)'0' and <= (byte)'9') output.Raw(text);
                else String(output, text);
                break;
            case ValueKind.Json:
                output.Raw(text);
                break;
            case ValueKind.Bytea:
                Base64(output, text);
                break;
            case ValueKind.Timestamp or ValueKind.TimestampTz:
                Timestamp(output, text, type.Kind == ValueKind.TimestampTz);
                break;
            case ValueKind.Interval:
                IntervalText.WriteIso(output, text);
                break;
            case ValueKind.Array:
                ArrayText.WriteJson(output, text, type, numericMode);
                break;
            default:
                String(output, text);
                break;
        }
    }

    /// <summary>A JSON string (RFC 8259, section 7): only what must be escaped is.</summary>
    public static void String(RespWriter output, ReadOnlySpan<byte> text)
    {
        output.Byte((byte)'"');
        while (true)
        {
            int plain = text.IndexOfAny(Escaped);
            if (plain < 0) break;
            output.Raw(text[..plain]);
            Escape(output, text[plain]);
            text = text[(plain + 1)..];
        }
        output.Raw(text);
        output.Byte((byte)'"');
    }

    static void Escape(RespWriter output, byte c)
    {
        switch (c)
        {
            case (byte)'"': output.Raw("\\\""u8); break;
            case (byte)'\\': output.Raw("\\\\"u8); break;
            case (byte)'\n': output.Raw("\\n"u8); break;
            case (byte)'\r': output.Raw("\\r"u8); break;
            case (byte)'\t': output.Raw("\\t"u8); break;
            default:
                output.Raw("\\u00"u8);
                output.Byte((byte)('0' + (c >> 4)));
                output.Byte("0123456789abcdef"u8[c & 15]);
                break;
        }
    }

    /// <summary>bytea_output = hex gives <c>\x</c> and two digits a byte (PostgreSQL docs, "bytea Hex Format").</summary>
    static void Base64(RespWriter output, ReadOnlySpan<byte> hex)
    {
        if (!hex.StartsWith("\\x"u8)) { String(output, hex); return; }
        hex = hex[2..];
        output.Byte((byte)'"');
        Span<byte> bytes = stackalloc byte[768];
        while (hex.Length > 0)
        {
            int take = Math.Min(hex.Length, 2 * bytes.Length);
            Convert.FromHexString(hex[..take], bytes, out _, out int count);
            Base64Block(output, bytes[..count]);
            hex = hex[take..];
        }
        output.Byte((byte)'"');
    }

    static void Base64Block(RespWriter output, ReadOnlySpan<byte> bytes)
    {
        var target = output.GetSpan(System.Buffers.Text.Base64.GetMaxEncodedToUtf8Length(bytes.Length));
        System.Buffers.Text.Base64.EncodeToUtf8(bytes, target, out _, out int written);
        output.Advance(written);
    }

    /// <summary>
    /// ISO dates of PostgreSQL become RFC 3339 with all six digits of the microseconds: a T in the middle, and Z for the offset, which is always +00 because the session runs in UTC.
    /// Infinities and years before Christ stay PostgreSQL's text.
    /// </summary>
    static void Timestamp(RespWriter output, ReadOnlySpan<byte> text, bool withZone)
    {
        int space = text.IndexOf((byte)' ');
        bool rfc = space > 0 && !text.EndsWith("BC"u8) && (!withZone || text.EndsWith("+00"u8));
        if (!rfc) { String(output, text); return; }
        var clock = withZone ? text[(space + 1)..^3] : text[(space + 1)..];
        int point = clock.IndexOf((byte)'.');
        output.Byte((byte)'"');
        output.Raw(text[..space]);
        output.Byte((byte)'T');
        output.Raw(clock);
        // PostgreSQL leaves out trailing zeros; a fixed width sorts and compares as text.
        output.Raw(point < 0 ? ".000000"u8 : "000000"u8[..Math.Max(0, 6 - (clock.Length - point - 1))]);
        if (withZone) output.Byte((byte)'Z');
        output.Byte((byte)'"');
    }

    /// <summary>A moment in RFC 3339 with six digits of fraction, without quotes.</summary>
    public static void CommitTime(RespWriter output, DateTime utc)
    {
        var target = output.GetSpan(32);
        // "O" is 2026-01-01T00:00:00.1234567Z; PostgreSQL counts in microseconds, so the seventh digit is always zero.
        Utf8Formatter.TryFormat(utc, target, out int written, new StandardFormat('O'));
        target[written - 2] = (byte)'Z';
        output.Advance(written - 1);
    }
}
