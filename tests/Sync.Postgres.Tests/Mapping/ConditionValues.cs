using System.Globalization;

namespace Sync.Postgres.Tests.Mapping;

/// <summary>Values to compare, as a user would write them: the odd ones of each type, and random ones.</summary>
/// <param name="Type">The type in SQL.</param>
/// <param name="Odd">Bounds, special values, spellings.</param>
/// <param name="Draw">One more.</param>
/// <param name="ConstantType">The type by which constants are read, where it is another one.</param>
sealed record ConditionValues(string Type, string[] Odd, Func<Random, string> Draw, string? ConstantType = null)
{
    public bool IsCollated => Type is "text" or "varchar" or "char(6)";

    /// <summary>The values of a seed.</summary>
    public string[] Draws(int seed, int count)
    {
        var random = new Random(seed);
        return [.. Odd, .. Enumerable.Range(0, count).Select(_ => Draw(random))];
    }

    static string Number(Random random, int digits, int scale)
    {
        string whole = random.NextInt64((long)Math.Pow(10, random.Next(1, digits + 1))).ToString(CultureInfo.InvariantCulture);
        string fraction = random.Next(2) == 0 ? "" : "." + random.NextInt64((long)Math.Pow(10, random.Next(1, scale + 1))).ToString(CultureInfo.InvariantCulture);
        return (random.Next(2) == 0 ? "-" : "") + whole + fraction;
    }

    static string Text(Random random, string alphabet) =>
        string.Concat(Enumerable.Range(0, random.Next(6)).Select(_ => alphabet[random.Next(alphabet.Length)])) + new string(' ', random.Next(3) / 2);

    static string Date(Random random, int mostYear)
    {
        int year = random.Next(4) == 0 ? random.Next(1, mostYear) : random.Next(1, 3000);
        string date = string.Create(CultureInfo.InvariantCulture, $"{year:0000}-{random.Next(1, 13):00}-{random.Next(1, 29):00}");
        return random.Next(4) == 0 ? string.Create(CultureInfo.InvariantCulture, $"{random.Next(1, 4713):0000}{date[date.IndexOf('-')..]} BC") : date;
    }

    static string Clock(Random random) => string.Create(CultureInfo.InvariantCulture, $"{random.Next(24):00}:{random.Next(60):00}")
        + (random.Next(3) == 0 ? "" : string.Create(CultureInfo.InvariantCulture, $":{random.Next(60):00}"))
        is var clock && clock.Length > 5 && random.Next(2) == 0 ? string.Create(CultureInfo.InvariantCulture, $"{clock}.{random.NextInt64(1, 100_000_000)}") : clock;

