using Sync.Contracts.Cluster;

namespace Sync.Actors.Ports;

/// <summary>What the reader can be asked to do. Implemented by the host of each node; safe for use from any thread.</summary>
public interface IReaderDesk
{
    /// <summary>Carries an order out if this node reads.</summary>
    /// <returns>What came of it; null when this node does not read, or not any more.</returns>
    Task<ReaderAnswer?> CarryOutAsync(ReaderOrder order, CancellationToken stop);
}
