using System.Text;
using StackExchange.Redis;
using Sync.Engine.Resp;

namespace Sync.Redis.Multiplexer;

/// <summary>
/// What a transaction depends on. A watched key counts as unchanged when what was read of it since the WATCH is still the same: a token that is never
/// given twice, or all that the transaction was made from.
/// </summary>
sealed class WatchedKeys
{
    readonly Dictionary<string, (byte[][] Command, string[] Seen)?> reads = new(StringComparer.Ordinal);

    public bool IsEmpty => reads.Count == 0;

    /// <summary>Looks after keys from here on.</summary>
    public void Watch(ReadOnlySpan<byte[]> keys)
    {
        foreach (byte[] key in keys) reads[Name(key)] = null;
    }

    public void Forget() => reads.Clear();

    /// <summary>Whether this command reads all that is wanted of a watched key.</summary>
    public bool IsRead(byte[][] command) =>
        command.Length >= 2 && Encoding.ASCII.GetString(command[0]).ToUpperInvariant() is "GET" or "HGETALL" or "HMGET" && reads.ContainsKey(Name(command[1]));

    /// <summary>Takes what such a command gave.</summary>
    public void Saw(byte[][] command, RedisResult reply)
    {
        string[] seen = reply.Resp2Type == ResultType.Array ? [.. Enumerable.Range(0, reply.Length).Select(i => Shown(reply[i]))] : [Shown(reply)];
        reads[Name(command[1])] = (command, seen);
    }

    /// <summary>All reads as the script takes them.</summary>
    /// <exception cref="InvalidOperationException">A key is watched of which nothing was read: nobody could say whether it changes.</exception>
    public void WriteTo(RespWriter writer)
    {
        MessagePack.Array(writer, reads.Count);
        foreach (var (key, read) in reads)
        {
            if (read is not var (command, seen)) throw new InvalidOperationException($"'{key}' is watched, but nothing was read of it since.");
            MessagePack.Array(writer, 2);
            MessagePack.Array(writer, command.Length);
            foreach (byte[] argument in command) MessagePack.Text(writer, argument);
            MessagePack.Array(writer, seen.Length);
            foreach (string item in seen) MessagePack.Text(writer, Encoding.Latin1.GetBytes(item));
        }
    }

    /// <summary>As the script shows it: a sign that tells null from empty, then the bytes.</summary>
    static string Shown(RedisResult item) => item.IsNull ? "-" : "+" + Encoding.Latin1.GetString((byte[])item!);

    /// <summary>Bytes as a text, one character each.</summary>
    static string Name(byte[] key) => Encoding.Latin1.GetString(key);
}
