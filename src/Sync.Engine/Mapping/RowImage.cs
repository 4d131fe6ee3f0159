using System.Runtime.CompilerServices;
using Sync.Contracts.Rows;

namespace Sync.Engine.Mapping;

/// <summary>
/// One side of a change as templates see it: the current values, the old ones, and where an unchanged TOASTed value may be
/// taken from. An update is one image; an update that moves the row is two: a delete of the old row, then an insert.
/// </summary>
readonly ref struct RowImage
{
    readonly RowTuple current;
    readonly RowTuple old;
    readonly RowTuple fallback;
    readonly RowTuple reread;
    readonly RowTuple guess;
    readonly bool isReread;
    readonly bool identityKept;

    RowImage(in RowChange change, ChangeKind kind, RowTuple current, RowTuple old, RowTuple fallback, bool identityKept, RowTuple guess = default)
    {
        reread = change.Reread;
        isReread = change.IsReread;
        this.guess = guess;
        Kind = kind;
        Relation = change.Relation;
        TransactionId = change.TransactionId;
        CommitTimeUtc = change.CommitTimeUtc;
        this.current = current;
        this.old = old;
        this.fallback = fallback;
        this.identityKept = identityKept;
    }

    /// <summary>The change as it came.</summary>
    public static RowImage Of(in RowChange change) => change.Kind switch
    {
        ChangeKind.Update => new RowImage(change, ChangeKind.Update, change.New, change.Old, change.Old, identityKept: !change.Old.IsPresent),
        ChangeKind.Delete => new RowImage(change, ChangeKind.Delete, change.Old, change.Old, default, identityKept: false),
        _ => new RowImage(change, change.Kind, change.New, default, default, identityKept: false),
    };

    /// <summary>The end of the row as it was. Without old values the new ones stand in: the identity has not changed then.</summary>
    public static RowImage Before(in RowChange change)
    {
        var row = change.Old.IsPresent ? change.Old : change.New;
        return new RowImage(change, ChangeKind.Delete, row, row, default, identityKept: false);
    }

    /// <summary>
    /// The end of the row as it was, with the new values where PostgreSQL did not send the old ones: most updates of a key change nothing
    /// else. Good for what tidies up, which does no harm when it is wrong; not for deciding.
    /// </summary>
    public static RowImage ProbablyBefore(in RowChange change) =>
        change.Old.IsPresent ? new RowImage(change, ChangeKind.Delete, change.Old, change.Old, default, identityKept: false, change.New) : Before(change);

    /// <summary>The row as it is now, as if it had been inserted.</summary>
    public static RowImage After(in RowChange change) => new(change, ChangeKind.Insert, change.New, default, change.Old, identityKept: false);

    public ChangeKind Kind { get; }
    public Relation Relation { get; }
    public uint TransactionId { get; }
    public DateTime CommitTimeUtc { get; }

    /// <summary>Whether PostgreSQL sent anything of the row as it was.</summary>
    public bool HasOld => old.IsPresent;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public CellState State(int column)
    {
        var state = current.State(column);
        return state is CellState.Text or CellState.Null ? state : StateElsewhere(column, state);
    }

    /// <summary>The state of a value that is not in the current row.</summary>
    CellState StateElsewhere(int column, CellState state)
    {
        if (state == CellState.Missing && guess.State(column) is CellState.Text or CellState.Null) return guess.State(column);
        if (state != CellState.Unchanged) return state;
        var before = fallback.State(column);
        if (before is CellState.Text or CellState.Null) return before;
        if (!isReread) return CellState.Unchanged;
        var now = reread.State(column);
        return now is CellState.Text or CellState.Null ? now : CellState.Missing;
    }

    /// <summary>For the end of a row that moves: whether the column is, as far as is known, the same behind the move.</summary>
    public bool Stays(int column)
    {
        if (!guess.IsPresent) return false;
        CellState before = current.State(column), now = guess.State(column);
        return before == CellState.Missing || now == CellState.Unchanged || (before == now && current.Value(column).SequenceEqual(guess.Value(column)));
    }

    /// <summary>Whether the row was read again and was gone by then: a delete or a move of it follows in the stream.</summary>
    public bool IsGone => isReread && !reread.IsPresent;

    /// <summary>Whether the update left the value alone and nothing that is known of the row holds it.</summary>
    public bool IsUnsent(int column) =>
        current.State(column) == CellState.Unchanged && State(column) is CellState.Unchanged or CellState.Missing && (IsGone || !isReread);

    /// <summary>Whether PostgreSQL says that the update left the value alone.</summary>
    public bool IsLeftAlone(int column) => current.State(column) == CellState.Unchanged;

    /// <summary>The current value's bytes, with true and false spelt out for booleans; empty unless the state is Text.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public ReadOnlySpan<byte> Value(int column)
    {
        var value = current.State(column) is CellState.Text or CellState.Null ? current.Value(column) : ValueElsewhere(column);
        return value.Length == 1 ? Spell(column, value) : value;
    }

    /// <summary>A value that is not in the current row.</summary>
    ReadOnlySpan<byte> ValueElsewhere(int column)
    {
        if (current.State(column) == CellState.Missing) return guess.Value(column);
        return fallback.State(column) is CellState.Text or CellState.Null ? fallback.Value(column) : reread.Value(column);
    }

    /// <summary>
    /// What is known of the value before the change. When PostgreSQL sends no old row with an update, the columns of the
    /// replica identity are known all the same: they did not change. Nor did a TOASTed value that was left alone.
    /// </summary>
    public CellState OldState(int column) => IsKept(column) ? State(column) : old.State(column);

    public ReadOnlySpan<byte> OldValue(int column) => IsKept(column) ? Value(column) : Spell(column, old.Value(column));

    bool IsKept(int column) => (identityKept && Relation.Columns[column].InIdentity) || (Kind == ChangeKind.Update && IsLeftAlone(column));

    /// <summary>Whether an update is known to have changed the column.</summary>
    public bool Changed(int column)
    {
        var before = OldState(column);
        if (before is not (CellState.Text or CellState.Null)) return false;
        var now = State(column);
        if (now is CellState.Unchanged or CellState.Missing) return false;
        return before != now || (now == CellState.Text && !OldValue(column).SequenceEqual(Value(column)));
    }

    ReadOnlySpan<byte> Spell(int column, ReadOnlySpan<byte> value)
    {
        if (value.Length != 1 || Relation.Columns[column].Type.Kind != ValueKind.Boolean) return value;
        return value[0] == (byte)'t' ? "true"u8 : value[0] == (byte)'f' ? "false"u8 : value;
    }
}
