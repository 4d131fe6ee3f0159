using System.Text;

namespace Sync.Engine.DeadLetters;

/// <summary>What a command does to one place in Redis.</summary>
/// <param name="Key">The key.</param>
/// <param name="Part">The field, member, entry or path in it; null for the whole key.</param>
/// <param name="Replaces">Whether the place holds afterwards what this command says, whatever was there before. What adds to a place does not replace
/// it.</param>
public readonly record struct CommandEffect(byte[] Key, byte[]? Part, bool Replaces);

/// <summary>Tells from a command alone which places it writes and whether it replaces them (Redis docs, "Commands"). Pure.</summary>
public static class CommandEffects
{
    /// <param name="command">The name and the arguments.</param>
    public static IEnumerable<CommandEffect> Of(IReadOnlyList<byte[]> command)
    {
        if (command.Count < 2) return [];
        byte[] key = command[1];
        switch (Encoding.ASCII.GetString(command[0]).ToUpperInvariant())
        {
            case "PUBLISH": return [];
            case "SET": return [new(key, null, !HasAny(command, 3, "NX", "XX"))];
            case "SETEX" or "PSETEX" or "GETSET" or "GETDEL": return [new(key, null, true)];
            case "DEL" or "UNLINK": return command.Skip(1).Select(k => new CommandEffect(k, null, true));
            case "MSET": return Every(command, 1, 2).Select(k => new CommandEffect(k, null, true));
            case "HSET" or "HMSET": return Parts(key, Every(command, 2, 2), true);
            case "HDEL" or "SADD" or "SREM" or "ZREM" or "XDEL": return Parts(key, command.Skip(2), true);
            case "HSETNX" or "HINCRBY" or "HINCRBYFLOAT": return Parts(key, command.Skip(2).Take(1), false);
            case "ZINCRBY": return Parts(key, command.Skip(3).Take(1), false);
            case "ZADD":
                int scores = Behind(command, 2, "NX", "XX", "GT", "LT", "CH", "INCR");
                return Parts(key, Every(command, scores + 1, 2), !HasAny(command, 2, scores, "NX", "XX", "GT", "LT", "INCR"));
            case "GEOADD":
                int places = Behind(command, 2, "NX", "XX", "CH");
                return Parts(key, Every(command, places + 2, 3), !HasAny(command, 2, places, "NX", "XX"));
            case "JSON.SET": return [new(key, PathOf(command), !HasAny(command, 4, "NX", "XX"))];
            case "JSON.DEL": return [new(key, PathOf(command), true)];
            case "JSON.MERGE": return [new(key, PathOf(command), false)];
            case "SETNX" or "INCR" or "DECR" or "INCRBY" or "DECRBY" or "INCRBYFLOAT" or "APPEND" or "XADD" or "LPUSH" or "RPUSH" or "LREM" or "LTRIM"
                or "XTRIM" or "EXPIRE" or "PEXPIRE" or "PERSIST":
                return [new(key, null, false)];
            // Of a command that is not known any argument may be a key that it replaces.
            default: return command.Skip(1).Select(k => new CommandEffect(k, null, true));
        }
    }

    static IEnumerable<CommandEffect> Parts(byte[] key, IEnumerable<byte[]> parts, bool replaces) =>
        parts.Select(part => new CommandEffect(key, part, replaces));

    static IEnumerable<byte[]> Every(IReadOnlyList<byte[]> command, int first, int step)
    {
        for (int i = first; i < command.Count; i += step) yield return command[i];
    }

    /// <summary>The root of a document is the whole key.</summary>
    static byte[]? PathOf(IReadOnlyList<byte[]> command) =>
        command.Count < 3 || command[2].AsSpan().SequenceEqual("$"u8) || command[2].AsSpan().SequenceEqual("."u8) ? null : command[2];

    /// <summary>Where the options that begin at <paramref name="index"/> end.</summary>
    static int Behind(IReadOnlyList<byte[]> command, int index, params string[] options)
    {
        while (index < command.Count && Is(command[index], options)) index++;
        return index;
    }

    static bool HasAny(IReadOnlyList<byte[]> command, int from, params string[] options) => HasAny(command, from, command.Count, options);

    static bool HasAny(IReadOnlyList<byte[]> command, int from, int to, params string[] options) =>
        Enumerable.Range(from, Math.Max(0, to - from)).Any(i => Is(command[i], options));

    static bool Is(byte[] argument, string[] options) =>
        argument.Length <= 4 && options.Contains(Encoding.ASCII.GetString(argument), StringComparer.OrdinalIgnoreCase);
}
