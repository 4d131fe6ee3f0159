// Written by hand from the public documentation of Petabridge.Cmd 1.x (cmd.petabridge.com): what src/Sync.Petabridge uses of it, and no more. These are not the packages.
namespace Petabridge.Cmd;

/// <summary>A command as a palette offers it.</summary>
public sealed class CommandDefinition
{
    internal CommandDefinition(string name, string description) => (Name, Description) = (name, description);

    public string Name { get; }
    public string Description { get; }
}

public sealed class CommandDefinitionBuilder
{
    string name = "", description = "";

    public CommandDefinitionBuilder WithName(string value)
    {
        name = value;
        return this;
    }

    public CommandDefinitionBuilder WithDescription(string value)
    {
        description = value;
        return this;
    }

    public CommandDefinition Build() => new(name, description);
}

/// <summary>Commands under one name.</summary>
public sealed class CommandPalette(string moduleName, IEnumerable<CommandDefinition> commands)
{
    internal string ModuleName { get; } = moduleName;
    internal IReadOnlyList<CommandDefinition> Commands { get; } = [.. commands];
}

/// <summary>A command as a client sends it.</summary>
public sealed class Command
{
    internal Command(string name) => Name = name;

    public string Name { get; }
}

public sealed class CommandResponse(string output, bool final = true)
{
    internal string Output { get; } = output;
    internal bool Final { get; } = final;
}

public sealed class ErroredCommandResponse(string output, bool final = true)
{
    internal string Output { get; } = output;
    internal bool Final { get; } = final;
}
