using Sync.Contracts.Rows;
using Sync.Engine.Mapping;

namespace Sync.Node.Hosting;

/// <summary>
/// The primary keys that rows took in the transaction under way, for tables whose key is deferrable. Eight bytes a key: a key that is
/// taken for another costs one reading of a row that is not there.
/// </summary>
sealed class KeyOccupants
{
    readonly HashSet<ulong> taken = [];
    byte[] scratch = new byte[256];

    /// <summary>Where the occupant of a key is mapped to.</summary>
    public MappedChange Mapped { get; } = new();

    public void Clear()
    {
        if (taken.Count > 0) taken.Clear();
    }

    /// <summary>Follows one change of the transaction. True when the row leaves a key that a row took before in the same transaction.</summary>
    public bool Follow(Relation relation, RowTuple now, RowTuple old)
    {
        ulong left = old.IsPresent ? HashOf(relation, old) : 0;
        ulong entered = now.IsPresent ? HashOf(relation, now) : 0;
        bool leavesTaken = old.IsPresent && left != entered && taken.Contains(left);
        if (now.IsPresent) taken.Add(entered);
        return leavesTaken;
    }

    ulong HashOf(Relation relation, RowTuple row)
    {
        int length = sizeof(uint);
        BitConverter.TryWriteBytes(scratch, relation.Oid);
        foreach (int column in relation.PrimaryKey)
        {
            var value = row.Value(column);
            if (scratch.Length < length + value.Length + 1) Array.Resize(ref scratch, 2 * (length + value.Length + 1));
            value.CopyTo(scratch.AsSpan(length));
            length += value.Length;
            scratch[length++] = 0;
        }
        return StableHash.Of(scratch.AsSpan(0, length));
    }
}
