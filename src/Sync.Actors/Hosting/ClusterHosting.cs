using Akka.Hosting;
using Sync.Actors.Coordination;
using Sync.Actors.Hosting.Tls;
using Sync.Contracts;
using Sync.Contracts.Configuration;

namespace Sync.Actors.Hosting;

/// <summary>Makes an actor system a node of the cluster.</summary>
public static class ClusterHosting
{
    /// <summary>Remoting, membership, downing, and how a node leaves. The actors come with extensions of their own.</summary>
    /// <param name="builder">Of the system that is called <see cref="ClusterOptions.Name"/>.</param>
    /// <param name="options">The <c>cluster</c> section.</param>
    /// <param name="settings">The rest.</param>
    /// <exception cref="SyncException">A TLS file is missing or unusable.</exception>
    public static AkkaConfigurationBuilder AddActorSyncCluster(this AkkaConfigurationBuilder builder, ClusterOptions options, ClusterHostSettings settings)
    {
        if (settings.Seeds.Count == 0) throw new ArgumentException("There is no seed, so the node would never join.", nameof(settings));
        bool needsLease = options.EffectiveDowning == DowningStrategy.LeaseMajority;
        if (needsLease && settings.Leases is null) throw new ArgumentException("lease-majority needs a place for the lease.", nameof(settings));

        if (options.Tls is { } tls) builder.AddSetup(new TlsSetup(TlsIdentity.Load(tls)));
        if (settings.Leases is { } leases) builder.AddSetup(new LeaseSetup(leases));
        return builder.AddHocon(ClusterHocon.Build(options, settings), HoconAddMode.Prepend);
    }
}
