using Sync.Contracts.Configuration.Commands;
using Sync.Engine.Mapping;

namespace Sync.Engine.Verification;

/// <summary>A command of a table's insert rules, judged: whether what it leaves in Redis follows from the row alone.</summary>
/// <param name="command">The command.</param>
/// <param name="doubt">Why its effect can't be derived from rows; null when it can.</param>
/// <param name="isOwn">Whether its key is written by one row only.</param>
/// <param name="onlyUpdates">Whether it takes something away that inserts don't write, and only updates run it.</param>
sealed class StateCommand(CommandPlan command, string? doubt, bool isOwn, bool onlyUpdates = false)
{
    public CommandPlan Command => command;

    public string? Doubt => doubt;

    public bool IsOwn => isOwn;

    public bool OnlyUpdates => onlyUpdates;

    /// <summary>Whether the fields it writes are the same for every row.</summary>
    public bool HasConstantFields { get; } = command.Name == "HSET"
        && command.Arguments.Skip(1).Where((a, i) => a.Expands || i % 2 == 0).All(a => a.IsPairs || a.Template.Constant is not null);

    /// <summary>Field of the commit time in a list form, which no row tells; null for none.</summary>
    public byte[]? CommitTimeField { get; } = command.Arguments.Where(a => a.Expands).SelectMany(a => a.Listed).Where(l => l.Column < 0)
        .Select(l => l.FieldBulk[(Array.IndexOf(l.FieldBulk, (byte)'\n') + 1)..^2]).FirstOrDefault();

    /// <summary>Which of the arguments behind the name are values that the row alone does not tell.</summary>
    public bool IsVague(int argument) => argument < command.Arguments.Length && command.Arguments[argument] is { Expands: false, DependsOnHistory: true };

    /// <summary>
    /// The templates of a part within its key: field, member or nothing. Together with the key they say where the row's value stands, and
    /// nobody else's may stand there.
    /// </summary>
    public static IEnumerable<BoundTemplate> PartsOf(CommandPlan command)
    {
        var arguments = command.Arguments;
        switch (command.Name)
        {
            case "HSET": return arguments.Skip(1).Any(a => a.Expands) ? [] : arguments.Skip(1).Where((_, i) => i % 2 == 0);
            case "SADD": return arguments.Skip(1);
            case "ZADD" or "GEOADD":
                int stride = command.Name == "GEOADD" ? 3 : 2;
                return arguments.Skip(1 + Options(command).Count).Where((_, i) => i % stride == stride - 1);
            default: return [];
        }
    }

    /// <summary>Options between the key and the members of ZADD and GEOADD, and behind the value of SET, upper case.</summary>
    public static IReadOnlyList<string> Options(CommandPlan command)
    {
        string?[] words = [.. command.Arguments.Select(a => a.Template.Constant?.ToUpperInvariant())];
        return command.Name switch
        {
            "SET" => [.. words.Skip(2).OfType<string>()],
            "ZADD" or "GEOADD" => [.. words.Skip(1).TakeWhile(w => w is "NX" or "XX" or "GT" or "LT" or "CH" or "INCR").OfType<string>()],
            _ => [],
        };
    }

    public static bool Keeps(CommandNature nature) => nature is CommandNature.Write or CommandNature.AddMember;
}
