using Akka.Actor;
using Petabridge.Cmd.Host;
using Sync.Actors.Inspection;

namespace Sync.Petabridge;

/// <summary>Registers <see cref="ActorSyncCommands"/> together with the actor that answers them.</summary>
sealed class ActorSyncPalette(IPetabridgeText text) : CommandPaletteHandler(ActorSyncCommands.Palette)
{
    public override Props HandlerProps { get; } = Props.Create(() => new ActorSyncPaletteActor(text));
}
