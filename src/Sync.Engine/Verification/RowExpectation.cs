using Sync.Engine.DeadLetters;

namespace Sync.Engine.Verification;

/// <summary>What Redis must hold because of one row. Made by <see cref="VerificationPlan.Expect"/>.</summary>
public sealed class RowExpectation
{
    readonly Dictionary<byte[], ExpectedKey> keys = new(KeyBytesComparer.Instance);
    readonly HashSet<byte[]> open = new(KeyBytesComparer.Instance);

    /// <summary>Whether the row can't be expressed as commands, so that it is among the dead letters.</summary>
    public bool IsPoison { get; internal set; }

    public IReadOnlyCollection<ExpectedKey> Keys => keys.Values;

    /// <summary>
    /// Whether the row puts this part, or this key, there; also when it may have done so earlier, under a condition that does not hold any
    /// more and that no command undoes.
    /// </summary>
    /// <param name="key">The key.</param>
    /// <param name="part">Field or member; null for the key itself.</param>
    public bool Claims(byte[] key, byte[]? part) =>
        IsPoison || open.Contains(key) || (keys.TryGetValue(key, out var expected) && expected.Claims(part, part is not null));

    internal ExpectedKey Of(ReadOnlySpan<byte> key)
    {
        byte[] bytes = key.ToArray();
        if (!keys.TryGetValue(bytes, out var expected)) keys.Add(bytes, expected = new ExpectedKey(bytes));
        return expected;
    }

    internal ExpectedKey? Find(byte[] key) => keys.GetValueOrDefault(key);

    /// <summary>The key may hold more than the row says.</summary>
    internal void Open(byte[] key) => open.Add(key);

    internal bool IsOpen(byte[] key) => open.Contains(key);

    internal void Remove(byte[] key) => keys.Remove(key);
}
