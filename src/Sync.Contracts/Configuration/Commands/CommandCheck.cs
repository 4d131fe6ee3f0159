using System.Globalization;

namespace Sync.Contracts.Configuration.Commands;

/// <summary>What is wrong with a command.</summary>
/// <param name="Message">For the user.</param>
/// <param name="Argument">Index of the argument it is about; 0 for the whole.</param>
public sealed record CommandProblem(string Message, int Argument = 0);

/// <summary>
/// Checks a command's arguments as far as its templates let them be known: how many there are, options, and literal numbers.
/// Arguments with placeholders pass as values; <c>{pairs:…}</c> and <c>{columns:…}</c> stand for any number of arguments.
/// </summary>
public static class CommandCheck
{
    static readonly string[] Trimming = ["MAXLEN", "MINID"];

    /// <summary>Arguments that have to be whole numbers, by command.</summary>
    static readonly Dictionary<string, int[]> WholeNumbers = new()
    {
        ["SETEX"] = [2],
        ["EXPIRE"] = [2],
        ["PEXPIRE"] = [2],
        ["INCRBY"] = [2],
        ["DECRBY"] = [2],
        ["HINCRBY"] = [3],
        ["LREM"] = [2],
        ["LTRIM"] = [2, 3],
    };

    /// <summary>The first problem, or null. The name is the first of <paramref name="arguments"/>.</summary>
    public static CommandProblem? Find(IReadOnlyList<string> arguments)
    {
        if (!CommandCatalog.TryGet(arguments[0], out var command))
        {
            string hint = CommandCatalog.Nearest(arguments[0]) is { } near ? $" (did you mean '{near}'?)" : "";
            return new CommandProblem($"unknown command '{Nodes.Shown.Short(arguments[0])}'{hint}");
        }
        bool expands = arguments.Any(IsExpansion);
        if (Count(command, arguments, expands) is { } miscounted) return miscounted;
        // Pairs give two arguments or more, or none: never the one that is left beside the key. In the key's own place they are told of elsewhere.
        if (command is { MinArguments: 3, MaxArguments: 3 } or { Name: "SET" } && IndexOfPairs(arguments) is var pairs && pairs > 1)
            return new CommandProblem($"{command.Name} takes one value, and '{arguments[pairs]}' becomes fields and values; use {{json:…}} for one text", pairs);
        foreach (int index in WholeNumbers.GetValueOrDefault(command.Name, []))
            if (NotWhole(arguments, index) is { } wrong) return wrong;
        return command.Name switch
        {
            "SET" => SetOptions(arguments),
            "XADD" => StreamEntry(arguments, expands),
            "XTRIM" => Trim(arguments, 2, out int end) ?? (end == arguments.Count ? null : Unexpected(arguments, end)),
            "HSET" => expands ? null : Groups(arguments, 2, 2, "pairs of field and value"),
            "MSET" => expands ? null : Groups(arguments, 1, 2, "pairs of key and value"),
            "ZADD" => expands ? null : Groups(arguments, SkipOptions(arguments, 2, "NX", "XX", "GT", "LT", "CH", "INCR"), 2, "pairs of score and member"),
            "GEOADD" => expands ? null : Groups(arguments, SkipOptions(arguments, 2, "NX", "XX", "CH"), 3, "longitude, latitude and member"),
            "EXPIRE" or "PEXPIRE" => Option(arguments, 3, "NX", "XX", "GT", "LT"),
            "JSON.SET" => Option(arguments, 4, "NX", "XX"),
            _ => null,
        };
    }

    /// <summary>Whether the argument becomes any number of arguments. Doubled braces are literal text.</summary>
    public static bool IsExpansion(string argument)
    {
        for (int i = 0; i < argument.Length; i++)
        {
            if (argument[i] != '{') continue;
            if (i + 1 < argument.Length && argument[i + 1] == '{')
            {
                int end = argument.IndexOf("}}", i, StringComparison.Ordinal);
                if (end < 0) return false;
                i = end + 1;
                continue;
            }
            var rest = argument.AsSpan(i + 1);
            if (rest.StartsWith("pairs:") || rest.StartsWith("columns:")) return true;
        }
        return false;
    }

    static int IndexOfPairs(IReadOnlyList<string> arguments)
    {
        for (int i = 1; i < arguments.Count; i++)
            if (arguments[i].StartsWith("{pairs:", StringComparison.Ordinal)) return i;
        return -1;
    }

    static CommandProblem? Count(CommandInfo command, IReadOnlyList<string> arguments, bool expands)
    {
        // An expansion gives at least one argument, and may give keys where more than the first argument is one.
        int fewest = !expands ? command.MinArguments : command.KeyPlaces is KeyPlaces.All or KeyPlaces.Alternate ? 2 : 3;
        if (arguments.Count >= fewest && (expands || !(arguments.Count > command.MaxArguments))) return null;
        string wanted = command.MaxArguments == command.MinArguments ? $"{command.MinArguments - 1}"
            : command.MaxArguments is { } most ? $"{command.MinArguments - 1} to {most - 1}"
            : $"at least {fewest - 1}";
        string noun = wanted is "1" or "at least 1" ? "argument" : "arguments";
        return new CommandProblem($"{command.Name} takes {wanted} {noun} after its name, not {arguments.Count - 1}");
    }

