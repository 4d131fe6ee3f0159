namespace Sync.Contracts.Cluster;

/// <summary>
/// Leases that all nodes see. One clock decides, that of the store: a node only measures how long its own questions took, so clocks that differ from node to node
/// do no harm.
/// </summary>
public interface ILeaseStore
{
    /// <summary>Takes the lease if nobody holds it, its holder is <paramref name="owner"/>, or its time is over; renews it otherwise not.</summary>
    /// <param name="name">Which lease.</param>
    /// <param name="owner">Who asks.</param>
    /// <param name="duration">How long it stays from now on.</param>
    /// <param name="cancellationToken">Gives up, with an unknown outcome.</param>
    /// <returns>Who holds it now.</returns>
    /// <exception cref="Exception">The store can't be reached.</exception>
    ValueTask<LeaseRecord> AcquireAsync(string name, string owner, TimeSpan duration, CancellationToken cancellationToken);

    /// <summary>Makes the lease last longer, if it is still the one that was taken, even if its time is over and nobody has come for it.</summary>
    /// <param name="name">Which lease.</param>
    /// <param name="fence">That of the lease that was taken.</param>
    /// <param name="duration">How long it stays from now on.</param>
    /// <param name="cancellationToken">Gives up, with an unknown outcome.</param>
    /// <returns>Whether it is.</returns>
    ValueTask<bool> RenewAsync(string name, long fence, TimeSpan duration, CancellationToken cancellationToken);

    /// <summary>Gives the lease up, if it is still the one that was taken.</summary>
    ValueTask ReleaseAsync(string name, long fence, CancellationToken cancellationToken);

    /// <summary>Who holds the lease; null when nobody does.</summary>
    ValueTask<LeaseRecord?> ReadAsync(string name, CancellationToken cancellationToken);
}

/// <param name="Owner">Who holds it.</param>
/// <param name="Fence">Greater than that of every lease of the name before it; a new holder has a new one.</param>
/// <param name="Renewals">Grows whenever the holder says that it is alive.</param>
/// <param name="Left">How long it stays if it is not renewed.</param>
public sealed record LeaseRecord(string Owner, long Fence, long Renewals, TimeSpan Left);
