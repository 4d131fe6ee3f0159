using System.Globalization;

namespace Sync.Engine.Resync;

/// <summary>
/// Which transactions a query saw: PostgreSQL's pg_snapshot, written <c>xmin:xmax:xip,xip,…</c> (PostgreSQL docs, "Transaction ID and Snapshot
/// Information Functions"). Every transaction below xmin has ended, none from xmax on has, and in between those listed have not.
/// </summary>
public sealed class SnapshotSight
{
    readonly ulong end;
    readonly ulong begin;
    readonly HashSet<ulong> underWay;

    SnapshotSight(ulong begin, ulong end, HashSet<ulong> underWay) => (this.begin, this.end, this.underWay) = (begin, end, underWay);

    /// <exception cref="FormatException">The text is no pg_snapshot.</exception>
    public static SnapshotSight Parse(string text)
    {
        string[] parts = text.Split(':');
        if (parts.Length != 3 || !TryNumber(parts[0], out ulong begin) || !TryNumber(parts[1], out ulong end) || end < begin)
            throw new FormatException($"'{text}' is no pg_snapshot (xmin:xmax:xip,…)");
        var underWay = new HashSet<ulong>();
        foreach (string id in parts[2].Split(',', StringSplitOptions.RemoveEmptyEntries))
            underWay.Add(TryNumber(id, out ulong number) ? number : throw new FormatException($"'{text}' is no pg_snapshot (xmin:xmax:xip,…)"));
        return new SnapshotSight(begin, end, underWay);
    }

    /// <summary>
    /// Whether it shows what a transaction did that has committed. The stream gives ids of 32 bits; all that live at one time lie
    /// within two thousand million of each other (PostgreSQL docs, "Preventing Transaction ID Wraparound Failures"), which tells which one is meant.
    /// </summary>
    public bool Sees(uint transaction)
    {
        ulong id = end - (ulong)(long)(int)((uint)end - transaction);
        return id < begin || (id < end && !underWay.Contains(id));
    }

    static bool TryNumber(string text, out ulong number) => ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number);
}
