using System.Globalization;

namespace Sync.Contracts;

/// <summary>
/// A log sequence number: a byte position in PostgreSQL's write-ahead log (PostgreSQL docs, "pg_lsn Type").
/// Zero means "none". Ordered; written as two hexadecimal halves, <c>16/B374D848</c>.
/// </summary>
public readonly record struct Lsn(ulong Value) : IComparable<Lsn>
{
    /// <summary>No position: smaller than every real one.</summary>
    public static readonly Lsn None;

    public static bool operator <(Lsn a, Lsn b) => a.Value < b.Value;
    public static bool operator >(Lsn a, Lsn b) => a.Value > b.Value;
    public static bool operator <=(Lsn a, Lsn b) => a.Value <= b.Value;
    public static bool operator >=(Lsn a, Lsn b) => a.Value >= b.Value;

    public int CompareTo(Lsn other) => Value.CompareTo(other.Value);

    /// <summary>Reads PostgreSQL's text form.</summary>
    /// <exception cref="FormatException">The text is not two hexadecimal numbers of up to 8 digits joined by a slash.</exception>
    public static Lsn Parse(string text) =>
        TryParse(text, out var lsn) ? lsn : throw new FormatException($"'{text}' is not an LSN; it looks like 16/B374D848.");

    public static bool TryParse(string? text, out Lsn lsn)
    {
        lsn = default;
        int slash = text?.IndexOf('/') ?? -1;
        if (slash <= 0
            || !uint.TryParse(text.AsSpan(0, slash), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out uint high)
            || !uint.TryParse(text.AsSpan(slash + 1), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out uint low))
            return false;
        lsn = new Lsn(((ulong)high << 32) | low);
        return true;
    }

    public override string ToString() => $"{Value >> 32:X}/{Value & 0xFFFFFFFF:X}";
}
