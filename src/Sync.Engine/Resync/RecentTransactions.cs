namespace Sync.Engine.Resync;

/// <summary>
/// The last transactions the stream has carried, oldest first. It carries a transaction once its commit is on disk, which is before queries see
/// it; a server process has one commit at a time, so that those not seen yet are among the last, as many as there are connections. Written by the
/// reader for every transaction, read rarely.
/// </summary>
/// <param name="capacity">How many, a power of two; more than the server has connections.</param>
public sealed class RecentTransactions(int capacity = RecentTransactions.DefaultCapacity)
{
    public const int DefaultCapacity = 4096;

    readonly uint[] ring = new uint[capacity];
    long count;

    public void Add(uint transaction)
    {
        long at = count;
        ring[at & (capacity - 1)] = transaction;
        Volatile.Write(ref count, at + 1);
    }

    /// <summary>Forgets them: they belong to a history that PostgreSQL has left. Not while anything streams.</summary>
    public void Clear() => Volatile.Write(ref count, 0);

    /// <summary>What the ring holds now; what is added meanwhile may or may not be in it.</summary>
    public uint[] ToArray()
    {
        long end = Volatile.Read(ref count);
        return end >= capacity ? [.. ring] : ring[..(int)end];
    }
}
