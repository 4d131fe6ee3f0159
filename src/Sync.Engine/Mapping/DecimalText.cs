using System.Globalization;
using System.Numerics;
using Sync.Engine.Resp;

namespace Sync.Engine.Mapping;

/// <summary>
/// Exact arithmetic on PostgreSQL's text of numbers: integers, numeric of any precision, and the exponent form of floats.
/// </summary>
static class DecimalText
{
    /// <summary>The largest exponent or scale taken; PostgreSQL's numeric ends at 131,072 digits before the point and 16,383 after it.</summary>
    const int MaxScale = 150_000;

    /// <summary>Digits that fit a long, and of two such numbers at any scales an Int128.</summary>
    const int SmallDigits = 18;

    /// <summary>Writes <paramref name="minuend"/> minus <paramref name="subtrahend"/>; false, and nothing written, when either is not a finite number.</summary>
    public static bool TrySubtract(ReadOnlySpan<byte> minuend, ReadOnlySpan<byte> subtrahend, RespWriter output)
    {
        if (TrySmall(minuend, out long a, out int scaleA) && TrySmall(subtrahend, out long b, out int scaleB))
        {
            int scale = Math.Max(scaleA, scaleB);
            Write(output, Scaled(a, scale - scaleA) - Scaled(b, scale - scaleB), scale);
            return true;
        }
        if (Subtract(minuend, subtrahend) is not { } difference) return false;
        output.Text(difference);
        return true;
    }

    /// <summary><paramref name="minuend"/> minus <paramref name="subtrahend"/>; null when either is not a finite number.</summary>
    public static string? Subtract(ReadOnlySpan<byte> minuend, ReadOnlySpan<byte> subtrahend)
    {
        if (long.TryParse(minuend, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long a)
            && long.TryParse(subtrahend, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long b))
        {
            var difference = (Int128)a - b;
            return difference.ToString(CultureInfo.InvariantCulture);
        }
        if (!TryParse(minuend, out var left, out int leftScale) || !TryParse(subtrahend, out var right, out int rightScale)) return null;
        Align(ref left, ref leftScale, ref right, ref rightScale);
        return Format(left - right, leftScale);
    }

    /// <summary>
    /// Compares as PostgreSQL orders numbers: -Infinity first, then the finite ones, Infinity, and NaN last and equal to itself.
    /// Null when either is no number at all.
    /// </summary>
    public static int? Compare(ReadOnlySpan<byte> a, ReadOnlySpan<byte> b)
    {
        if (long.TryParse(a, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long x)
            && long.TryParse(b, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long y))
            return x.CompareTo(y);
        if (TrySmall(a, out x, out int smallA) && TrySmall(b, out y, out int smallB))
            return Scaled(x, Math.Max(0, smallB - smallA)).CompareTo(Scaled(y, Math.Max(0, smallA - smallB)));
        int rankA = Rank(a), rankB = Rank(b);
        if (rankA != 0 || rankB != 0)
            return (rankA != 0 || TryParse(a, out _, out _)) && (rankB != 0 || TryParse(b, out _, out _)) ? rankA.CompareTo(rankB) : null;
        if (!TryParse(a, out var left, out int leftScale) || !TryParse(b, out var right, out int rightScale)) return null;
        Align(ref left, ref leftScale, ref right, ref rightScale);
        return left.CompareTo(right);
    }

    public static bool IsNumber(ReadOnlySpan<byte> text) => Rank(text) != 0 || TryParse(text, out _, out _);

    static int Rank(ReadOnlySpan<byte> text)
    {
        if (text.SequenceEqual("NaN"u8)) return 2;
        if (text.SequenceEqual("Infinity"u8)) return 1;
        return text.SequenceEqual("-Infinity"u8) ? -1 : 0;
    }

