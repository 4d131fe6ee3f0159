namespace Sync.Engine.Mapping;

/// <summary>
/// FNV-1a, 64 bits, with a final mix: the same on every machine and in every version, because lanes and spread life times are derived
/// from it and have to survive restarts and mixed clusters.
/// </summary>
public static class StableHash
{
    public static ulong Of(ReadOnlySpan<byte> bytes)
    {
        ulong hash = 14695981039346656037;
        foreach (byte b in bytes) hash = (hash ^ b) * 1099511628211;
        // FNV's low bits are weak for short inputs that differ in the last byte; one round of murmur's finaliser spreads them.
        hash ^= hash >> 33;
        hash *= 0xff51afd7ed558ccd;
        return hash ^ (hash >> 33);
    }
}
