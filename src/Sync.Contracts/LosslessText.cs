using System.Text;
using System.Text.Unicode;

namespace Sync.Contracts;

/// <summary>
/// Bytes that are UTF-8 as a rule, as a string that leads back to exactly these bytes. A database in SQL_ASCII and a key in Redis may hold anything: each byte that is no UTF-8 becomes a
/// lone surrogate (U+DC80 to U+DCFF), which no text has, so that two keys never look the same and a key is found again under its bytes.
/// </summary>
public static class LosslessText
{
    const char offset = '\uDC00';

    public static string GetString(ReadOnlySpan<byte> bytes)
    {
        if (Utf8.IsValid(bytes)) return Encoding.UTF8.GetString(bytes);
        var text = new StringBuilder(bytes.Length);
        while (bytes.Length > 0)
        {
            bool isRune = Rune.DecodeFromUtf8(bytes, out var rune, out int consumed) == System.Buffers.OperationStatus.Done;
            if (isRune) text.Append(rune);
            else
                foreach (byte b in bytes[..consumed]) text.Append((char)(offset + b));
            bytes = bytes[consumed..];
        }
        return text.ToString();
    }

    public static byte[] GetBytes(string text)
    {
        int count = 0;
        byte[] bytes = new byte[Encoding.UTF8.GetMaxByteCount(text.Length)];
        for (int i = 0; i < text.Length; i++)
        {
            if (IsByte(text, i, out byte single)) bytes[count++] = single;
            else if (Rune.TryGetRuneAt(text, i, out var rune))
            {
                count += rune.EncodeToUtf8(bytes.AsSpan(count));
                i += rune.Utf16SequenceLength - 1;
            }
            else count += Rune.ReplacementChar.EncodeToUtf8(bytes.AsSpan(count));
        }
        return bytes[..count];
    }

    /// <summary>Whether there may be a byte that is no UTF-8.</summary>
    public static bool MayHoldBytes(string text) => text.AsSpan().IndexOfAnyInRange('\uDC80', '\uDCFF') >= 0;

    /// <summary>Whether a byte that is no UTF-8 stands here. The second half of a pair is passed over with its first one.</summary>
    public static bool IsByte(string text, int index, out byte value)
    {
        value = unchecked((byte)(text[index] - offset));
        return text[index] is >= '\uDC80' and <= '\uDCFF' && (index == 0 || !char.IsHighSurrogate(text[index - 1]));
    }
}