    /// <summary>A plain number of few digits, as nearly all are: value = unscaled / 10^scale.</summary>
    static bool TrySmall(ReadOnlySpan<byte> text, out long unscaled, out int scale)
    {
        (unscaled, scale) = (0, 0);
        bool isNegative = text.Length > 0 && text[0] == '-';
        int digits = 0, point = -1;
        for (int i = isNegative ? 1 : 0; i < text.Length; i++)
        {
            int digit = text[i] - '0';
            if ((uint)digit <= 9)
            {
                if (++digits > SmallDigits) return false;
                unscaled = 10 * unscaled + digit;
            }
            else if (text[i] == '.' && point < 0) point = i;
            else return false;
        }
        if (isNegative) unscaled = -unscaled;
        if (point >= 0) scale = text.Length - point - 1;
        return digits > 0;
    }

    static Int128 Scaled(long unscaled, int by)
    {
        Int128 scaled = unscaled;
        for (; by > 0; by--) scaled *= 10;
        return scaled;
    }

    static void Write(RespWriter output, Int128 unscaled, int scale)
    {
        Span<byte> text = stackalloc byte[48];
        int at = text.Length;
        var rest = (UInt128)Int128.Abs(unscaled);
        for (int place = 0; place <= scale || rest != 0; place++)
        {
            if (place == scale && scale > 0) text[--at] = (byte)'.';
            // Division of 128 bits is slow, and hardly ever needed.
            (rest, byte digit) = rest <= ulong.MaxValue ? ((ulong)rest / 10, (byte)((ulong)rest % 10)) : (rest / 10, (byte)(rest % 10));
            text[--at] = (byte)('0' + digit);
        }
        if (unscaled < 0) text[--at] = (byte)'-';
        output.Raw(text[at..]);
    }

    /// <summary>value = unscaled / 10^scale.</summary>
    static bool TryParse(ReadOnlySpan<byte> text, out BigInteger unscaled, out int scale)
    {
        unscaled = default;
        scale = 0;
        int exponent = 0;
        int e = text.IndexOfAny((byte)'e', (byte)'E');
        if (e >= 0)
        {
            if (!int.TryParse(text[(e + 1)..], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out exponent)) return false;
            text = text[..e];
        }
        int point = text.IndexOf((byte)'.');
        if (point >= 0) scale = text.Length - point - 1;
        if (text.Length > 2 * MaxScale || Math.Abs((long)exponent) > MaxScale) return false;
        Span<char> digits = text.Length <= 256 ? stackalloc char[text.Length] : new char[text.Length];
        int length = 0, count = 0;
        for (int i = 0; i < text.Length; i++)
        {
            byte c = text[i];
            if (c == '.' && i == point) continue;
            bool digit = c is >= (byte)'0' and <= (byte)'9';
            if (!digit && !(i == 0 && c is (byte)'-' or (byte)'+')) return false;
            if (digit) count++;
            digits[length++] = (char)c;
        }
        if (count == 0 || !BigInteger.TryParse(digits[..length], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out unscaled)) return false;
        scale -= exponent;
        if (scale >= 0) return true;
        unscaled *= BigInteger.Pow(10, -scale);
        scale = 0;
        return true;
    }

    static void Align(ref BigInteger a, ref int scaleA, ref BigInteger b, ref int scaleB)
    {
        if (scaleA < scaleB) a *= BigInteger.Pow(10, scaleB - scaleA);
        else if (scaleB < scaleA) b *= BigInteger.Pow(10, scaleA - scaleB);
        scaleA = scaleB = Math.Max(scaleA, scaleB);
    }

    static string Format(BigInteger unscaled, int scale)
    {
        if (scale == 0) return unscaled.ToString(CultureInfo.InvariantCulture);
        string digits = BigInteger.Abs(unscaled).ToString(CultureInfo.InvariantCulture).PadLeft(scale + 1, '0');
        string sign = unscaled.Sign < 0 ? "-" : "";
        return $"{sign}{digits[..^scale]}.{digits[^scale..]}";
    }
}
