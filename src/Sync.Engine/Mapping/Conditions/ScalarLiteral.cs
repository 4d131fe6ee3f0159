using System.Text;

namespace Sync.Engine.Mapping.Conditions;

/// <summary>Reads the constants of conditions once, as <c>'text'::type</c> would be read, into the form in which PostgreSQL sends values.</summary>
static class ScalarLiteral
{
    /// <summary>name keeps so many bytes (PostgreSQL docs, "Character Types").</summary>
    const int NameBytes = 63;

    /// <summary>Null when the text is no value of the type.</summary>
    public static byte[]? Read(ScalarKind kind, byte[] text)
    {
        var word = text.AsSpan()[Ascii.Trim(text)];
        switch (kind)
        {
            case ScalarKind.Text or ScalarKind.Varchar or ScalarKind.PaddedText or ScalarKind.Enum:
                return text;
            case ScalarKind.Name:
                return Truncate(text);
            case ScalarKind.Char:
                return text.Length <= 1 && Ascii.IsValid(text) ? text : null;
            case ScalarKind.Boolean:
                return Boolean(word);
            case ScalarKind.Whole or ScalarKind.Numeric:
                return DecimalText.IsNumber(Number(word)) ? Number(word) : null;
            case ScalarKind.Oid:
                return uint.TryParse(word, System.Globalization.NumberStyles.None, null, out _) ? word.ToArray() : null;
            case ScalarKind.Real or ScalarKind.Double:
                return IsInRange(kind, Number(word)) ? Number(word) : null;
            case ScalarKind.Bytea:
                return Bytes(text);
            case ScalarKind.Uuid:
                return Uuid(word);
            case ScalarKind.MacAddress or ScalarKind.MacAddress8:
                return Mac(word, kind == ScalarKind.MacAddress ? 6 : 8);
            case ScalarKind.Bits:
                return word.ContainsAnyExcept("01"u8) ? null : word.ToArray();
            case ScalarKind.Json:
                return JsonEquality.IsDocument(text) ? text : null;
            case ScalarKind.Cidr:
                return NetworkAddress.TryParse(text, out var network) && network.IsNetwork ? text : null;
            default:
                return ScalarOrder.Compare(kind, text, kind, text) == 0 ? text : null;
        }
    }

    /// <summary>How constants of a type are written, for the message that refuses one.</summary>
    public static string Example(ScalarKind kind) => kind switch
    {
        ScalarKind.Boolean => "true or false",
        ScalarKind.Whole or ScalarKind.Numeric or ScalarKind.Real or ScalarKind.Double => "1.5, 1e6, NaN or Infinity, within the type's range",
        ScalarKind.Oid => "a whole number from 0 to 4294967295",
        ScalarKind.Char => "one ASCII character",
        ScalarKind.Bytea => @"\x00ff",
        ScalarKind.Date => "2026-12-31, 0044-03-15 BC or infinity",
        ScalarKind.Timestamp => "2026-12-31 23:59:59.5, 0044-03-15 BC or infinity",
        ScalarKind.TimestampTz => "2026-12-31 23:59:59.5+02 (without an offset it is in UTC), 0044-03-15 BC or infinity",
        ScalarKind.Time => "23:59:59.5",
        ScalarKind.TimeTz => "23:59:59.5+02 (without an offset it is in UTC)",
        ScalarKind.Interval => "1 year 2 mons 3 days 04:05:06.5",
        ScalarKind.Uuid => "0b05a3a0-2c8e-4c1a-9d5e-3b6f0a7c1d2e",
        ScalarKind.Inet => "192.168.0.1, 192.168.0.0/24 or 2001:db8::1",
        ScalarKind.Cidr => "192.168.0.0/24 or 2001:db8::/32, with no bits behind the network's",
        ScalarKind.MacAddress => "08:00:2b:01:02:03",
        ScalarKind.MacAddress8 => "08:00:2b:01:02:03:04:05",
        ScalarKind.Bits => "0101",
        ScalarKind.Json => "a JSON document, with braces doubled",
        _ => "a text",
    };

    static byte[] Truncate(byte[] text)
    {
        if (text.Length <= NameBytes) return text;
        int length = NameBytes;
        // Not within a character: bytes of UTF-8 that go on with one begin with 10.
        while (length > 0 && (text[length] & 0xC0) == 0x80) length--;
        return text[..length];
    }

