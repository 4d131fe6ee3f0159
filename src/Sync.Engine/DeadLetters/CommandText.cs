using System.Globalization;
using System.Text;

namespace Sync.Engine.DeadLetters;

/// <summary>
/// Shows recorded commands to people, on one line: <c>HSET orders:7 note "two\r\nlines" photo (binary, 12,345 bytes, ffd8ffe0…)</c>.
/// Texts that could be misread are quoted and escaped, long values and long lists are cut, and several commands are parted by <c> | </c>.
/// </summary>
public static class CommandText
{
    const int MaxArguments = 64;
    const int BinaryPreviewBytes = 8;

    static readonly UTF8Encoding Utf8 = new(false, throwOnInvalidBytes: true);

    /// <param name="commands">RESP bytes. Bytes that are no commands give a text that says so.</param>
    /// <param name="maxValueChars">Where a value is cut; 8 or more.</param>
    /// <param name="maxChars">Where the whole is cut; 32 or more.</param>
    public static string Describe(ReadOnlySpan<byte> commands, int maxValueChars = 64, int maxChars = 2000)
    {
        var text = new StringBuilder();
        try
        {
            var reader = new CommandReader(commands);
            while (reader.TryReadCommand(out int arguments))
            {
                if (text.Length > maxChars) break;
                if (text.Length > 0) text.Append(" | ");
                for (int i = 0; i < arguments; i++)
                {
                    var value = reader.ReadArgument();
                    if (i < MaxArguments)
                        Append(i > 0 ? text.Append(' ') : text, value, maxValueChars);
                    else if (i == MaxArguments)
                        text.Append(CultureInfo.InvariantCulture, $" … ({arguments - MaxArguments} more)");
                }
            }
        }
        catch (FormatException error)
        {
            text.Append(CultureInfo.InvariantCulture, $" (unreadable: {error.Message})");
        }
        if (text.Length > maxChars)
        {
            text.Length = char.IsHighSurrogate(text[maxChars - 1]) ? maxChars - 1 : maxChars;
            text.Append('…');
        }
        return text.ToString();
    }

    /// <summary>The names of the commands, in order.</summary>
    /// <exception cref="FormatException">The bytes are no commands.</exception>
    public static IReadOnlyList<string> Names(ReadOnlySpan<byte> commands)
    {
        var names = new List<string>();
        var reader = new CommandReader(commands);
        while (reader.TryReadCommand(out int arguments))
            for (int i = 0; i < arguments; i++)
            {
                var value = reader.ReadArgument();
                if (i == 0) names.Add(Encoding.UTF8.GetString(value));
            }
        return names;
    }

    /// <summary>Shows one value in the same way.</summary>
    /// <param name="value">Any bytes.</param>
    /// <param name="maxChars">Where it is cut; 8 or more.</param>
    public static string Value(ReadOnlySpan<byte> value, int maxChars = 64)
    {
        var text = new StringBuilder();
        Append(text, value, maxChars);
        return text.ToString();
    }

    static void Append(StringBuilder text, ReadOnlySpan<byte> value, int maxChars)
    {
        // A character takes at most four bytes, so this many bytes are enough to fill what is shown; the cut may split the last one.
        bool cut = value.Length > 4 * maxChars;
        var shown = cut ? value[..(4 * maxChars)] : value;
        string decoded;
        try
        {
            if (cut) shown = shown[..WholeCharacters(shown)];
            decoded = Utf8.GetString(shown);
        }
        catch (DecoderFallbackException)
        {
            AppendBinary(text, value);
            return;
        }
        if (decoded.Contains('\0'))
        {
            AppendBinary(text, value);
            return;
        }
        if (decoded.Length > maxChars)
        {
            decoded = decoded[..(char.IsHighSurrogate(decoded[maxChars - 1]) ? maxChars - 1 : maxChars)];
            cut = true;
        }
        if (decoded.Length > 0 && !decoded.Any(NeedsQuotes))
            text.Append(decoded);
        else
            AppendQuoted(text, decoded);
        if (cut) text.Append(CultureInfo.InvariantCulture, $"…({value.Length:N0} bytes)");
    }

    static void AppendBinary(StringBuilder text, ReadOnlySpan<byte> value)
    {
        string hex = Convert.ToHexStringLower(value[..Math.Min(value.Length, BinaryPreviewBytes)]);
        text.Append(CultureInfo.InvariantCulture, $"(binary, {value.Length:N0} bytes, {hex}{(value.Length > BinaryPreviewBytes ? "…" : "")})");
    }

    static void AppendQuoted(StringBuilder text, string decoded)
    {
        text.Append('"');
        foreach (char c in decoded)
        {
            switch (c)
            {
                case '"': text.Append("\\\""); break;
                case '\\': text.Append("\\\\"); break;
                case '\r': text.Append("\\r"); break;
                case '\n': text.Append("\\n"); break;
                case '\t': text.Append("\\t"); break;
                default:
                    if (IsInvisible(c)) text.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}");
                    else text.Append(c);
                    break;
            }
        }
        text.Append('"');
    }

    static bool NeedsQuotes(char c) => char.IsWhiteSpace(c) || c is '"' or '\\' or '|' or '(' || IsInvisible(c);

    /// <summary>Control and formatting characters: they would act on the terminal instead of showing.</summary>
    static bool IsInvisible(char c) =>
        char.IsControl(c) || char.GetUnicodeCategory(c) is UnicodeCategory.Format or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator;

    /// <summary>Length without a character that the end cuts in two.</summary>
    static int WholeCharacters(ReadOnlySpan<byte> bytes)
    {
        int end = bytes.Length;
        int back = 0;
        while (back < 4 && end > 0 && (bytes[end - 1] & 0xC0) == 0x80)
        {
            end--;
            back++;
        }
        if (end == 0) return bytes.Length;
        int needed = bytes[end - 1] switch { >= 0xF0 => 4, >= 0xE0 => 3, >= 0xC0 => 2, _ => 1 };
        return needed > back + 1 ? end - 1 : bytes.Length;
    }
}
