// Written by hand from the public documentation of Petabridge.Cmd 1.x (cmd.petabridge.com): what src/Sync.Petabridge uses of it, and no more. These are not the packages.
using Akka.Actor;
using Petabridge.Cmd.Host;

namespace Petabridge.Cmd.Cluster.Sharding;

public sealed class ClusterShardingCommands : CommandPaletteHandler
{
    public static readonly ClusterShardingCommands Instance = new();

    ClusterShardingCommands() : base(new CommandPalette("cluster-sharding", [])) { }

    public override Props HandlerProps => Props.Empty;
}
