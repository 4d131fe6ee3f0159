using Sync.Contracts.Cluster;

namespace Sync.Actors.Tests.Coordination;

/// <summary>A store of leases that all nodes of a test share.</summary>
sealed class MemoryLeases : ILeaseStore
{
    readonly Dictionary<string, (string Owner, long Fence, long Renewals, long Expires)> rows = [];
    bool isAway;

    /// <summary>Who holds a lease; null when nobody does.</summary>
    public string? Holder(string name)
    {
        lock (rows) return rows.TryGetValue(name, out var row) && row.Expires > Now ? row.Owner : null;
    }

    /// <summary>Questions fail until further notice.</summary>
    public bool IsAway
    {
        set
        {
            lock (rows) isAway = value;
        }
    }

    static long Now => Environment.TickCount64;

    public ValueTask<LeaseRecord> AcquireAsync(string name, string owner, TimeSpan duration, CancellationToken cancellationToken)
    {
        lock (rows)
        {
            Check();
            if (!rows.TryGetValue(name, out var row) || row.Expires <= Now) row = (owner, row.Fence + 1, row.Renewals, 0);
            if (row.Owner == owner) row = row with { Renewals = row.Renewals + 1, Expires = Now + (long)duration.TotalMilliseconds };
            rows[name] = row;
            return new(new LeaseRecord(row.Owner, row.Fence, row.Renewals, TimeSpan.FromMilliseconds(row.Expires - Now)));
        }
    }

    public ValueTask<bool> RenewAsync(string name, long fence, TimeSpan duration, CancellationToken cancellationToken)
    {
        lock (rows)
        {
            Check();
            if (!rows.TryGetValue(name, out var row) || row.Fence != fence || row.Expires == 0) return new(false);
            rows[name] = row with { Renewals = row.Renewals + 1, Expires = Now + (long)duration.TotalMilliseconds };
            return new(true);
        }
    }

    public ValueTask ReleaseAsync(string name, long fence, CancellationToken cancellationToken)
    {
        lock (rows)
        {
            Check();
            if (rows.TryGetValue(name, out var row) && row.Fence == fence) rows[name] = row with { Expires = 0 };
        }
        return default;
    }

    public ValueTask<LeaseRecord?> ReadAsync(string name, CancellationToken cancellationToken)
    {
        lock (rows)
        {
            Check();
            return new(rows.TryGetValue(name, out var row) && row.Expires > Now
                ? new LeaseRecord(row.Owner, row.Fence, row.Renewals, TimeSpan.FromMilliseconds(row.Expires - Now))
                : null);
        }
    }

    void Check()
    {
        if (isAway) throw new IOException("the store is away");
    }
}
