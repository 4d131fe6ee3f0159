using Sync.Contracts;
using Sync.Contracts.Rows;

namespace Sync.Engine.Resync;

/// <summary>
/// Remembers which rows of one table the stream has changed, and by which transaction, so that a row that was read elsewhere can be told from one
/// that is newer in the stream. Per row the last transaction is enough: the row's lock makes each wait until the one before can be seen.
/// Used by the reader of the stream and by whoever reads the rows; thread-safe.
/// </summary>
/// <param name="capacity">Rows remembered at most; beyond, nothing is known any more until <see cref="Restart"/>.</param>
public sealed class ChangeWatch(int capacity = ChangeWatch.DefaultCapacity)
{
    public const int DefaultCapacity = 200_000;

    readonly Lock gate = new();
    readonly Dictionary<string, uint> changed = new(StringComparer.Ordinal);
    bool isSpoiled;

    /// <summary>Whether it can't tell any more: too many rows changed, the table was emptied or altered, or a key could not be read.</summary>
    public bool IsSpoiled
    {
        get { lock (gate) return isSpoiled; }
    }

    /// <summary>How many rows are remembered.</summary>
    public int Count
    {
        get { lock (gate) return changed.Count; }
    }

    /// <summary>A change went by. An update of the primary key counts for the old and the new one.</summary>
    public void Note(in RowChange change)
    {
        if (change.Kind != ChangeKind.Delete) Note(change.Relation, change.New, change.Old, change.TransactionId);
        if (change.Kind != ChangeKind.Insert && change.Old.IsPresent) Note(change.Relation, change.Old, default, change.TransactionId);
    }

    void Note(Relation relation, RowTuple row, RowTuple other, uint transaction)
    {
        string? key = KeyOf(relation, row, other);
        lock (gate)
        {
            if (isSpoiled) return;
            if (key is not null && (changed.Count < capacity || changed.ContainsKey(key))) changed[key] = transaction;
            else SpoilLocked();
        }
    }

    /// <summary>Something happened after which no row is what it was read as.</summary>
    public void Spoil()
    {
        lock (gate) SpoilLocked();
    }

    void SpoilLocked()
    {
        isSpoiled = true;
        changed.Clear();
        changed.TrimExcess();
    }

    /// <summary>Begins to remember anew. What was noted before is unknown.</summary>
    public void Restart()
    {
        lock (gate)
        {
            isSpoiled = false;
            changed.Clear();
        }
    }

    /// <summary>Whether the stream has changed a row by a transaction that <paramref name="sight"/> does not show, so that what was read is old.</summary>
    /// <param name="key">The row's primary key in PostgreSQL's text.</param>
    /// <param name="sight">What was seen when the row was read.</param>
    public bool IsNewer(IReadOnlyList<string> key, SnapshotSight sight)
    {
        lock (gate) return isSpoiled || (changed.TryGetValue(Join(key), out uint transaction) && !sight.Sees(transaction));
    }

    /// <summary>Forgets what <paramref name="sight"/> shows, since every later one shows it as well.</summary>
    public void Forget(SnapshotSight sight)
    {
        lock (gate)
            foreach (var (key, transaction) in changed)
                if (sight.Sees(transaction)) changed.Remove(key);
    }

    static string? KeyOf(Relation relation, RowTuple row, RowTuple other)
    {
        string[] values = new string[relation.PrimaryKey.Count];
        for (int i = 0; i < values.Length; i++)
        {
            int column = relation.PrimaryKey[i];
            if (row.State(column) == CellState.Text) values[i] = LosslessText.GetString(row.Value(column));
            else if (other.IsPresent && other.State(column) == CellState.Text) values[i] = LosslessText.GetString(other.Value(column));
            else return null;
        }
        return values.Length == 0 ? null : Join(values);
    }

    /// <summary>PostgreSQL's texts hold no zero byte.</summary>
    static string Join(IReadOnlyList<string> key) => key.Count == 1 ? key[0] : string.Join('\0', key);
}
