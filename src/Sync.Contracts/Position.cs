using System.Globalization;

namespace Sync.Contracts;

/// <summary>
/// Where a change stands in the order of everything: the LSN of its commit, then its step inside the transaction.
/// A row takes two steps (<c>2n</c> and <c>2n+1</c>), because an update that moves a row to another key is two changes:
/// the end of the old key and the begin of the new one. The count runs over every row that PostgreSQL sends, whether
/// or not a table is configured, so a replay after a restart with another configuration gives the same positions.
/// </summary>
public readonly record struct Position(Lsn Commit, ulong Step) : IComparable<Position>
{
    /// <summary>Before everything.</summary>
    public static readonly Position None;

    /// <summary>How many characters <see cref="ToString"/> gives: 16 hexadecimal digits for the LSN and 16 for the step.</summary>
    public const int TextLength = 32;

    public static bool operator <(Position a, Position b) => a.CompareTo(b) < 0;
    public static bool operator >(Position a, Position b) => a.CompareTo(b) > 0;
    public static bool operator <=(Position a, Position b) => a.CompareTo(b) <= 0;
    public static bool operator >=(Position a, Position b) => a.CompareTo(b) >= 0;

    public int CompareTo(Position other)
    {
        int byCommit = Commit.CompareTo(other.Commit);
        return byCommit != 0 ? byCommit : Step.CompareTo(other.Step);
    }

    /// <summary>Fixed width, so that texts sort as positions do.</summary>
    public override string ToString() => $"{Commit.Value:X16}{Step:X16}";

    /// <summary>The same as <see cref="ToString"/> in bytes.</summary>
    /// <param name="target">At least <see cref="TextLength"/> bytes.</param>
    public void Format(Span<byte> target)
    {
        Commit.Value.TryFormat(target, out _, "X16", CultureInfo.InvariantCulture);
        Step.TryFormat(target[16..], out _, "X16", CultureInfo.InvariantCulture);
    }

    public static bool TryParse(string? text, out Position position)
    {
        position = default;
        if (text?.Length != TextLength
            || !ulong.TryParse(text.AsSpan(0, 16), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ulong lsn)
            || !ulong.TryParse(text.AsSpan(16), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ulong step))
            return false;
        position = new Position(new Lsn(lsn), step);
        return true;
    }
}
