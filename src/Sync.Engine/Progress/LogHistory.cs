using System.Globalization;
using Sync.Contracts;

namespace Sync.Engine.Progress;

/// <summary>A timeline that was left for a later one (PostgreSQL docs, "Timelines").</summary>
/// <param name="Timeline">The timeline, 1 or more.</param>
/// <param name="End">Where it was left: the log before this place belongs to the later timeline as well.</param>
public readonly record struct TimelineFork(uint Timeline, Lsn End);

/// <summary>
/// Which log a PostgreSQL writes: the cluster's identifier, the timeline, and where the timelines before it were left. Its text form, without the identifier, is
/// <c>3 1@0/3000060 2@0/5000110</c>, or the number of the timeline alone when nothing is known of those before it. Immutable.
/// </summary>
/// <param name="System">The system identifier of the cluster.</param>
/// <param name="Timeline">The timeline, 1 or more; 0 when it is not known.</param>
/// <param name="Forks">The timelines before it, oldest first; null when they are not known.</param>
public sealed record LogHistory(string System, uint Timeline, IReadOnlyList<TimelineFork>? Forks)
{
    /// <summary>The text form.</summary>
    public string Text => string.Create(CultureInfo.InvariantCulture, $"{Timeline}{string.Concat((Forks ?? []).Select(f => string.Create(CultureInfo.InvariantCulture, $" {f.Timeline}@{f.End}")))}");

    /// <summary>Reads the text form.</summary>
    public static bool TryParse(string system, string text, out LogHistory history)
    {
        string[] words = text.Split(' ');
        var forks = new List<TimelineFork>();
        history = new LogHistory(system, 0, null);
        if (!TryNumber(words[0], out uint timeline)) return false;
        foreach (string word in words.Skip(1))
        {
            string[] parts = word.Split('@');
            if (parts.Length != 2 || !TryNumber(parts[0], out uint earlier) || !Lsn.TryParse(parts[1], out var end)) return false;
            forks.Add(new TimelineFork(earlier, end));
        }
        history = new LogHistory(system, timeline, timeline > 1 && forks.Count == 0 ? null : forks);
        return true;
    }

    /// <summary>
    /// Reads a timeline history file as PostgreSQL sends it (PostgreSQL docs, TIMELINE_HISTORY): a line for each timeline before, with its number and where it was left.
    /// </summary>
    public static IReadOnlyList<TimelineFork> ParseFile(string content)
    {
        var forks = new List<TimelineFork>();
        foreach (string line in content.Split('\n'))
        {
            string[] words = line.Split((char[])[' ', '\t', '\r'], StringSplitOptions.RemoveEmptyEntries);
            if (words.Length >= 2 && TryNumber(words[0], out uint timeline) && Lsn.TryParse(words[1], out var end)) forks.Add(new TimelineFork(timeline, end));
        }
        return forks;
    }

    static bool TryNumber(string text, out uint number) => uint.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number) && number > 0;
}

/// <summary>What Redis says of the log that it follows.</summary>
/// <param name="Log">The log; null when Redis holds nothing of any. Its timeline is 0 when it was recorded by a version that did not know of timelines.</param>
/// <param name="Known">How far that log was known to reach. A server whose log ends before this has lost part of it.</param>
/// <param name="Through">What Redis holds of rows committed before this; <see cref="Lsn.None"/> when it holds none.</param>
public sealed record HeldHistory(LogHistory? Log, Lsn Known, Lsn Through)
{
    /// <summary>OID of the publication that was read by; 0 when there is no record of it.</summary>
    public uint Publication { get; init; }

    /// <summary>What PostgreSQL was told, at most, that it may forget.</summary>
    public Lsn Confirmed { get; init; }
}

/// <summary>How the log of a server relates to what Redis holds.</summary>
public enum HistoryVerdict
{
    /// <summary>It is the log that Redis follows, or Redis follows none yet.</summary>
    Same,
    /// <summary>It is a later timeline, which has all that Redis holds.</summary>
    Promoted,
    /// <summary>It is the same timeline, but ends before what was known of it: an older copy of the data was put back.</summary>
    WentBack,
    /// <summary>It is a later timeline that left the log before what Redis holds: recovery to a point in time, or a standby that lagged.</summary>
    Forked,
    /// <summary>It is a timeline before the one that Redis follows: an older copy, or a former primary.</summary>
    Older,
    /// <summary>It is a timeline that does not come from the one that Redis follows.</summary>
    Unrelated,
    /// <summary>It is another cluster: another database, a restored dump, or the outcome of pg_upgrade.</summary>
    OtherSystem,
    /// <summary>The log reaches as far, but a transaction that Redis knows of is not in it: an older copy was put back and has been written to since.</summary>
    Rewritten,
    /// <summary>The log goes on, but the publication was dropped and created again, so that changes in between are not sent.</summary>
    Republished,
}

/// <param name="Verdict">How the logs relate.</param>
/// <param name="At">Where the timeline that Redis follows was left, where the verdict speaks of that; else where the server's log ends, or the place of the missing transaction.</param>
public readonly record struct HistoryFinding(HistoryVerdict Verdict, Lsn At)
{
    /// <summary>Whether the positions in Redis say nothing of this log.</summary>
    public bool IsAbandoned => Verdict is not (HistoryVerdict.Same or HistoryVerdict.Promoted);
}

/// <summary>Compares what Redis says of the log with the log of the server. Pure.</summary>
public static class HistoryCheck
{
    /// <param name="held">What Redis says.</param>
    /// <param name="log">The server's log.</param>
    /// <param name="end">Where the server's log ends.</param>
    public static HistoryFinding Find(HeldHistory held, LogHistory log, Lsn end)
    {
        if (held.Log is not { } known) return new HistoryFinding(HistoryVerdict.Same, end);
        if (known.System != log.System) return new HistoryFinding(HistoryVerdict.OtherSystem, end);
        if (known.Timeline == 0 || known.Timeline == log.Timeline)
        {
            if (known.Timeline != 0 && !Agree(known.Forks, log.Forks, known.Forks?.Count)) return new HistoryFinding(HistoryVerdict.Unrelated, end);
            return new HistoryFinding(end < held.Known ? HistoryVerdict.WentBack : HistoryVerdict.Same, end);
        }
        if (log.Timeline < known.Timeline) return new HistoryFinding(HistoryVerdict.Older, end);
        int left = log.Forks?.ToList().FindIndex(f => f.Timeline == known.Timeline) ?? -1;
        if (left < 0 || !Agree(known.Forks, log.Forks, left)) return new HistoryFinding(HistoryVerdict.Unrelated, end);
        var at = log.Forks![left].End;
        return new HistoryFinding(held.Through > at ? HistoryVerdict.Forked : HistoryVerdict.Promoted, at);
    }

    /// <summary>Whether two histories name the same earlier timelines, as far as both are known.</summary>
    static bool Agree(IReadOnlyList<TimelineFork>? held, IReadOnlyList<TimelineFork>? log, int? count) =>
        held is null || log is null || (held.Count == count && log.Take(held.Count).SequenceEqual(held) && log.Count >= held.Count);
}
