namespace Sync.Engine.Mapping.Conditions;

/// <summary>The length of an interval as PostgreSQL compares it: a month counts as 30 days and a day as 24 hours.</summary>
static class IntervalSpan
{
    const long MicrosecondsPerDay = 86_400_000_000;

    /// <summary>Reads <c>1 year 2 mons -3 days +04:05:06.789</c> (intervalstyle = postgres), also with weeks, hours, minutes and seconds as words.</summary>
    public static bool TryParse(ReadOnlySpan<byte> text, out Int128 microseconds)
    {
        microseconds = 0;
        var scanner = new TextScanner(text);
        bool isEmpty = true;
        for (scanner.Blanks(); !scanner.IsAtEnd; scanner.Blanks())
        {
            int sign = scanner.Take('-') ? -1 : 1;
            if (sign > 0) scanner.Take('+');
            if (isEmpty && scanner.Word("infinity"u8))
            {
                microseconds = sign < 0 ? Int128.MinValue : Int128.MaxValue;
                scanner.Blanks();
                return scanner.IsAtEnd;
            }
            var clock = scanner;
            if (clock.Clock(10, long.MaxValue, out long time))
            {
                microseconds += (Int128)sign * time;
                scanner = clock;
            }
            else
            {
                if (!scanner.Digits(1, 10, out long number)) return false;
                scanner.Blanks();
                if (!Unit(ref scanner, out long unit)) return false;
                microseconds += (Int128)sign * number * unit;
            }
            isEmpty = false;
        }
        return !isEmpty;
    }

    static bool Unit(ref TextScanner scanner, out long microseconds)
    {
        microseconds =
            scanner.Word("years"u8) || scanner.Word("year"u8) ? 360 * MicrosecondsPerDay
            : scanner.Word("mons"u8) || scanner.Word("mon"u8) || scanner.Word("months"u8) || scanner.Word("month"u8) ? 30 * MicrosecondsPerDay
            : scanner.Word("weeks"u8) || scanner.Word("week"u8) ? 7 * MicrosecondsPerDay
            : scanner.Word("days"u8) || scanner.Word("day"u8) ? MicrosecondsPerDay
            : scanner.Word("hours"u8) || scanner.Word("hour"u8) ? 3_600_000_000
            : scanner.Word("minutes"u8) || scanner.Word("minute"u8) || scanner.Word("mins"u8) || scanner.Word("min"u8) ? 60_000_000
            : scanner.Word("seconds"u8) || scanner.Word("second"u8) || scanner.Word("secs"u8) || scanner.Word("sec"u8) ? 1_000_000
            : 0;
        return microseconds > 0;
    }
}
