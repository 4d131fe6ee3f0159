// Written by hand from the public documentation of Petabridge.Cmd 1.x (cmd.petabridge.com): what src/Sync.Petabridge uses of it, and no more. These are not the packages.
using Akka.Actor;
using Petabridge.Cmd.Host;

namespace Petabridge.Cmd.Remote;

public sealed class RemoteCommands() : CommandPaletteHandler(new CommandPalette("remote", []))
{
    public override Props HandlerProps => Props.Empty;
}
