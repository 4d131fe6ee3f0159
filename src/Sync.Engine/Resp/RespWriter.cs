using System.Buffers;
using System.Buffers.Text;
using System.Runtime.CompilerServices;

namespace Sync.Engine.Resp;

/// <summary>
/// A growing byte buffer that writes Redis commands in RESP (Redis docs, "Redis serialization protocol specification",
/// "Sending commands to a Redis server": an array of bulk strings). The memory comes from the shared pool; call
/// <see cref="Release"/> when done with it for good. Not thread-safe.
/// </summary>
public sealed class RespWriter(int initialCapacity = 4096)
{
    byte[] buffer = ArrayPool<byte>.Shared.Rent(initialCapacity);

    /// <summary>Bytes written so far. Setting it smaller takes bytes back.</summary>
    public int Length { get; private set; }

    public ReadOnlySpan<byte> Written => buffer.AsSpan(0, Length);

    public ReadOnlyMemory<byte> WrittenMemory => buffer.AsMemory(0, Length);

    public ReadOnlySpan<byte> Slice(int offset, int length) => buffer.AsSpan(offset, length);

    public void Clear() => Length = 0;

    /// <summary>Takes back all that was written after <paramref name="length"/>.</summary>
    public void Truncate(int length)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)length, (uint)Length);
        Length = length;
    }

    /// <summary>Returns the memory to the pool. Writing afterwards starts anew.</summary>
    public void Release()
    {
        if (buffer.Length > 0) ArrayPool<byte>.Shared.Return(buffer);
        buffer = [];
        Length = 0;
    }

    /// <summary>Gives memory that grew past <paramref name="capacity"/> for one large value back to the pool.</summary>
    public void ClearAndShrink(int capacity)
    {
        if (buffer.Length > capacity) Release();
        Length = 0;
    }

    public void Raw(ReadOnlySpan<byte> bytes)
    {
        Ensure(bytes.Length);
        bytes.CopyTo(buffer.AsSpan(Length));
        Length += bytes.Length;
    }

    public void Byte(byte value)
    {
        Ensure(1);
        buffer[Length++] = value;
    }

    /// <summary>The head of a command of <paramref name="arguments"/> bulk strings, its name included.</summary>
    public void ArrayHeader(int arguments) => Header((byte)'*', arguments);

    /// <summary>The head of a bulk string; <paramref name="bytes"/> bytes and a CRLF must follow.</summary>
    public void BulkHeader(int bytes) => Header((byte)'$', bytes);

    public void Bulk(ReadOnlySpan<byte> value) => Bulk(default, value);

    /// <summary>A bulk string behind bytes that are complete already, such as the name of a field before its value.</summary>
    public void Bulk(ReadOnlySpan<byte> before, ReadOnlySpan<byte> value)
    {
        Ensure(before.Length + 13 + value.Length + 2);
        var target = buffer.AsSpan(Length);
        before.CopyTo(target);
        int at = before.Length;
        at += Header(target[at..], (byte)'$', value.Length);
        value.CopyTo(target[at..]);
        at += value.Length;
        target[at] = (byte)'\r';
        target[at + 1] = (byte)'\n';
        Length += at + 2;
    }

    public void Bulk(string value)
    {
        int bytes = System.Text.Encoding.UTF8.GetByteCount(value);
        BulkHeader(bytes);
        Text(value);
        Ensure(2);
        Crlf();
    }

    /// <summary>UTF-8 without any framing.</summary>
    public void Text(string value)
    {
        Ensure(System.Text.Encoding.UTF8.GetByteCount(value));
        Length += System.Text.Encoding.UTF8.GetBytes(value, buffer.AsSpan(Length));
    }

    public void Number(long value)
    {
        Ensure(20);
        Utf8Formatter.TryFormat(value, buffer.AsSpan(Length), out int written);
        Length += written;
    }

    /// <summary>Room for <paramref name="count"/> bytes, to be filled by the caller and then <see cref="Advance"/>d over.</summary>
    public Span<byte> GetSpan(int count)
    {
        Ensure(count);
        return buffer.AsSpan(Length);
    }

    public void Advance(int count) => Length += count;

    void Header(byte kind, int value)
    {
        Ensure(13);
        Length += Header(buffer.AsSpan(Length), kind, value);
    }

    /// <summary>Writes into a span with room for 14 bytes and returns how many it took.</summary>
    static int Header(Span<byte> target, byte kind, int value)
    {
        target[0] = kind;
        int at;
        if (value < 10)
        {
            target[1] = (byte)('0' + value);
            at = 2;
        }
        else if (value < 100)
        {
            target[1] = (byte)('0' + value / 10);
            target[2] = (byte)('0' + value % 10);
            at = 3;
        }
        else
        {
            Utf8Formatter.TryFormat(value, target[1..], out int written);
            at = 1 + written;
        }
        target[at] = (byte)'\r';
        target[at + 1] = (byte)'\n';
        return at + 2;
    }

    void Crlf()
    {
        buffer[Length] = (byte)'\r';
        buffer[Length + 1] = (byte)'\n';
        Length += 2;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    void Ensure(int more)
    {
        // Two spare bytes are always kept, so that the CRLF behind a value needs no check of its own.
        int needed = Length + more + 2;
        if (needed > buffer.Length) Grow(needed);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    void Grow(int needed)
    {
        byte[] larger = ArrayPool<byte>.Shared.Rent(Math.Max(needed, 2 * buffer.Length));
        buffer.AsSpan(0, Length).CopyTo(larger);
        if (buffer.Length > 0) ArrayPool<byte>.Shared.Return(buffer);
        buffer = larger;
    }
}
