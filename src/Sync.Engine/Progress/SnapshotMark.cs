using System.Globalization;
using Sync.Contracts;

namespace Sync.Engine.Progress;

public enum SnapshotState
{
    Copying,
    Done,
    /// <summary>Changes of the table were left out since: some of its keys may belong to rows that are gone, so they go before it is copied anew.</summary>
    Stopped,
}

/// <summary>How far the copy of one table is. Its text form is <c>&lt;LSN&gt; &lt;copying|done|stopped&gt; &lt;rows&gt;</c>.</summary>
/// <param name="Lsn">The point in the log that the snapshot shows; what commits later comes through the stream.</param>
/// <param name="State">Whether all rows are in Redis.</param>
/// <param name="Rows">Rows copied, 0 or more.</param>
public readonly record struct SnapshotMark(Lsn Lsn, SnapshotState State, long Rows)
{
    public static bool TryParse(string? text, out SnapshotMark mark)
    {
        mark = default;
        string[] parts = text?.Split(' ') ?? [];
        if (parts.Length != 3 || parts[1] is not ("copying" or "done" or "stopped") || !Lsn.TryParse(parts[0], out var lsn)
            || !long.TryParse(parts[2], NumberStyles.None, CultureInfo.InvariantCulture, out long rows))
            return false;
        mark = new SnapshotMark(lsn, parts[1] switch { "done" => SnapshotState.Done, "stopped" => SnapshotState.Stopped, _ => SnapshotState.Copying }, rows);
        return true;
    }

    public override string ToString() =>
        string.Create(CultureInfo.InvariantCulture, $"{Lsn} {State switch { SnapshotState.Done => "done", SnapshotState.Stopped => "stopped", _ => "copying" }} {Rows}");
}
