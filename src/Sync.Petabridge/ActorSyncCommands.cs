using Petabridge.Cmd;

namespace Sync.Petabridge;

/// <summary>The commands <c>pbm actorsync …</c>.</summary>
static class ActorSyncCommands
{
    public static readonly CommandDefinition Lag = Define("lag", "How far behind Redis is.");
    public static readonly CommandDefinition Lanes = Define("lanes", "Which node has which lanes.");
    public static readonly CommandDefinition Circuits = Define("circuits", "Which lanes Redis refuses for longer than normal.");
    public static readonly CommandDefinition DeadLetters = Define("deadletters", "How many changes are parked, and in which lanes.");

    public static readonly CommandPalette Palette = new("actorsync", new[] { Lag, Lanes, Circuits, DeadLetters });

    static CommandDefinition Define(string name, string description) => new CommandDefinitionBuilder().WithName(name).WithDescription(description).Build();
}
