namespace Sync.Engine.Mapping;

/// <summary>
/// FNV-1a, 64 bits, with a final mix: the same on every machine and in every version, because lanes and spread life times are derived
/// from it and have to survive restarts and mixed clusters.
/// </summary>
public static class StableHash
{
    /// <summary>What is known of the hash when its first bytes are: <see cref="Of(Seed, ReadOnlySpan{byte})"/> goes on from there.</summary>
    /// <param name="State">FNV's state behind them.</param>
    /// <param name="Length">How many bytes they are.</param>
    public readonly record struct Seed(ulong State, int Length);

    /// <summary>The hash of no bytes, as something to go on from.</summary>
    public static Seed Begin { get; } = new(14695981039346656037, 0);

    public static Seed Behind(ReadOnlySpan<byte> beginning) => new(Mix(Begin.State, beginning), beginning.Length);

    public static ulong Of(ReadOnlySpan<byte> bytes) => Of(Begin, bytes);

    /// <summary>The hash of <paramref name="bytes"/>, which begin with those that <paramref name="seed"/> was made of.</summary>
    public static ulong Of(Seed seed, ReadOnlySpan<byte> bytes)
    {
        ulong hash = Mix(seed.State, bytes[seed.Length..]);
        // FNV's low bits are weak for short inputs that differ in the last byte; one round of murmur's finaliser spreads them.
        hash ^= hash >> 33;
        hash *= 0xff51afd7ed558ccd;
        return hash ^ (hash >> 33);
    }

    static ulong Mix(ulong hash, ReadOnlySpan<byte> bytes)
    {
        foreach (byte b in bytes) hash = (hash ^ b) * 1099511628211;
        return hash;
    }
}