    static string Zone(Random random) => random.Next(4) switch
    {
        0 => "",
        1 => "Z",
        2 => string.Create(CultureInfo.InvariantCulture, $"{(random.Next(2) == 0 ? '+' : '-')}{random.Next(15):00}"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{(random.Next(2) == 0 ? '+' : '-')}{random.Next(15):00}:{random.Next(60):00}"),
    };

    static string Stamp(Random random, bool zone)
    {
        string[] date = Date(random, 290_000).Split(' ');
        return $"{date[0]}{(random.Next(2) == 0 ? ' ' : 'T')}{Clock(random)}{(zone ? Zone(random) : "")}{(date.Length > 1 ? " BC" : "")}";
    }

    static string Interval(Random random)
    {
        string[] units = ["year", "years", "mon", "mons", "months", "week", "weeks", "day", "days", "hours", "minutes", "mins", "seconds"];
        var parts = Enumerable.Range(0, random.Next(4)).Select(_ => units[random.Next(units.Length)]).Distinct().Where((u, i) => i == 0 || !u.StartsWith("we", StringComparison.Ordinal))
            .GroupBy(u => u[..2]).Select(g => $"{random.Next(-40, 40)} {g.First()}").ToList();
        if (parts.Count == 0 || (random.Next(2) == 0 && !parts.Exists(p => p.Contains("hour") || p.Contains("min") || p.Contains("sec"))))
            parts.Add((random.Next(2) == 0 ? "-" : "") + Clock(random));
        return string.Join(' ', parts);
    }

    static string Address(Random random, bool network)
    {
        int bits = random.Next(33);
        uint address = random.Next(2) == 0 ? (uint)random.NextInt64(1L << 32) : 0x0A000000u | (uint)random.Next(4);
        if (network) address &= bits == 0 ? 0 : uint.MaxValue << (32 - bits);
        if (random.Next(3) == 0) return $"2001:db8::{address >> 16:x}:{(network ? 0 : address & 0xffff):x}/{(network ? 112 : random.Next(100, 129))}";
        return $"{address >> 24}.{(address >> 16) & 255}.{(address >> 8) & 255}.{address & 255}" + (network || random.Next(2) == 0 ? $"/{bits}" : "");
    }

    static string Hex(Random random, int bytes, char? separator)
    {
        byte[] data = new byte[bytes];
        random.NextBytes(data);
        string hex = separator is { } s ? string.Join(s, data.Select(b => b.ToString("x2", CultureInfo.InvariantCulture))) : Convert.ToHexStringLower(data);
        return random.Next(3) == 0 ? hex.ToUpperInvariant() : hex;
    }

    static string Float(Random random, bool single) => random.Next(3) switch
    {
        0 => Number(random, 6, 4),
        1 => single ? BitConverter.Int32BitsToSingle(random.Next()).ToString("R", CultureInfo.InvariantCulture)
            : BitConverter.Int64BitsToDouble(random.NextInt64()).ToString("R", CultureInfo.InvariantCulture),
        _ => string.Create(CultureInfo.InvariantCulture, $"{random.Next(1, 99)}e{random.Next(-30, 30)}"),
    };

    static readonly string[] text = ["", "a", "A", "b", "ab", "a b", "ä", "z", "Z", "\u00ff", "\U0001F600", "\uFFFD", "a ", " a", "ab  ", "\t", "_", "~", "10", "9", "NULL", "'", "\\"];
    static readonly string[] floats = ["0", "-0", "1", "-1", "0.1", "0.10000000001", "NaN", "nan", "Infinity", "-Infinity", "inf", "-INF", "+infinity", "1e10", "1E-10", " 5 ", ".5", "5.", "16777217", "9007199254740993"];
    static readonly string[] dates = ["infinity", "-infinity", "0001-01-01", "0001-12-31 BC", "0044-03-15 BC", "4714-11-24 BC", "9999-12-31", "10000-01-01", "2000-02-29", "1900-02-28", "2024-2-9", "1970-01-01"];
    static readonly string[] stamps =
    [
        "infinity", "-infinity", "0001-01-01 00:00", "0001-12-31 23:59:59.999999 BC", "4714-11-24 00:00:00 BC", "294276-12-31 23:59:59.999999", "10000-01-01 00:00:00",
        "2026-01-01", "2026-01-01 24:00", "2026-01-02T00:00:00", "2026-01-01 23:59:60", "2026-01-01 23:59:59.9999999", "2026-01-01 12:00:00.0000005", "2026-01-01 12:00:00.5", "2026-01-01 12:00:00.500000",
        "2000-02-29 1:05", "0005-02-29 12:00 BC",
    ];

    public static readonly ConditionValues[] All =
    [
        new("int2", ["0", "-1", "32767", "-32768", "7"], r => r.Next(-300, 300).ToString(CultureInfo.InvariantCulture), "numeric"),
        new("int4", ["0", "-1", "2147483647", "-2147483648", "7"], r => r.Next().ToString(CultureInfo.InvariantCulture), "numeric"),
        new("int8", ["0", "-1", "9223372036854775807", "-9223372036854775808", "9223372036854775806"], r => r.NextInt64().ToString(CultureInfo.InvariantCulture), "numeric"),
        new("oid", ["0", "1", "4294967295", "2147483648"], r => r.NextInt64(1L << 32).ToString(CultureInfo.InvariantCulture)),
        new("numeric", ["0", "-0", "0.0", "1.0", "1.00", "1", "NaN", "nan", "Infinity", "-Infinity", "inf", "-inf", "1e30", "1.5E-5", "123456789012345678901234567890.123456789", "99999999999999999999", ".5", "5.", " 5 "],
            r => Number(r, 18, 12)),
        new("numeric(12,3)", ["0", "0.000", "1.0", "-1.0005", "NaN"], r => Number(r, 8, 3), "numeric"),
        new("real", [.. floats, "3.4028235e38", "1e-45"], r => Float(r, true)),
        new("double precision", [.. floats, "1.7976931348623157e308", "5e-324", "0.30000000000000004", "0.3"], r => Float(r, false)),
        new("boolean", ["true", "false", "t", "f", "yes", "no", "on", "off", "1", "0", "TRUE", " True ", "fal", "y", "N", "of"], r => r.Next(2) == 0 ? "t" : "f"),
        new("text", text, r => Text(r, "abAB zé_\\1")),
        new("varchar", text, r => Text(r, "abAB zé_\\1")),
        new("char(6)", text, r => Text(r, "abAB zé_")),
        new("name", [.. text, new string('n', 63), new string('n', 70), new string('n', 62) + "ää"], r => Text(r, "abAB zé_")),
        new("\"char\"", ["", "a", "A", "z", " ", "~", "0"], r => ((char)r.Next(33, 127)).ToString()),
        new("bytea", ["", @"\x", @"\x00", @"\x0001", @"\xFF", @"\xfe", "abc", @"a\\b", @"\001\377"], r => @"\x" + Hex(r, r.Next(5), null)),
        new("date", [.. dates, "5874897-12-31", "2026-01-01T23:00:00Z", "2026-01-01 00:00:00+05", "0001-02-29 BC", "0005-02-29 BC"], r => Date(r, 5_000_000)),
        new("timestamp", [.. stamps, "2026-01-01 12:00:00+05", "2026-01-01T12:00:00Z"], r => Stamp(r, zone: false)),
        new("timestamptz", [.. stamps, "2026-01-01 12:00:00+05", "2026-01-01T12:00:00Z", "2026-01-01 12:00:00 -0330", "2026-01-01 12:00:00.5+05:30:15", "2026-01-01 12:00 UTC"], r => Stamp(r, zone: true)),
        new("time", ["00:00", "24:00:00", "23:59:59.999999", "23:59:60", "12:00:00.0000005", "1:05"], Clock),
        new("timetz", ["00:00+00", "24:00:00+00", "12:00+02", "10:00+00", "10:00Z", "08:00-02", "12:00:00+15:59", "12:00:00-15:59:59"], r => Clock(r) + Zone(r)),
        new("interval",
            ["0 days", "1 mon", "30 days", "720:00:00", "31 days", "1 year", "12 mons", "360 days", "365 days", "-1 days +24:00:00", "1 day", "24:00:00", "-00:00:00.000001", "1 year 2 mons -3 days +04:05:06.789",
             "178000000 years", "-178000000 years", "2562047787:59:00", "1 week", "90 minutes", "01:30:00"], Interval),
        new("uuid", ["00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff", "{A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11}", "a0eebc999c0b4ef8bb6d6bb9bd380a11"], _ => Guid.NewGuid().ToString()),
        new("inet", ["0.0.0.0", "0.0.0.0/0", "255.255.255.255", "10.0.0.1", "10.0.0.1/8", "10.0.0.0/8", "10.0.0.1/32", "::", "::/0", "::1", "::ffff:10.0.0.1", "2001:DB8::1", "2001:db8::1/64"], r => Address(r, network: false)),
        new("cidr", ["0.0.0.0/0", "10.0.0.0/8", "10.0.0.0/9", "10.0.0.1/32", "10.0.0.1", "::/0", "2001:db8::/32", "2001:db8::/33"], r => Address(r, network: true)),
        new("macaddr", ["00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff", "08-00-2b-01-02-03", "08002b010203"], r => Hex(r, 6, ':')),
        new("macaddr8", ["00:00:00:00:00:00:00:00", "08-00-2b-01-02-03-04-05", "08002b0102030405"], r => Hex(r, 8, ':')),
        new("bit varying", ["", "0", "1", "00", "01", "010", "0100001", "10000000", "100000001", "11111111", "111111110"], r => Convert.ToString(r.Next(1024), 2)),
        new("bit(9)", ["000000000", "100000000", "000000001"], r => Convert.ToString(r.Next(512), 2).PadLeft(9, '0')),
    ];
}
