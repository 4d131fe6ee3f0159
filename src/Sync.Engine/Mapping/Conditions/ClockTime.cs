namespace Sync.Engine.Mapping.Conditions;

/// <summary>A time of day: those of equal moments are ordered by their offset, as timetz does.</summary>
/// <param name="Utc">Microseconds since midnight, in UTC.</param>
/// <param name="West">The offset in seconds, west of UTC positive.</param>
readonly record struct ClockTime(long Utc, long West) : IComparable<ClockTime>
{
    const long MicrosecondsPerDay = 86_400_000_000;

    public int CompareTo(ClockTime other) => Utc != other.Utc ? Utc.CompareTo(other.Utc) : West.CompareTo(other.West);

    /// <summary>Reads 23:59, 23:59:59.5, 24:00:00; and for timetz an offset, which is UTC when none is said.</summary>
    public static bool TryParse(ReadOnlySpan<byte> text, ScalarKind kind, out ClockTime time)
    {
        time = default;
        var scanner = new TextScanner(text);
        scanner.Blanks();
        if (!scanner.Clock(2, 24, out long microseconds) || microseconds > MicrosecondsPerDay) return false;
        long east = 0;
        scanner.Blanks();
        if (kind == ScalarKind.TimeTz && scanner.Zone(out east, out bool isWrong) && isWrong) return false;
        scanner.Blanks();
        if (!scanner.IsAtEnd) return false;
        time = new ClockTime(microseconds - 1_000_000 * east, -east);
        return true;
    }
}
