using System.Globalization;
using System.Text;

namespace Sync.Contracts.Configuration;

/// <summary>
/// Durations as a configuration writes them: numbers with <c>ms</c>, <c>s</c>, <c>m</c> or <c>h</c>, also joined
/// (<c>1m30s</c>) and with fractions (<c>0.5s</c>); a bare number takes the unit of its key. Never negative.
/// </summary>
public static class DurationText
{
    static readonly (string Unit, long Ticks)[] Units =
    [
        ("ms", TimeSpan.TicksPerMillisecond), ("s", TimeSpan.TicksPerSecond), ("m", TimeSpan.TicksPerMinute), ("h", TimeSpan.TicksPerHour),
    ];

    /// <summary>False for anything but a duration that a <see cref="TimeSpan"/> can hold.</summary>
    public static bool TryParse(string text, TimeSpan unit, out TimeSpan duration)
    {
        duration = default;
        var rest = text.AsSpan().Trim();
        if (rest.IsEmpty) return false;
        decimal ticks = 0;
        bool first = true;
        while (!rest.IsEmpty)
        {
            int digits = rest.IndexOfAnyExcept("0123456789.");
            var number = digits < 0 ? rest : rest[..digits];
            if (number.Length is 0 or > 24
                || !decimal.TryParse(number, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out decimal amount)
                || amount > 1_000_000_000_000_000)
                return false;
            rest = rest[number.Length..];
            if (rest.IsEmpty)
            {
                if (!first) return false;
                ticks = amount * unit.Ticks;
            }
            else
            {
                int letters = rest.IndexOfAny("0123456789.");
                var name = letters < 0 ? rest : rest[..letters];
                long factor = 0;
                foreach (var (known, size) in Units)
                    if (name.SequenceEqual(known)) factor = size;
                if (factor == 0) return false;
                ticks += amount * factor;
                rest = rest[name.Length..];
            }
            first = false;
        }
        if (ticks > TimeSpan.MaxValue.Ticks) return false;
        duration = TimeSpan.FromTicks((long)decimal.Round(ticks));
        return true;
    }

    /// <summary>The shortest text with units that <see cref="TryParse"/> reads back to the same value.</summary>
    public static string Format(TimeSpan duration)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(duration, TimeSpan.Zero);
        if (duration == TimeSpan.Zero) return "0s";
        var text = new StringBuilder();
        long ticks = duration.Ticks;
        for (int i = Units.Length - 1; i > 0; i--)
        {
            var (unit, size) = Units[i];
            if (ticks >= size) text.Append(CultureInfo.InvariantCulture, $"{ticks / size}{unit}");
            ticks %= size;
        }
        if (ticks > 0) text.Append(CultureInfo.InvariantCulture, $"{(decimal)ticks / TimeSpan.TicksPerMillisecond:0.####}ms");
        return text.ToString();
    }
}
