using System.Buffers.Text;
using Sync.Engine.Resp;

namespace Sync.Engine.DeadLetters;

/// <summary>
/// Reads commands back from the RESP bytes they were written as (arrays of bulk strings, as <see cref="RespWriter"/> writes them).
/// Use: <c>while (reader.TryReadCommand(out int arguments)) for (…) reader.ReadArgument()</c>; every argument must be read.
/// </summary>
public ref struct CommandReader(ReadOnlySpan<byte> commands)
{
    readonly ReadOnlySpan<byte> all = commands;
    int offset;

    /// <summary>Bytes read so far.</summary>
    public readonly int Offset => offset;

    /// <summary>Reads the head of the next command; false at the end.</summary>
    /// <exception cref="FormatException">The bytes are no commands.</exception>
    public bool TryReadCommand(out int arguments)
    {
        arguments = 0;
        if (offset == all.Length) return false;
        arguments = Header((byte)'*');
        return true;
    }

    /// <exception cref="FormatException">The bytes are no commands.</exception>
    public ReadOnlySpan<byte> ReadArgument()
    {
        int length = Header((byte)'$');
        if (length > all.Length - offset - 2 || !all.Slice(offset + length, 2).SequenceEqual("\r\n"u8)) throw Bad();
        var argument = all.Slice(offset, length);
        offset += length + 2;
        return argument;
    }

    /// <summary>How many commands there are.</summary>
    /// <exception cref="FormatException">The bytes are no commands.</exception>
    public static int Count(ReadOnlySpan<byte> commands)
    {
        var reader = new CommandReader(commands);
        int count = 0;
        for (; reader.TryReadCommand(out int arguments); count++)
            for (int i = 0; i < arguments; i++) reader.ReadArgument();
        return count;
    }

    /// <summary>The bytes of those commands whose index <paramref name="wanted"/> accepts, in order.</summary>
    /// <exception cref="FormatException">The bytes are no commands.</exception>
    public static byte[] Pick(ReadOnlySpan<byte> commands, Func<int, bool> wanted)
    {
        var picked = new RespWriter(Math.Max(16, commands.Length));
        var reader = new CommandReader(commands);
        for (int index = 0, start = 0; reader.TryReadCommand(out int arguments); index++, start = reader.Offset)
        {
            for (int i = 0; i < arguments; i++) reader.ReadArgument();
            if (wanted(index)) picked.Raw(commands[start..reader.Offset]);
        }
        byte[] bytes = picked.Written.ToArray();
        picked.Release();
        return bytes;
    }

    int Header(byte kind)
    {
        var rest = all[offset..];
        if (rest.Length < 4 || rest[0] != kind) throw Bad();
        int end = rest.IndexOf((byte)'\r');
        if (end < 2 || end + 1 >= rest.Length || rest[end + 1] != '\n'
            || !Utf8Parser.TryParse(rest[1..end], out int number, out int used) || used != end - 1 || number < 0)
            throw Bad();
        offset += end + 2;
        return number;
    }

    readonly FormatException Bad() => new($"Byte {offset} of the recorded commands is not where a command or argument begins.");
}
