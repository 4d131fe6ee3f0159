namespace Sync.Node.Cluster;

/// <summary>
/// Which lanes this node has taken, and from which Redis. A claim counts only with the Redis that gave it: one that was restarted may hold less of the lane than the
/// takeover read there. Thread-safe; one for each node.
/// </summary>
sealed class LaneClaimBook
{
    readonly Lock gate = new();
    readonly Dictionary<int, (long Claim, string History)> taken = [];
    long highest;
    string? left;

    /// <summary>The highest claim that Redis has given this node.</summary>
    public long Highest
    {
        get { lock (gate) return highest; }
    }

    /// <summary>A lane was taken.</summary>
    public void Taken(int lane, long claim, string history)
    {
        lock (gate)
        {
            taken[lane] = (claim, history);
            highest = Math.Max(highest, claim);
        }
    }

    /// <summary>A lane was given up.</summary>
    public void GivenUp(int lane, long claim)
    {
        lock (gate)
            if (taken.TryGetValue(lane, out var known) && known.Claim == claim) taken.Remove(lane);
    }

    /// <summary>Whether this is the last takeover of the lane here, and was made with a Redis of this history.</summary>
    public bool Holds(int lane, long claim, string history)
    {
        lock (gate)
        {
            if (!taken.TryGetValue(lane, out var known) || known.Claim != claim) return false;
            if (known.History != history) left = known.History;
            return known.History == history;
        }
    }

    /// <summary>Whether this is the last takeover of the lane here, but was made with a Redis of another history.</summary>
    public bool IsElsewhere(int lane, long claim, string history)
    {
        lock (gate) return taken.TryGetValue(lane, out var known) && known.Claim == claim && known.History != history;
    }

    /// <summary>Whether a writer, which connects when it has to, has found another Redis than the one of this history.</summary>
    public bool WasLeft(string history)
    {
        lock (gate) return left == history;
    }

    /// <summary>How many lanes this node has, as far as it knows.</summary>
    public int Count
    {
        get { lock (gate) return taken.Count; }
    }
}
