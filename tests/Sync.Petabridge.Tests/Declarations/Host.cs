// Written by hand from the public documentation of Petabridge.Cmd 1.x (cmd.petabridge.com): what src/Sync.Petabridge uses of it, and no more. These are not the packages.
using Akka.Actor;

namespace Petabridge.Cmd.Host;

/// <summary>Makes the actors that answer a palette's commands.</summary>
public abstract class CommandPaletteHandler(CommandPalette palette)
{
    internal CommandPalette Palette { get; } = palette;

    public abstract Props HandlerProps { get; }
}

/// <summary>Answers a palette's commands.</summary>
public abstract class CommandHandlerActor : ReceiveActor
{
    readonly Dictionary<string, Action<Command>> handlers = [];

    protected CommandHandlerActor(CommandPalette palette) => Receive<Command>(command =>
    {
        if (palette.Commands.All(known => known.Name != command.Name)) throw new ArgumentException($"{palette.ModuleName} has no command '{command.Name}'.");
        handlers[command.Name](command);
    });

    protected void Process(string commandName, Action<Command> handler) => handlers.Add(commandName, handler);
}

/// <summary>The extension of an actor system that listens; here it listens to nothing but the tests.</summary>
public sealed class PetabridgeCmd : IExtension
{
    readonly ActorSystem system;
    readonly List<CommandPaletteHandler> palettes = [];

    PetabridgeCmd(ActorSystem system) => this.system = system;

    internal IReadOnlyList<CommandPaletteHandler> Palettes => palettes;

    /// <summary>Where it listens; null until it is started.</summary>
    internal string? Address { get; private set; }

    public static PetabridgeCmd Get(ActorSystem system) => system.WithExtension<PetabridgeCmd, Provider>();

    public void RegisterCommandPalette(CommandPaletteHandler handler)
    {
        if (Address is not null) throw new InvalidOperationException("Palettes are registered before the start.");
        palettes.Add(handler);
    }

    public void Start()
    {
        var config = system.Settings.Config.GetConfig("petabridge.cmd");
        Address = $"{config.GetString("host")}:{config.GetInt("port")}";
    }

    /// <summary>What a client is answered.</summary>
    internal async Task<object> RunAsync(string palette, string command, TimeSpan limit)
    {
        var handler = system.ActorOf(palettes.Single(known => known.Palette.ModuleName == palette).HandlerProps);
        return await handler.Ask<object>(new Command(command), limit);
    }

    sealed class Provider : ExtensionIdProvider<PetabridgeCmd>
    {
        public override PetabridgeCmd CreateExtension(ExtendedActorSystem system) => new(system);
    }
}
