using Sync.Engine.Resp;

namespace Sync.Engine.Mapping;

/// <summary>
/// PostgreSQL's interval text (intervalstyle = postgres: <c>1 year 2 mons -3 days +04:05:06.789</c>) as an ISO 8601 duration
/// in quotes, the way intervalstyle = iso_8601 would print it (PostgreSQL docs, "Interval Output").
/// </summary>
static class IntervalText
{
    public static void WriteIso(RespWriter output, ReadOnlySpan<byte> text)
    {
        int start = output.Length;
        output.Raw("\"P"u8);
        int empty = output.Length;
        foreach (var range in new UnitReader(text))
        {
            var number = text[range.Number];
            var unit = text[range.Unit];
            if (unit.IsEmpty)
            {
                if (TryTime(output, number, first: output.Length == empty)) continue;
            }
            else if (Designator(unit) is { } letter)
            {
                output.Raw(number.TrimStart((byte)'+'));
                output.Byte(letter);
                continue;
            }
            output.Truncate(start);
            JsonText.String(output, text);
            return;
        }
        output.Byte((byte)'"');
    }

    static byte? Designator(ReadOnlySpan<byte> unit) => unit switch
    {
        _ when unit.StartsWith("year"u8) => (byte)'Y',
        _ when unit.StartsWith("mon"u8) => (byte)'M',
        _ when unit.StartsWith("day"u8) => (byte)'D',
        _ => null,
    };

    static bool TryTime(RespWriter output, ReadOnlySpan<byte> time, bool first)
    {
        bool negative = time.StartsWith("-"u8);
        var rest = time.TrimStart("+-"u8);
        int colon = rest.IndexOf((byte)':');
        int second = colon < 0 ? -1 : rest[(colon + 1)..].IndexOf((byte)':');
        if (second < 0) return false;
        var hours = rest[..colon].TrimStart((byte)'0');
        var minutes = rest.Slice(colon + 1, second).TrimStart((byte)'0');
        var seconds = rest[(colon + second + 2)..].TrimStart((byte)'0');
        bool none = hours.IsEmpty && minutes.IsEmpty && seconds.IsEmpty;
        if (none && !first) return true;
        output.Byte((byte)'T');
        Part(output, hours, (byte)'H', negative);
        Part(output, minutes, (byte)'M', negative);
        if (none) output.Raw("0S"u8);
        else if (!seconds.IsEmpty)
        {
            if (negative) output.Byte((byte)'-');
            if (seconds[0] == (byte)'.') output.Byte((byte)'0');
            output.Raw(seconds);
            output.Byte((byte)'S');
        }
        return true;
    }

    static void Part(RespWriter output, ReadOnlySpan<byte> number, byte letter, bool negative)
    {
        if (number.IsEmpty) return;
        if (negative) output.Byte((byte)'-');
        output.Raw(number);
        output.Byte(letter);
    }

    /// <summary>Walks over "number unit" pairs; the time of day at the end has no unit.</summary>
    ref struct UnitReader(ReadOnlySpan<byte> text)
    {
        readonly ReadOnlySpan<byte> text = text;
        int at;

        public (Range Number, Range Unit) Current { get; private set; }

        public readonly UnitReader GetEnumerator() => this;

        public bool MoveNext()
        {
            if (at >= text.Length) return false;
            var number = Word();
            bool isTime = text[number].Contains((byte)':');
            Current = (number, isTime ? ..0 : Word());
            return true;
        }

        Range Word()
        {
            int start = Math.Min(at, text.Length);
            int space = text[start..].IndexOf((byte)' ');
            int end = space < 0 ? text.Length : start + space;
            at = end + 1;
            return start..end;
        }
    }
}
