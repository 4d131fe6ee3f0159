namespace Sync.Engine.DeadLetters;

/// <summary>
/// The ordering keys of one writer that have dead letters: what comes for them has to wait behind. Belongs to the writer alone.
/// </summary>
public sealed class ParkedKeys
{
    readonly HashSet<byte[]> keys = new(KeyBytesComparer.Instance);
    readonly HashSet<byte[]>.AlternateLookup<ReadOnlySpan<byte>> lookup;

    public ParkedKeys() => lookup = keys.GetAlternateLookup<ReadOnlySpan<byte>>();

    public int Count => keys.Count;

    public bool Contains(ReadOnlySpan<byte> key) => keys.Count > 0 && lookup.Contains(key);

    public void Add(ReadOnlySpan<byte> key) => lookup.Add(key);

    public void Remove(ReadOnlySpan<byte> key) => lookup.Remove(key);
}
