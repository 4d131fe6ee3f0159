using System.Text.Json.Serialization;
using Sync.Contracts;

namespace Sync.Node.Verification;

/// <summary>What a comparison asks for.</summary>
/// <param name="Table">Only this table, as <c>schema.table</c>; null for all.</param>
/// <param name="RowsPerSecond">Rows read from PostgreSQL, and keys looked up, at most; 1 or more.</param>
/// <param name="Repair">Whether the running node is asked to mend what differs.</param>
/// <param name="Examples">Differences shown of each table, 0 to 1000.</param>
sealed record VerifyOptions(string? Table, int RowsPerSecond, bool Repair, int Examples)
{
    public const int DefaultRowsPerSecond = 10_000;

    /// <summary>Rows in memory at once.</summary>
    public int ChunkRows { get; init; } = 1000;

    /// <summary>Bytes of rows in memory at once, but for the last one.</summary>
    public long ChunkBytes { get; init; } = 8 << 20;
}

/// <summary>A difference, for people: values are cut short.</summary>
/// <param name="Kind">missing, different, extra, parked, unsettled or contested.</param>
/// <param name="Key">The key in Redis.</param>
/// <param name="Row">Primary key of the row, its columns joined by a comma; empty when there is none.</param>
/// <param name="What">What differs.</param>
sealed record VerifyExample(string Kind, string Key, string Row, string What);

/// <summary>What was found of one table. Counts are of keys, or of parts of keys that rows share.</summary>
sealed record TableReport(string Table)
{
    /// <summary>Rows compared.</summary>
    public long Rows { get; set; }

    /// <summary>Keys compared that rows ask for.</summary>
    public long Keys { get; set; }

    /// <summary>Keys in Redis that were traced back to a row.</summary>
    public long Searched { get; set; }
    public long Missing { get; set; }
    public long Different { get; set; }
    public long Extra { get; set; }

    /// <summary>Differences of rows whose changes wait in the dead letters.</summary>
    public long Parked { get; set; }

    /// <summary>Differences of rows that changed each time they were looked at.</summary>
    public long Unsettled { get; set; }

    /// <summary>Differences where another table's mapping may have written as well.</summary>
    public long Contested { get; set; }

    /// <summary>Keys that can't be traced back to one row.</summary>
    public long Untraceable { get; set; }

    /// <summary>Differences that were gone after the node had been asked to mend them.</summary>
    public long Repaired { get; set; }

    /// <summary>Why the table could not be compared, or not to its end; empty when it was.</summary>
    public string Skipped { get; set; } = "";

    /// <summary>The class of what somebody has to mend before the table can be compared; null when there is nothing.</summary>
    [JsonIgnore]
    public ExitCode? Trouble { get; set; }

    /// <summary>Whether anything of the table follows from its rows, so that it could be compared.</summary>
    public bool Compared { get; set; }
    public IReadOnlyList<string> NotVerifiable { get; init; } = [];
    public IReadOnlyList<string> NotSearched { get; init; } = [];
    public List<VerifyExample> Examples { get; } = [];

    public long Drift => Missing + Different + Extra;
}

/// <param name="Node">Who kept Redis up to date meanwhile; empty when nobody did.</param>
/// <param name="Position">Redis held at least everything that was committed up to here.</param>
/// <param name="Note">What a reader should know of all tables; empty for nothing.</param>
/// <param name="Tables">In the order of the configuration.</param>
sealed record VerifyReport(string Node, string Position, string Note, IReadOnlyList<TableReport> Tables)
{
    public long Drift => Tables.Sum(t => t.Drift);

    /// <summary>Drift first, then what kept a table from being compared; a comparison of nothing has failed as well.</summary>
    [JsonIgnore]
    public ExitCode Outcome => Drift > 0 ? ExitCode.Drift
        : Tables.FirstOrDefault(t => t.Trouble is not null)?.Trouble ?? (Tables.Any(t => t.Compared) ? ExitCode.Ok : ExitCode.CheckFailed);
}
