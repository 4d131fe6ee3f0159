using System.Globalization;
using System.Text;
using Sync.Engine.Resp;

namespace Sync.Redis.Protocol;

/// <summary>An argument of a command: bytes, a text (sent as UTF-8) or a number.</summary>
public readonly struct RedisArgument(ReadOnlyMemory<byte> bytes)
{
    public ReadOnlyMemory<byte> Bytes { get; } = bytes;

    public static implicit operator RedisArgument(string text) => new(Encoding.UTF8.GetBytes(text));

    public static implicit operator RedisArgument(byte[] bytes) => new(bytes);

    public static implicit operator RedisArgument(ReadOnlyMemory<byte> bytes) => new(bytes);

    public static implicit operator RedisArgument(long number) => number.ToString(CultureInfo.InvariantCulture);
}

/// <summary>Commands for one pipeline, in the order they go out. For everything but the batch path. Not thread-safe.</summary>
public sealed class RespCommands
{
    readonly RespWriter writer = new(512);

    /// <summary>How many commands.</summary>
    public int Count { get; private set; }

    public ReadOnlyMemory<byte> Bytes => writer.WrittenMemory;

    public RespCommands Add(params ReadOnlySpan<RedisArgument> arguments)
    {
        writer.ArrayHeader(arguments.Length);
        foreach (var argument in arguments) writer.Bulk(argument.Bytes.Span);
        Count++;
        return this;
    }

    /// <summary>Appends commands that are RESP already.</summary>
    public RespCommands AddRaw(ReadOnlySpan<byte> bytes, int count)
    {
        writer.Raw(bytes);
        Count += count;
        return this;
    }

    /// <summary>Appends all commands of another pipeline.</summary>
    public RespCommands Append(RespCommands others)
    {
        writer.Raw(others.Bytes.Span);
        Count += others.Count;
        return this;
    }
}
