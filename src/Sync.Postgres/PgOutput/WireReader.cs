using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Text;

namespace Sync.Postgres.PgOutput;

/// <summary>
/// Reads one message from its begin to its end. Every read checks what is left first, so a declared length or count is
/// never believed beyond the bytes that are there.
/// </summary>
ref struct WireReader(ReadOnlySpan<byte> message)
{
    readonly ReadOnlySpan<byte> message = message;

    /// <summary>Bytes read so far.</summary>
    public int At { get; private set; }

    public readonly int Left => message.Length - At;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public byte Byte()
    {
        Need(1);
        return message[At++];
    }

    public short Int16()
    {
        Need(2);
        short value = BinaryPrimitives.ReadInt16BigEndian(message[At..]);
        At += 2;
        return value;
    }

    public int Int32()
    {
        Need(4);
        int value = BinaryPrimitives.ReadInt32BigEndian(message[At..]);
        At += 4;
        return value;
    }

    public uint UInt32() => (uint)Int32();

    public long Int64()
    {
        Need(8);
        long value = BinaryPrimitives.ReadInt64BigEndian(message[At..]);
        At += 8;
        return value;
    }

    /// <summary>Steps over <paramref name="count"/> bytes and gives where they begin.</summary>
    public int Skip(int count)
    {
        if ((uint)count > (uint)Left) throw TooLong(count);
        int begin = At;
        At += count;
        return begin;
    }

    /// <summary>A length and as many bytes; gives where those begin.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int Value(out int length)
    {
        length = Int32();
        return Skip(length);
    }

    /// <summary>A text that ends with a zero byte, as the place of its bytes without that zero.</summary>
    public Range TextRange()
    {
        int length = message[At..].IndexOf((byte)0);
        if (length < 0) throw new PgOutputException($"A pgoutput message has a text without an end at byte {At}.");
        int begin = At;
        At += length + 1;
        return begin..(begin + length);
    }

    public string Text() => Encoding.UTF8.GetString(message[TextRange()]);

    /// <summary>Refuses bytes behind the last field.</summary>
    public readonly void End()
    {
        if (Left != 0) throw new PgOutputException($"A pgoutput message of {message.Length} bytes has {Left} bytes behind its last field.");
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    readonly void Need(int bytes)
    {
        if (Left < bytes) throw TooLong(bytes);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    readonly PgOutputException TooLong(int bytes) => bytes < 0
        ? new PgOutputException($"A pgoutput message declares a length of {bytes} at byte {At - 4}.")
        : new PgOutputException($"A pgoutput message of {message.Length} bytes ends where {bytes} more were expected at byte {At}.");
}
