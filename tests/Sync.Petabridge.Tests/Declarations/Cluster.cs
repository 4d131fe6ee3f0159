// Written by hand from the public documentation of Petabridge.Cmd 1.x (cmd.petabridge.com): what src/Sync.Petabridge uses of it, and no more. These are not the packages.
using Akka.Actor;
using Petabridge.Cmd.Host;

namespace Petabridge.Cmd.Cluster;

public sealed class ClusterCommands : CommandPaletteHandler
{
    public static readonly ClusterCommands Instance = new();

    ClusterCommands() : base(new CommandPalette("cluster", [])) { }

    public override Props HandlerProps => Props.Empty;
}
