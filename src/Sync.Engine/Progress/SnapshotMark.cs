using System.Globalization;
using Sync.Contracts;

namespace Sync.Engine.Progress;

public enum SnapshotState
{
    Copying,
    Done,
    /// <summary>Changes of the table were left out since: some of its keys may belong to rows that are gone, so they go before it is copied anew.</summary>
    Stopped,
    /// <summary>
    /// Redis has what was made of its rows, but of another history than PostgreSQL's, or not the changes since. So it is emptied, counted and copied anew, and what was told of rows is not
    /// told again. It stays so until that is done.
    /// </summary>
    Outdated,
}

/// <summary>How far the copy of one table is. Its text form is <c>&lt;LSN&gt; &lt;copying|done|stopped|outdated&gt; &lt;rows&gt;</c>.</summary>
/// <param name="Lsn">The point in the log that the snapshot shows; what commits later comes through the stream.</param>
/// <param name="State">Whether all rows are in Redis.</param>
/// <param name="Rows">Rows copied, 0 or more.</param>
public readonly record struct SnapshotMark(Lsn Lsn, SnapshotState State, long Rows)
{
    public static bool TryParse(string? text, out SnapshotMark mark)
    {
        mark = default;
        string[] parts = text?.Split(' ') ?? [];
        if (parts.Length != 3 || StateOf(parts[1]) is not { } state || !Lsn.TryParse(parts[0], out var lsn)
            || !long.TryParse(parts[2], NumberStyles.None, CultureInfo.InvariantCulture, out long rows))
            return false;
        mark = new SnapshotMark(lsn, state, rows);
        return true;
    }

    static SnapshotState? StateOf(string word)
    {
        foreach (var state in Enum.GetValues<SnapshotState>())
            if (Word(state) == word) return state;
        return null;
    }

    static string Word(SnapshotState state) =>
        state switch { SnapshotState.Done => "done", SnapshotState.Stopped => "stopped", SnapshotState.Outdated => "outdated", _ => "copying" };

    public override string ToString() =>
        string.Create(CultureInfo.InvariantCulture, $"{Lsn} {Word(State)} {Rows}");
}
