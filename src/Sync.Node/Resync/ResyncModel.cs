using System.Text.Json;
using Sync.Contracts;
using Sync.Node.Http;

namespace Sync.Node.Resync;

public enum ResyncState
{
    /// <summary>Waits for another table's re-sync to end.</summary>
    Queued,
    Running,
    /// <summary>Held by a user, until he resumes it.</summary>
    Paused,
    Done,
    /// <summary>Given up by itself; <see cref="ResyncStatus.Error"/> says why.</summary>
    Failed,
    /// <summary>Given up by a user.</summary>
    Cancelled,
}

public enum ResyncPhase
{
    /// <summary>Every row is read and compared with its keys.</summary>
    Rows,
    /// <summary>Every key is traced back to its row.</summary>
    Keys,
}

/// <summary>The re-sync of one table, as the HTTP API, <c>actorsync resync</c> and Redis have it.</summary>
/// <param name="Table">schema.table.</param>
public sealed record ResyncStatus(string Table)
{
    public ResyncState State { get; init; } = ResyncState.Queued;
    public ResyncPhase Phase { get; init; }

    /// <summary>Rows read.</summary>
    public long Rows { get; init; }

    /// <summary>Keys traced back to a row.</summary>
    public long Keys { get; init; }

    /// <summary>Keys that were given what their row says.</summary>
    public long Mended { get; init; }

    /// <summary>Keys and parts of keys removed because no row leads to them.</summary>
    public long Removed { get; init; }

    /// <summary>Rows left alone because changes of theirs wait in the dead letters.</summary>
    public long Parked { get; init; }

    /// <summary>Rows that changed each time they were read, so that the stream alone keeps them right.</summary>
    public long Unsettled { get; init; }

    /// <summary>Rows that could not be written: as commands, or because Redis refused.</summary>
    public long Refused { get; init; }

    /// <summary>Rows read per second at most.</summary>
    public int Rate { get; init; } = DefaultRate;

    /// <summary>The last refusal, or why it failed; empty for none.</summary>
    public string Error { get; init; } = "";

    /// <summary>Commands whose effect can't be derived from rows, and keys that can't be traced back, each with the reason.</summary>
    public IReadOnlyList<string> NotCovered { get; init; } = [];
    public DateTimeOffset StartedAt { get; init; }
    public DateTimeOffset? EndedAt { get; init; }

    /// <summary>Whether the table had no copy in Redis before, or lost it: the end of this re-sync is the end of its copy.</summary>
    public bool IsCopy { get; init; }

    public const int DefaultRate = 10_000, HighestRate = 10_000_000;

    public bool IsOver => State is ResyncState.Done or ResyncState.Failed or ResyncState.Cancelled;
}

/// <summary>What is kept to go on after a restart.</summary>
/// <param name="Status">How far it is.</param>
/// <param name="After">The last key of the rows that were read; null before the first.</param>
/// <param name="Again">Rows that have to be read again, because the stream had them newer.</param>
/// <param name="Floor">Of a copy: what committed before this LSN shows in every row that it reads, and needs not be applied; empty otherwise.</param>
sealed record ResyncRecord(ResyncStatus Status, IReadOnlyList<string>? After, IReadOnlyList<IReadOnlyList<string>> Again, string Floor = "")
{
    /// <summary>Null for what another version wrote otherwise: that re-sync is forgotten.</summary>
    public static ResyncRecord? Parse(string text)
    {
        try
        {
            return JsonSerializer.Deserialize<ResyncRecord>(text, HttpJson.Lenient);
        }
        catch (JsonException)
        {
            return null;
        }
    }

    public Lsn FloorLsn => Lsn.TryParse(Floor, out var lsn) ? lsn : Lsn.None;
}

/// <param name="Key">A key in Redis.</param>
/// <param name="Part">Field or member of it; null for the key itself.</param>
public sealed record RepairPlace(string Key, string? Part = null);

/// <param name="Table">schema.table.</param>
/// <param name="Rows">Rows to compare with their keys and to write where they differ; each as its primary key in PostgreSQL's text.</param>
/// <param name="Remove">What is to be removed if no row leads to it.</param>
public sealed record RepairRequest(string Table, IReadOnlyList<IReadOnlyList<string>> Rows, IReadOnlyList<RepairPlace> Remove);

/// <param name="Mended">Keys that were given what their row says.</param>
/// <param name="Removed">Keys and parts of keys removed.</param>
/// <param name="Left">Rows and keys left as they are: dead letters wait, Redis refused, or they changed each time.</param>
/// <param name="Error">The last refusal; empty for none.</param>
public sealed record RepairReply(long Mended, long Removed, long Left, string Error);

/// <param name="Table">schema.table; null for all.</param>
/// <param name="Rate">Rows per second at most, 1 or more; null for the default.</param>
public sealed record ResyncRequest(string? Table = null, int? Rate = null);

/// <param name="Resyncs">Those under way, and the last one of each table.</param>
public sealed record ResyncReply(IReadOnlyList<ResyncStatus> Resyncs);

/// <summary>What a user asks of a re-sync that is under way.</summary>
public enum ResyncOrder { Pause, Resume, Cancel }
