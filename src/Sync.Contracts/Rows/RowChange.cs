namespace Sync.Contracts.Rows;

/// <summary>What is known of one value of a row.</summary>
public enum CellState : byte
{
    /// <summary>PostgreSQL did not send it: not part of the replica identity, or the whole old row is absent.</summary>
    Missing,
    /// <summary>SQL NULL.</summary>
    Null,
    /// <summary>A TOASTed value the update did not touch and PostgreSQL therefore did not send.</summary>
    Unchanged,
    /// <summary>PostgreSQL's text, UTF-8.</summary>
    Text,
}

/// <summary>One value: a state and, for <see cref="CellState.Text"/>, where its bytes stand in the tuple's data.</summary>
public readonly record struct Cell(CellState State, int Offset = 0, int Length = 0);

/// <summary>One row image. The memory belongs to the reader and is valid only during the call it is handed to.</summary>
public readonly ref struct RowTuple(ReadOnlySpan<byte> data, ReadOnlySpan<Cell> cells)
{
    readonly ReadOnlySpan<byte> data = data;
    readonly ReadOnlySpan<Cell> cells = cells;

    /// <summary>False for the old image of an insert, the new one of a delete, and an old one PostgreSQL did not send.</summary>
    public bool IsPresent => !cells.IsEmpty;

    /// <summary>A column beyond the tuple, or any of an absent tuple, is <see cref="CellState.Missing"/>.</summary>
    public CellState State(int column) => (uint)column < (uint)cells.Length ? cells[column].State : CellState.Missing;

    /// <summary>The value's bytes; empty unless its state is <see cref="CellState.Text"/>.</summary>
    public ReadOnlySpan<byte> Value(int column)
    {
        if ((uint)column >= (uint)cells.Length) return default;
        ref readonly var cell = ref cells[column];
        return cell.State == CellState.Text ? data.Slice(cell.Offset, cell.Length) : default;
    }
}

/// <summary>What happened to a row; values are pgoutput's message bytes (PostgreSQL docs, "Logical Replication Message Formats").</summary>
public enum ChangeKind : byte
{
    Insert = (byte)'I',
    Update = (byte)'U',
    Delete = (byte)'D',
    Truncate = (byte)'T',

    /// <summary>Nothing: the row was read again, and what Redis holds of it is compared. Only on its way to a lane; no message of pgoutput's.</summary>
    Compare = (byte)'V',
}

/// <summary>
/// One row as it was committed, on its way from the decoder into the mapping. A ref struct: it points into the reader's
/// buffers and can't outlive the call. Old values that PostgreSQL withholds are <see cref="CellState.Missing"/>, also
/// where the protocol pads them with NULL (the 'K' tuple of updates and deletes).
/// </summary>
public readonly ref struct RowChange
{
    public required Relation Relation { get; init; }
    public required ChangeKind Kind { get; init; }

    /// <summary>The row after the change; absent for deletes and truncates.</summary>
    public RowTuple New { get; init; }

    /// <summary>The row before the change, as far as the replica identity gives it.</summary>
    public RowTuple Old { get; init; }

    /// <summary>
    /// The row as it was read again, for the values of <see cref="New"/> that are <see cref="CellState.Unchanged"/>; absent when the row is gone
    /// by now.
    /// </summary>
    public RowTuple Reread { get; init; }

    /// <summary>Whether the row was read again: what <see cref="Reread"/> lacks then is not to be had.</summary>
    public bool IsReread { get; init; }

    /// <summary>The first of the row's two steps.</summary>
    public Position Position { get; init; }

    /// <summary>The transaction's id; 0 for snapshot rows.</summary>
    public uint TransactionId { get; init; }

    /// <summary>When the transaction committed; for snapshot rows when the snapshot was taken.</summary>
    public DateTime CommitTimeUtc { get; init; }
}
