using Sync.Contracts.Rows;

namespace Sync.Node.Hosting;

/// <summary>A row image whose unsent values were filled in from a second reading. One per reader, reused.</summary>
sealed class FilledRow
{
    byte[] data = new byte[4096];
    Cell[] cells = [];
    int columns;

    public RowTuple Tuple => new(data, cells.AsSpan(0, columns));

    /// <summary>
    /// Takes the row as it was sent; an unchanged TOASTed value comes from <paramref name="reread"/>, or counts as missing when the row is gone
    /// by now: its delete follows in the stream.
    /// </summary>
    public void Fill(RowTuple sent, RowTuple reread, int columnCount)
    {
        columns = columnCount;
        if (cells.Length < columns) cells = new Cell[columns];
        int length = 0;
        for (int i = 0; i < columns; i++)
        {
            bool unsent = sent.State(i) == CellState.Unchanged;
            var state = unsent ? reread.State(i) : sent.State(i);
            var value = unsent ? reread.Value(i) : sent.Value(i);
            if (state == CellState.Unchanged) state = CellState.Missing;
            if (length + value.Length > data.Length) Array.Resize(ref data, Math.Max(2 * data.Length, length + value.Length));
            value.CopyTo(data.AsSpan(length));
            cells[i] = new Cell(state, length, value.Length);
            length += value.Length;
        }
    }
}
