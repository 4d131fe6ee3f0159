using System.Globalization;
using Akka.Hosting;
using Petabridge.Cmd.Cluster;
using Petabridge.Cmd.Cluster.Sharding;
using Petabridge.Cmd.Host;
using Petabridge.Cmd.Remote;
using Sync.Actors.Inspection;
using Sync.Contracts.Configuration;

namespace Sync.Petabridge;

/// <summary>
/// Petabridge.Cmd on <c>petabridge.host</c> and <c>petabridge.port</c> with the palettes <c>cluster</c>, <c>cluster-sharding</c>, <c>remote</c> and <c>actorsync</c>. It asks
/// for no password.
/// </summary>
/// <remarks>Written from the public documentation of Petabridge.Cmd 1.x. <see cref="PetabridgeLoader"/> finds this class by its name.</remarks>
public sealed class PetabridgePlugin : IPetabridgePlugin
{
    public AkkaConfigurationBuilder AddTo(AkkaConfigurationBuilder builder, PetabridgeOptions options, IPetabridgeText text)
    {
        string hocon = string.Create(CultureInfo.InvariantCulture, $"petabridge.cmd {{ host = \"{options.Host}\"\n port = {options.Port} }}");
        return builder.AddHocon(hocon, HoconAddMode.Prepend).WithActors((system, _) =>
        {
            var host = PetabridgeCmd.Get(system);
            host.RegisterCommandPalette(ClusterCommands.Instance);
            host.RegisterCommandPalette(ClusterShardingCommands.Instance);
            host.RegisterCommandPalette(new RemoteCommands());
            host.RegisterCommandPalette(new ActorSyncPalette(text));
            host.Start();
        });
    }
}
