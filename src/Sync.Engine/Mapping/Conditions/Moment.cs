namespace Sync.Engine.Mapping.Conditions;

/// <summary>A date or a point in time, of any year that PostgreSQL has and with its infinities.</summary>
/// <param name="Day">Days since 2000-01-01 in the Gregorian calendar, extended to both sides.</param>
/// <param name="Microsecond">Of the day.</param>
readonly record struct Moment(long Day, long Microsecond) : IComparable<Moment>
{
    const long MicrosecondsPerDay = 86_400_000_000;

    /// <summary>4714-11-24 BC, where PostgreSQL's calendar begins (PostgreSQL docs, "Date/Time Types").</summary>
    const long FirstDay = -2_451_545;

    /// <summary>294276-12-31, the last day of timestamps.</summary>
    static readonly long lastOfTimestamps = DayOf(294_276, 12, 31);

    /// <summary>5874897-12-31, the last date.</summary>
    static readonly long lastOfDates = DayOf(5_874_897, 12, 31);

    public int CompareTo(Moment other) => Day != other.Day ? Day.CompareTo(other.Day) : Microsecond.CompareTo(other.Microsecond);

    /// <summary>
    /// Reads 2026-12-31, 2026-12-31 23:59:59.5+02, 0044-03-15 BC, infinity. A date has no time of day, and a timestamp without time zone no offset: what
    /// stands there is left out, as PostgreSQL does. A timestamp with time zone that says no offset is in UTC.
    /// </summary>
    public static bool TryParse(ReadOnlySpan<byte> text, ScalarKind kind, out Moment moment)
    {
        moment = default;
        var scanner = new TextScanner(text);
        scanner.Blanks();
        if (TryInfinity(ref scanner, out moment)) return true;
        if (!scanner.Digits(4, 7, out long year) || !scanner.Take('-') || !scanner.Digits(1, 2, out long month)
            || !scanner.Take('-') || !scanner.Digits(1, 2, out long day)) return false;
        long microseconds = 0, offset = 0;
        bool isBlank = scanner.Blanks();
        if (scanner.Take('T') || scanner.Take('t') || (isBlank && char.IsAsciiDigit((char)scanner.Next)))
        {
            if (!scanner.Clock(2, 24, out microseconds) || microseconds > MicrosecondsPerDay) return false;
            scanner.Blanks();
            if (scanner.Zone(out offset, out bool isWrong) && isWrong) return false;
            scanner.Blanks();
        }
        if (year == 0) return false;
        if (scanner.Word("bc"u8)) year = 1 - year;
        else scanner.Word("ad"u8);
        scanner.Blanks();
        if (!scanner.IsAtEnd || month is < 1 or > 12 || day < 1 || day > DaysIn(year, month)) return false;
        return Finish(DayOf(year, month, day), kind, microseconds, offset, ref moment);
    }

    static bool TryInfinity(ref TextScanner scanner, out Moment moment)
    {
        bool isNegative = scanner.Take('-');
        moment = new Moment(isNegative ? long.MinValue : long.MaxValue, 0);
        if (!isNegative) scanner.Take('+');
        if (!scanner.Word("infinity"u8)) return false;
        scanner.Blanks();
        return scanner.IsAtEnd;
    }

    static bool Finish(long day, ScalarKind kind, long microseconds, long offset, ref Moment moment)
    {
        if (kind == ScalarKind.Date) microseconds = 0;
        if (kind == ScalarKind.TimestampTz) microseconds -= 1_000_000 * offset;
        long carried = Math.DivRem(microseconds, MicrosecondsPerDay, out long rest);
        if (rest < 0) (carried, rest) = (carried - 1, rest + MicrosecondsPerDay);
        moment = new Moment(day + carried, rest);
        return moment.Day >= FirstDay && moment.Day <= (kind == ScalarKind.Date ? lastOfDates : lastOfTimestamps);
    }

    static long DaysIn(long year, long month) => month switch
    {
        2 => year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28,
        4 or 6 or 9 or 11 => 30,
        _ => 31,
    };

    /// <summary>Years are counted from March, so that the leap day is the last one; year 0 is 1 BC.</summary>
    static long DayOf(long year, long month, long day)
    {
        if (month <= 2) year--;
        long era = (year >= 0 ? year : year - 399) / 400;
        long yearOfEra = year - era * 400;
        long dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
        long dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear;
        return era * 146_097 + dayOfEra - 730_425;
    }
}
