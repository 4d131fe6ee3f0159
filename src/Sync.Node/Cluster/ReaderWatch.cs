namespace Sync.Node.Cluster;

/// <summary>
/// Tells when a node is left behind: a reader has begun with Redis, and goes on for long without this node hearing of it. Readers tell all members of their cluster every few seconds, so the
/// cluster goes on without this one, and nobody could tell it so. What had begun before this node's first look does not count, as it may have ended since.
/// </summary>
/// <param name="patience">How long such a reader may go unheard.</param>
sealed class ReaderWatch(TimeSpan patience)
{
    long? known;
    DateTimeOffset? unheardSince;

    /// <summary>Looks again.</summary>
    /// <param name="begun">The reader that has begun last with Redis.</param>
    /// <param name="heard">The last that this node has heard of.</param>
    /// <param name="now">The time.</param>
    /// <returns>Whether this node is left behind.</returns>
    public bool IsLeftBehind(long begun, long heard, DateTimeOffset now)
    {
        known ??= begun;
        if (heard >= begun) known = begun;
        if (begun <= known)
        {
            unheardSince = null;
            return false;
        }
        unheardSince ??= now;
        return now - unheardSince > patience;
    }
}
