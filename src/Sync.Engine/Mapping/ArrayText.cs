using Sync.Contracts.Configuration;
using Sync.Contracts.Rows;
using Sync.Engine.Resp;

namespace Sync.Engine.Mapping;

/// <summary>PostgreSQL's array text (PostgreSQL docs, "Array Input and Output Syntax") as a JSON array.</summary>
static class ArrayText
{
    /// <summary>Deeper nesting than PostgreSQL's limit of 6 dimensions means the text is no array.</summary>
    const int MaxDepth = 6;

    public static void WriteJson(RespWriter output, ReadOnlySpan<byte> text, ColumnType type, NumericMode numericMode)
    {
        int start = output.Length;
        // Bounds other than 1 stand in front: [0:2]={1,2,3}.
        int at = text is [(byte)'[', ..] ? text.IndexOf((byte)'=') + 1 : 0;
        if (TryArray(output, text, ref at, type, numericMode, 1) && at == text.Length) return;
        output.Truncate(start);
        JsonText.String(output, text);
    }

    static bool TryArray(RespWriter output, ReadOnlySpan<byte> text, ref int at, ColumnType type, NumericMode numericMode, int depth)
    {
        if (depth > MaxDepth || at >= text.Length || text[at++] != '{') return false;
        output.Byte((byte)'[');
        for (bool first = true; at < text.Length; first = false)
        {
            if (text[at] == '}')
            {
                at++;
                output.Byte((byte)']');
                return true;
            }
            if (!first)
            {
                if (text[at] != type.Delimiter) return false;
                at++;
                output.Byte((byte)',');
            }
            if (at >= text.Length) return false;
            bool done = text[at] == '{'
                ? TryArray(output, text, ref at, type, numericMode, depth + 1)
                : TryElement(output, text, ref at, type, numericMode);
            if (!done) return false;
        }
        return false;
    }

    static bool TryElement(RespWriter output, ReadOnlySpan<byte> text, ref int at, ColumnType type, NumericMode numericMode)
    {
        var element = type.Element ?? ColumnType.Text;
        if (text[at] == '"') return TryQuoted(output, text, ref at, element, numericMode);
        int length = text[at..].IndexOfAny((byte)type.Delimiter, (byte)'}');
        if (length < 0) return false;
        var value = text.Slice(at, length);
        at += length;
        if (value.SequenceEqual("NULL"u8)) output.Raw("null"u8);
        else JsonText.Value(output, value, element, numericMode);
        return true;
    }

    static bool TryQuoted(RespWriter output, ReadOnlySpan<byte> text, ref int at, ColumnType element, NumericMode numericMode)
    {
        int begin = ++at;
        bool escaped = false;
        while (at < text.Length && text[at] != '"')
        {
            bool backslash = text[at] == '\\';
            escaped |= backslash;
            at += backslash ? 2 : 1;
        }
        if (at >= text.Length) return false;
        var value = text[begin..at++];
        JsonText.Value(output, escaped ? Unescape(value) : value, element, numericMode);
        return true;
    }

    static byte[] Unescape(ReadOnlySpan<byte> value)
    {
        var plain = new List<byte>(value.Length);
        for (int i = 0; i < value.Length; i++)
        {
            if (value[i] == '\\') i++;
            plain.Add(value[i]);
        }
        return [.. plain];
    }
}
