using System.Globalization;
using Sync.Contracts;

namespace Sync.Engine.Progress;

public enum SnapshotState { Copying, Done }

/// <summary>How far the copy of one table is. Its text form is <c>&lt;LSN&gt; &lt;copying|done&gt; &lt;rows&gt;</c>.</summary>
/// <param name="Lsn">The point in the log that the snapshot shows; what commits later comes through the stream.</param>
/// <param name="State">Whether all rows are in Redis.</param>
/// <param name="Rows">Rows copied, 0 or more.</param>
public readonly record struct SnapshotMark(Lsn Lsn, SnapshotState State, long Rows)
{
    public static bool TryParse(string? text, out SnapshotMark mark)
    {
        mark = default;
        string[] parts = text?.Split(' ') ?? [];
        if (parts.Length != 3 || parts[1] is not ("copying" or "done") || !Lsn.TryParse(parts[0], out var lsn)
            || !long.TryParse(parts[2], NumberStyles.None, CultureInfo.InvariantCulture, out long rows))
            return false;
        mark = new SnapshotMark(lsn, parts[1] == "done" ? SnapshotState.Done : SnapshotState.Copying, rows);
        return true;
    }

    public override string ToString() =>
        string.Create(CultureInfo.InvariantCulture, $"{Lsn} {(State == SnapshotState.Done ? "done" : "copying")} {Rows}");
}
