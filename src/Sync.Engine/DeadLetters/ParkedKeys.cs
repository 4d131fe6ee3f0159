namespace Sync.Engine.DeadLetters;

/// <summary>
/// The ordering keys of one writer that have dead letters: what comes for them has to wait behind. Belongs to the writer alone.
/// A key added while a flight is put together is only certain once Redis has the flight: until <see cref="Keep"/> it can be taken back, so
/// that another attempt of the same flight begins where the first one did.
/// </summary>
public sealed class ParkedKeys
{
    readonly HashSet<byte[]> keys = new(KeyBytesComparer.Instance);
    readonly HashSet<byte[]>.AlternateLookup<ReadOnlySpan<byte>> lookup;
    readonly List<byte[]> uncertain = [];

    public ParkedKeys() => lookup = keys.GetAlternateLookup<ReadOnlySpan<byte>>();

    public int Count => keys.Count;

    public bool Contains(ReadOnlySpan<byte> key) => keys.Count > 0 && lookup.Contains(key);

    public void Add(ReadOnlySpan<byte> key)
    {
        if (lookup.Add(key)) uncertain.Add(key.ToArray());
    }

    /// <summary>Redis has what was added.</summary>
    public void Keep() => uncertain.Clear();

    /// <summary>Forgets what was added since <see cref="Keep"/>.</summary>
    public void Undo()
    {
        foreach (byte[] key in uncertain) keys.Remove(key);
        uncertain.Clear();
    }

    public void Remove(ReadOnlySpan<byte> key) => lookup.Remove(key);
}
