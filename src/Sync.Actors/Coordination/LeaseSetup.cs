using Akka.Actor.Setup;
using Sync.Contracts.Cluster;

namespace Sync.Actors.Coordination;

/// <summary>Carries the store to <see cref="PostgresLease"/>, which Akka.NET makes by itself.</summary>
sealed class LeaseSetup(ILeaseStore store) : Setup
{
    public ILeaseStore Store { get; } = store;
}