    /// <summary>Any beginning of a word that says which it is (PostgreSQL docs, "Boolean Type").</summary>
    static byte[]? Boolean(ReadOnlySpan<byte> word)
    {
        if (Begins("true"u8, word, 1) || Begins("yes"u8, word, 1) || Begins("on"u8, word, 2) || word is [(byte)'1']) return "true"u8.ToArray();
        if (Begins("false"u8, word, 1) || Begins("no"u8, word, 1) || Begins("off"u8, word, 2) || word is [(byte)'0']) return "false"u8.ToArray();
        return null;

        static bool Begins(ReadOnlySpan<byte> spelling, ReadOnlySpan<byte> word, int fewest) =>
            word.Length >= fewest && word.Length <= spelling.Length && Ascii.EqualsIgnoreCase(spelling[..word.Length], word);
    }

    /// <summary>The special numbers in the spelling that PostgreSQL sends.</summary>
    static byte[] Number(ReadOnlySpan<byte> word)
    {
        bool isNegative = word is [(byte)'-', ..];
        var rest = word is [(byte)'-' or (byte)'+', ..] ? word[1..] : word;
        if (Ascii.EqualsIgnoreCase(rest, "nan"u8) && rest.Length == word.Length) return "NaN"u8.ToArray();
        if (Ascii.EqualsIgnoreCase(rest, "infinity"u8) || Ascii.EqualsIgnoreCase(rest, "inf"u8))
            return isNegative ? "-Infinity"u8.ToArray() : "Infinity"u8.ToArray();
        return word.ToArray();
    }

    /// <summary>A number that becomes infinite, or zero, only because the type can't hold it is an error in PostgreSQL.</summary>
    static bool IsInRange(ScalarKind kind, byte[] number)
    {
        if (number is [.., (byte)'y'] or [(byte)'N', ..]) return DecimalText.IsNumber(number);
        if (!DecimalText.IsNumber(number) || ScalarOrder.Float(kind, number) is not { } value || double.IsInfinity(value)) return false;
        return value != 0 || DecimalText.Compare(number, "0"u8) == 0;
    }

    /// <summary>Both input forms (PostgreSQL docs, "Binary Data Types") as <c>\x</c> and lower-case digits.</summary>
    static byte[]? Bytes(ReadOnlySpan<byte> text)
    {
        if (text.StartsWith("\\x"u8))
        {
            string digits = Encoding.ASCII.GetString(text[2..]);
            return digits.Length % 2 == 0 && digits.All(char.IsAsciiHexDigit) ? Encoding.ASCII.GetBytes($"\\x{digits.ToLowerInvariant()}") : null;
        }
        var bytes = new List<byte>(text.Length);
        for (int i = 0; i < text.Length; i++)
        {
            if (text[i] != '\\') bytes.Add(text[i]);
            else if (text[i..] is [_, (byte)'\\', ..]) bytes.Add(text[++i]);
            else if (text[i..] is [_, >= (byte)'0' and <= (byte)'3', >= (byte)'0' and <= (byte)'7', >= (byte)'0' and <= (byte)'7', ..])
            {
                bytes.Add(ScalarOrder.CharOf(text.Slice(i, 4)));
                i += 3;
            }
            else return null;
        }
        return Encoding.ASCII.GetBytes($"\\x{Convert.ToHexStringLower([.. bytes])}");
    }

    static byte[]? Uuid(ReadOnlySpan<byte> word)
    {
        string text = Encoding.UTF8.GetString(word).ToLowerInvariant();
        if (text.Length > 2 && text[0] == '{' && text[^1] == '}') text = text[1..^1];
        return Guid.TryParseExact(text, "D", out var uuid) || Guid.TryParseExact(text, "N", out uuid) ? Encoding.ASCII.GetBytes(uuid.ToString("D")) : null;
    }

    static byte[]? Mac(ReadOnlySpan<byte> word, int length)
    {
        string text = Encoding.UTF8.GetString(word).ToLowerInvariant();
        char separator = text.Contains('-') ? '-' : ':';
        string[] parts = text.Contains(separator) ? text.Split(separator) : [.. text.Chunk(2).Select(pair => new string(pair))];
        return parts.Length == length && parts.All(p => p.Length == 2 && p.All(char.IsAsciiHexDigit)) ? Encoding.ASCII.GetBytes(string.Join(':', parts)) : null;
    }
}
