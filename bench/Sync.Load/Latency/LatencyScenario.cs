namespace Sync.Load.Latency;

/// <summary>Under which conditions a latency is measured.</summary>
/// <param name="RowsPerSecond">Row changes a second.</param>
/// <param name="Tables">Tables they are spread over.</param>
/// <param name="BusyCore">Whether another process spins meanwhile.</param>
sealed record LatencyScenario(int RowsPerSecond, int Tables, bool BusyCore)
{
    // One connection commits about 3,000 transactions a second; what goes beyond comes as more rows a transaction.
    const int mostTransactionsPerSecond = 2000;

    public static readonly IReadOnlyList<LatencyScenario> All =
    [
        .. from busy in (bool[])[false, true] from tables in (int[])[1, 8] from rate in (int[])[200, 2000, 10_000] select new LatencyScenario(rate, tables, busy),
    ];

    public int RowsPerTransaction => Math.Max(1, RowsPerSecond / mostTransactionsPerSecond);

    public int TransactionsPerSecond => RowsPerSecond / RowsPerTransaction;

    /// <summary>Where every row change tells of itself.</summary>
    public const string Channel = "pulse";

    public static string Table(int table) => $"pulse_{table}";
}
