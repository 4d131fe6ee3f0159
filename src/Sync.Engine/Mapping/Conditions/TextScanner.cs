namespace Sync.Engine.Mapping.Conditions;

/// <summary>Reads a value's text from left to right. Each step says whether it fits, and moves on only then.</summary>
ref struct TextScanner(ReadOnlySpan<byte> text)
{
    readonly ReadOnlySpan<byte> text = text;
    int at;

    public readonly bool IsAtEnd => at == text.Length;

    public readonly byte Next => at < text.Length ? text[at] : (byte)0;

    public bool Take(char c)
    {
        if (at >= text.Length || text[at] != c) return false;
        at++;
        return true;
    }

    /// <summary>Takes any number of blanks.</summary>
    public bool Blanks()
    {
        int from = at;
        while (at < text.Length && text[at] == ' ') at++;
        return at > from;
    }

    /// <summary>A whole number of so many digits.</summary>
    public bool Digits(int fewest, int most, out long value)
    {
        int from = at;
        value = 0;
        while (at < text.Length && at - from < most && (uint)(text[at] - '0') <= 9) value = 10 * value + (text[at++] - '0');
        return at - from >= fewest && (uint)(Next - '0') > 9;
    }

    /// <summary>Letters without regard to case, and then no further letter.</summary>
    public bool Word(ReadOnlySpan<byte> word)
    {
        int end = at + word.Length;
        if (end > text.Length || !System.Text.Ascii.EqualsIgnoreCase(text[at..end], word)) return false;
        if (end < text.Length && char.IsAsciiLetter((char)text[end])) return false;
        at = end;
        return true;
    }

    /// <summary>Digits behind a point as microseconds, rounded as PostgreSQL does.</summary>
    public bool Fraction(out long microseconds)
    {
        int from = at;
        microseconds = 0;
        while (at < text.Length && (uint)(text[at] - '0') <= 9)
        {
            if (at - from < 6) microseconds = 10 * microseconds + (text[at] - '0');
            at++;
        }
        int digits = at - from;
        for (int i = digits; i < 6; i++) microseconds *= 10;
        if (digits <= 6) return digits > 0;
        Span<byte> fraction = stackalloc byte[32];
        int length = Math.Min(digits, fraction.Length - 2);
        "0."u8.CopyTo(fraction);
        text.Slice(from, length).CopyTo(fraction[2..]);
        double share = double.Parse(fraction[..(length + 2)], System.Globalization.CultureInfo.InvariantCulture);
        microseconds = (long)Math.Round(share * 1_000_000, MidpointRounding.ToEven);
        return true;
    }

    /// <summary>hours:minutes[:seconds[.fraction]] as microseconds.</summary>
    public bool Clock(int hourDigits, long mostHours, out long microseconds)
    {
        long seconds = 0, fraction = 0;
        microseconds = 0;
        if (!Digits(1, hourDigits, out long hours) || hours > mostHours || !Take(':') || !Digits(2, 2, out long minutes) || minutes > 59) return false;
        if (Take(':'))
        {
            if (!Digits(2, 2, out seconds) || seconds > 60) return false;
            if (Take('.') && !Fraction(out fraction)) return false;
            if (seconds == 60 && fraction > 0) return false;
        }
        microseconds = 1_000_000 * (3600 * hours + 60 * minutes + seconds) + fraction;
        return true;
    }

    /// <summary>An offset from UTC, east of it positive: Z, +hh, +hh:mm, +hhmm or +hh:mm:ss. False when none stands here.</summary>
    public bool Zone(out long seconds, out bool isWrong)
    {
        (seconds, isWrong) = (0, false);
        if (Word("z"u8) || Word("utc"u8)) return true;
        bool isWest = Next == '-';
        if (!Take('+') && !Take('-')) return false;
        long minutes = 0, rest = 0;
        int from = at;
        if (!Digits(1, 4, out long hours)) isWrong = true;
        else if (at - from > 2) (hours, minutes) = (hours / 100, hours % 100);
        else if (Take(':'))
        {
            isWrong = !Digits(2, 2, out minutes);
            if (!isWrong && Take(':')) isWrong = !Digits(2, 2, out rest);
        }
        isWrong |= hours > 15 || minutes > 59 || rest > 59;
        seconds = (3600 * hours + 60 * minutes + rest) * (isWest ? -1 : 1);
        return true;
    }
}
