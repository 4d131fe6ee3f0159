using System.Globalization;

namespace Sync.Engine.Mapping.Conditions;

/// <summary>
/// Compares two values by PostgreSQL's text of them, as its operators do; texts byte by byte, as under COLLATE "C". Allocates nothing for plain values.
/// </summary>
static class ScalarOrder
{
    /// <summary>Below, at or above 0 as left is less, equal or greater; null when either text is no value of its type.</summary>
    /// <param name="kind">The type of the column, which decides how the two are compared.</param>
    /// <param name="left">Its value.</param>
    /// <param name="rightKind">The type of what it is compared with; one that <see cref="ScalarKinds.Meet"/> allows.</param>
    /// <param name="right">What it is compared with.</param>
    public static int? Compare(ScalarKind kind, ReadOnlySpan<byte> left, ScalarKind rightKind, ReadOnlySpan<byte> right)
    {
        switch (kind)
        {
            case ScalarKind.Real or ScalarKind.Double:
                return Floats(kind, left, rightKind, right);
            case ScalarKind.Whole or ScalarKind.Numeric or ScalarKind.Oid:
                return rightKind is ScalarKind.Real or ScalarKind.Double ? Floats(kind, left, rightKind, right) : DecimalText.Compare(left, right);
            case ScalarKind.Date or ScalarKind.Timestamp or ScalarKind.TimestampTz:
                return Moment.TryParse(left, kind, out var a) && Moment.TryParse(right, rightKind, out var b) ? a.CompareTo(b) : null;
            case ScalarKind.Time or ScalarKind.TimeTz:
                return ClockTime.TryParse(left, kind, out var early) && ClockTime.TryParse(right, rightKind, out var late) ? early.CompareTo(late) : null;
            case ScalarKind.Interval:
                return IntervalSpan.TryParse(left, out var shorter) && IntervalSpan.TryParse(right, out var longer) ? shorter.CompareTo(longer) : null;
            case ScalarKind.Inet or ScalarKind.Cidr:
                return NetworkAddress.TryParse(left, out var here) && NetworkAddress.TryParse(right, out var there) ? here.CompareTo(there) : null;
            case ScalarKind.Json:
                return JsonEquality.Compare(left, right);
            case ScalarKind.Char:
                return CharOf(left).CompareTo(CharOf(right));
            default:
                return (Trims(kind, rightKind) ? left.TrimEnd((byte)' ') : left).SequenceCompareTo(Trims(rightKind, kind) ? right.TrimEnd((byte)' ') : right);
        }
    }

    /// <summary>
    /// Blanks at the end of char(n) don't count (PostgreSQL docs, "Character Types"), nor those of a varchar beside one; a text beside one keeps its own.
    /// </summary>
    static bool Trims(ScalarKind kind, ScalarKind other) => kind == ScalarKind.PaddedText || (kind == ScalarKind.Varchar && other == ScalarKind.PaddedText);

    /// <summary>A byte of "char" as PostgreSQL writes it: nothing for 0, and since version 16 <c>\ooo</c> for bytes above 127.</summary>
    public static byte CharOf(ReadOnlySpan<byte> text) => text switch
    {
        [] => 0,
        [(byte)'\\', var a, var b, var c] => (byte)(((a - '0') << 6) | ((b - '0') << 3) | (c - '0')),
        _ => text[0],
    };

    /// <summary>As float8 operators do: NaN is equal to itself and above all others. A real beside another type is widened, not its digits read anew.</summary>
    static int? Floats(ScalarKind kind, ReadOnlySpan<byte> left, ScalarKind rightKind, ReadOnlySpan<byte> right)
    {
        if (Float(kind, left) is not { } a || Float(rightKind, right) is not { } b) return null;
        if (double.IsNaN(a) || double.IsNaN(b)) return double.IsNaN(a).CompareTo(double.IsNaN(b));
        return a < b ? -1 : a > b ? 1 : 0;
    }

    public static double? Float(ScalarKind kind, ReadOnlySpan<byte> text)
    {
        if (kind == ScalarKind.Real)
            return float.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out float single) ? single : null;
        return double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double value) ? value : null;
    }
}
