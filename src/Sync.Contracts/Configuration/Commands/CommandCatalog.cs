using System.Diagnostics.CodeAnalysis;
using static Sync.Contracts.Configuration.Commands.CommandNature;
using static Sync.Contracts.Configuration.Commands.KeyPlaces;

namespace Sync.Contracts.Configuration.Commands;

/// <summary>What a command does to its keys, as far as the mapping has to know.</summary>
public enum CommandNature
{
    /// <summary>Gives a key, or a part of it, a value that depends on the row alone.</summary>
    Write,
    /// <summary>Puts the row into a collection that other rows share.</summary>
    AddMember,
    /// <summary>Its effect depends on what was there before: twice is not once.</summary>
    Accumulate,
    /// <summary>Takes a key, or a part of it, away.</summary>
    Remove,
    /// <summary>Changes only how long a key lives.</summary>
    Expire,
    /// <summary>Sends a message; touches no key.</summary>
    Publish,
}

/// <summary>Which arguments are keys.</summary>
public enum KeyPlaces
{
    /// <summary>None: the first argument is a channel.</summary>
    None,
    /// <summary>The first argument.</summary>
    First,
    /// <summary>Every argument.</summary>
    All,
    /// <summary>The first, third, fifth … argument.</summary>
    Alternate,
}

/// <summary>A Redis command that a configuration may use.</summary>
/// <param name="Name">Upper case, as it goes over the wire.</param>
/// <param name="MinArguments">Fewest arguments, the name included.</param>
/// <param name="MaxArguments">Most arguments, the name included; null for no bound.</param>
/// <param name="KeyPlaces">Which arguments are keys.</param>
/// <param name="Nature">What it does.</param>
public sealed record CommandInfo(string Name, int MinArguments, int? MaxArguments, KeyPlaces KeyPlaces, CommandNature Nature)
{
    /// <summary>Whether the argument at this index is a key; index 0 is the name.</summary>
    public bool IsKey(int index) => index > 0 && KeyPlaces switch
    {
        First => index == 1,
        KeyPlaces.All => true,
        Alternate => index % 2 == 1,
        _ => false,
    };
}

/// <summary>
/// The Redis commands a configuration may use, with what Redis's own command table says of them (Redis docs, "COMMAND INFO": arity and
/// key positions; for JSON the documentation of RedisJSON).
/// </summary>
public static class CommandCatalog
{
    static readonly CommandInfo[] Table =
    [
        new("SET", 3, null, First, Write), new("SETEX", 4, 4, First, Write), new("SETNX", 3, 3, First, Write), new("MSET", 3, null, Alternate, Write),
        new("HSET", 4, null, First, Write), new("JSON.SET", 4, 5, First, Write), new("JSON.MERGE", 4, 4, First, Write),

        new("SADD", 3, null, First, AddMember), new("ZADD", 4, null, First, AddMember), new("GEOADD", 5, null, First, AddMember),

        new("INCR", 2, 2, First, Accumulate), new("DECR", 2, 2, First, Accumulate), new("INCRBY", 3, 3, First, Accumulate),
        new("DECRBY", 3, 3, First, Accumulate), new("INCRBYFLOAT", 3, 3, First, Accumulate), new("APPEND", 3, 3, First, Accumulate),
        new("HINCRBY", 4, 4, First, Accumulate), new("HINCRBYFLOAT", 4, 4, First, Accumulate), new("ZINCRBY", 4, 4, First, Accumulate),
        new("XADD", 5, null, First, Accumulate), new("LPUSH", 3, null, First, Accumulate), new("RPUSH", 3, null, First, Accumulate),

        new("DEL", 2, null, KeyPlaces.All, Remove), new("UNLINK", 2, null, KeyPlaces.All, Remove),
        new("GETDEL", 2, 2, First, Remove), new("HDEL", 3, null, First, Remove),
        new("SREM", 3, null, First, Remove), new("ZREM", 3, null, First, Remove), new("XDEL", 3, null, First, Remove), new("LREM", 4, 4, First, Remove),
        new("LTRIM", 4, 4, First, Remove), new("XTRIM", 4, null, First, Remove), new("JSON.DEL", 2, 3, First, Remove),

        new("EXPIRE", 3, 4, First, Expire), new("PEXPIRE", 3, 4, First, Expire), new("PERSIST", 2, 2, First, Expire),

        new("PUBLISH", 3, 3, None, Publish),
    ];

    static readonly Dictionary<string, CommandInfo> ByName = Table.ToDictionary(c => c.Name, StringComparer.OrdinalIgnoreCase);

    public static IReadOnlyList<CommandInfo> All => Table;

    /// <summary>Finds a command by its name in any case.</summary>
    public static bool TryGet(string name, [MaybeNullWhen(false)] out CommandInfo command) => ByName.TryGetValue(name, out command);

    /// <summary>The command whose name is nearest to this one, or null.</summary>
    public static string? Nearest(string name) => Configuration.Nearest.Of(name, Table.Select(c => c.Name));
}
