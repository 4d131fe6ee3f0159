using Sync.Contracts;
using Sync.Contracts.Configuration;
using Sync.Contracts.Rows;
using Sync.Engine.Verification;
using Sync.Postgres.Rows;

namespace Sync.Node.Verification;

/// <summary>A table that can be compared, on both sides.</summary>
/// <param name="config">As configured.</param>
/// <param name="relation">With its published columns.</param>
/// <param name="plan">What rows say.</param>
/// <param name="chunks">Its rows.</param>
/// <param name="query">The snapshot's condition: rows it leaves out come with their next change only, so that they may be missing. Null for none.</param>
sealed class TableParts(TableConfig config, Relation relation, VerificationPlan plan, RowChunks chunks, string? query) : IAsyncDisposable
{
    public TableConfig Config => config;
    public Relation Relation => relation;
    public VerificationPlan Plan => plan;
    public RowChunks Chunks => chunks;
    public string? Query => query;

    public RowExpectation Expect(ReadRow row) => plan.Expect(Change(ChangeKind.Insert, row.Tuple));

    /// <summary>The same, but a key that may have come to the end of its life has to be there.</summary>
    public RowExpectation Insist(ReadRow row) => plan.Expect(Change(ChangeKind.Insert, row.Tuple), insists: true);

    /// <summary>The ordering key of a row that may not exist: of its columns only the primary key is known then.</summary>
    public byte[] OrderingKey(IReadOnlyList<string> key, ReadRow? row)
    {
        if (row is not null) return plan.OrderingKey(Change(ChangeKind.Insert, row.Tuple));
        byte[][] values = [.. key.Select(LosslessText.GetBytes)];
        var cells = new Cell[relation.Columns.Count];
        int at = 0;
        for (int i = 0; i < values.Length; i++)
        {
            cells[relation.PrimaryKey[i]] = new Cell(CellState.Text, at, values[i].Length);
            at += values[i].Length;
        }
        return plan.OrderingKey(Change(ChangeKind.Insert, new RowTuple(values.SelectMany(v => v).ToArray(), cells)));
    }

    RowChange Change(ChangeKind kind, RowTuple row) => new() { Relation = relation, Kind = kind, New = row };

    public ValueTask DisposeAsync() => chunks.DisposeAsync();
}