    static CommandProblem? SetOptions(IReadOnlyList<string> arguments)
    {
        string? life = null, existence = null;
        for (int i = 3; i < arguments.Count; i++)
        {
            string option = arguments[i].ToUpperInvariant();
            switch (option)
            {
                case "NX" or "XX" when existence is null:
                    existence = option;
                    break;
                case "KEEPTTL" when life is null:
                    life = option;
                    break;
                case "EX" or "PX" when life is null:
                    life = option;
                    if (++i == arguments.Count) return new CommandProblem($"SET's {option} needs a number after it", i - 1);
                    if (NotWhole(arguments, i, 1) is { } wrong) return wrong;
                    break;
                case "NX" or "XX" or "EX" or "PX" or "KEEPTTL":
                    return new CommandProblem($"SET can't have both {(option is "NX" or "XX" ? existence : life)} and {option}", i);
                default:
                    return Unexpected(arguments, i);
            }
        }
        return null;
    }

    /// <summary>XADD key [NOMKSTREAM] [MAXLEN|MINID [=|~] threshold [LIMIT count]] id field value … (Redis docs, XADD).</summary>
    static CommandProblem? StreamEntry(IReadOnlyList<string> arguments, bool expands)
    {
        int at = 2;
        if (Is(arguments, at, "NOMKSTREAM")) at++;
        if (Is(arguments, at, Trimming) && Trim(arguments, at, out at) is { } problem) return problem;
        if (at >= arguments.Count) return new CommandProblem("XADD needs an id, such as *, before its fields");
        if (!IsExpansion(arguments[at]) && IsLiteral(arguments[at]) && !IsStreamId(arguments[at]))
            return new CommandProblem($"XADD needs an id, such as *, before its fields, not '{Nodes.Shown.Short(arguments[at])}'", at);
        if (at + 1 == arguments.Count && !IsExpansion(arguments[at])) return new CommandProblem("XADD needs at least one field and value after the id");
        return expands ? null : Groups(arguments, at + 1, 2, "pairs of field and value after the id");
    }

    /// <summary>MAXLEN|MINID [=|~] threshold [LIMIT count], from <paramref name="at"/>; <paramref name="end"/> is what follows it.</summary>
    static CommandProblem? Trim(IReadOnlyList<string> arguments, int at, out int end)
    {
        end = at;
        if (!Is(arguments, at, Trimming))
            return new CommandProblem($"{arguments[0]} needs MAXLEN or MINID here, not '{Nodes.Shown.Short(arguments[at])}'", at);
        bool byCount = Is(arguments, at++, "MAXLEN");
        bool roughly = Is(arguments, at, "~");
        if (roughly || Is(arguments, at, "=")) at++;
        if (at >= arguments.Count) return new CommandProblem($"{(byCount ? "MAXLEN" : "MINID")} needs a threshold after it", at - 1);
        if (byCount && NotWhole(arguments, at, 0) is { } wrong) return wrong;
        if (!byCount && IsLiteral(arguments[at]) && !IsStreamId(arguments[at]))
            return new CommandProblem($"MINID needs an id such as 1526919030474-0, not '{Nodes.Shown.Short(arguments[at])}'", at);
        at++;
        if (Is(arguments, at, "LIMIT"))
        {
            if (!roughly) return new CommandProblem("LIMIT is allowed only after ~", at);
            if (++at >= arguments.Count) return new CommandProblem("LIMIT needs a count after it", at - 1);
            if (NotWhole(arguments, at, 0) is { } notCount) return notCount;
            at++;
        }
        end = at;
        return null;
    }

    static CommandProblem? Groups(IReadOnlyList<string> arguments, int first, int size, string what) =>
        first < arguments.Count && (arguments.Count - first) % size == 0
            ? null
            : new CommandProblem($"{arguments[0]} takes {what}, and here one is incomplete");

    static int SkipOptions(IReadOnlyList<string> arguments, int at, params string[] options)
    {
        while (Is(arguments, at, options)) at++;
        return at;
    }

    static CommandProblem? Option(IReadOnlyList<string> arguments, int at, params string[] options) =>
        at >= arguments.Count || Is(arguments, at, options) ? null : Unexpected(arguments, at, $"; it takes {string.Join(", ", options)}");

    static CommandProblem Unexpected(IReadOnlyList<string> arguments, int at, string hint = "") =>
        new($"{arguments[0]} doesn't know the option '{Nodes.Shown.Short(arguments[at])}' here{hint}", at);

    static CommandProblem? NotWhole(IReadOnlyList<string> arguments, int at, long minimum = long.MinValue)
    {
        if (at >= arguments.Count || !IsLiteral(arguments[at])) return null;
        if (long.TryParse(arguments[at], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long number) && number >= minimum) return null;
        string range = minimum > long.MinValue ? $" of at least {minimum}" : "";
        return new CommandProblem($"{arguments[0]} needs a whole number{range} here, not '{Nodes.Shown.Short(arguments[at])}'", at);
    }

    static bool Is(IReadOnlyList<string> arguments, int at, params string[] words) =>
        at < arguments.Count && words.Contains(arguments[at], StringComparer.OrdinalIgnoreCase);

    static bool IsLiteral(string argument) => !argument.Contains('{');

    /// <summary><c>*</c>, <c>ms</c>, <c>ms-seq</c> or <c>ms-*</c> (Redis docs, "Entry IDs").</summary>
    static bool IsStreamId(string text)
    {
        if (text == "*") return true;
        int dash = text.IndexOf('-');
        return ulong.TryParse(dash < 0 ? text : text[..dash], NumberStyles.None, CultureInfo.InvariantCulture, out _)
            && (dash < 0 || text[(dash + 1)..] == "*" || ulong.TryParse(text[(dash + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out _));
    }
}
