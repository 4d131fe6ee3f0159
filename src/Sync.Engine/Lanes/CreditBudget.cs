namespace Sync.Engine.Lanes;

/// <summary>
/// Bounds what all lanes together have unacknowledged. When it is full the reader stops reading and PostgreSQL keeps the log. A batch larger than the
/// bound passes when nothing else is under way, so that it can't stop everything for good. Belongs to the reader alone.
/// </summary>
/// <param name="maxBytes">The bound, 1 or more.</param>
public sealed class CreditBudget(long maxBytes)
{
    /// <summary>What is unacknowledged now, in bytes.</summary>
    public long UnderWay { get; private set; }

    /// <summary>Takes room for a batch; false when there is none.</summary>
    public bool TryTake(long bytes)
    {
        if (UnderWay > 0 && UnderWay + bytes > maxBytes) return false;
        UnderWay += bytes;
        return true;
    }

    /// <summary>Gives back what was acknowledged.</summary>
    public void Release(long bytes)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(bytes, UnderWay);
        UnderWay -= bytes;
    }
}
