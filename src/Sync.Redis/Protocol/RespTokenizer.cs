using System.Buffers.Text;
using System.Text;

namespace Sync.Redis.Protocol;

/// <summary>What <see cref="RespTokenizer.Next"/> found.</summary>
public enum RespToken
{
    /// <summary>All bytes are used up.</summary>
    NeedMore,
    /// <summary>A status; the content is its text.</summary>
    Simple,
    /// <summary>An error; the content is its text.</summary>
    Error,
    /// <summary>The number is its value.</summary>
    Integer,
    /// <summary>The null bulk string or the null array.</summary>
    Null,
    /// <summary>Begin of a bulk string; the number is its length. Chunks follow, then <see cref="BulkEnd"/>.</summary>
    BulkStart,
    /// <summary>A part of a bulk string, not empty.</summary>
    BulkChunk,
    BulkEnd,
    /// <summary>The head of an array; the number is its count.</summary>
    Array,
}

/// <summary>Limits on what a reply may claim; beyond them the connection is dropped.</summary>
public sealed record RespLimits
{
    public static readonly RespLimits Default = new();

    /// <summary>Bytes of a bulk string. Default 512 MB, Redis' own bound (redis.conf, "proto-max-bulk-len").</summary>
    public long MaxBulkBytes { get; init; } = 512L * 1024 * 1024;

    /// <summary>Bytes of a status, error or number line. Default 64 KB.</summary>
    public int MaxLineBytes { get; init; } = 64 * 1024;

    /// <summary>Elements of one array. Default 16 million.</summary>
    public int MaxArrayLength { get; init; } = 16 * 1024 * 1024;

    /// <summary>Arrays within arrays. Default 8.</summary>
    public int MaxDepth { get; init; } = 8;
}

/// <summary>
/// Cuts a byte stream into RESP2 tokens (Redis docs, "Redis serialization protocol specification"). Fed with whatever
/// arrived, at any boundary: it keeps at most one unfinished line, never a bulk string. Content spans point into the bytes
/// handed in or into that line and are good until the next call. Not thread-safe.
/// </summary>
public sealed class RespTokenizer(RespLimits limits)
{
    enum State { Line, Bulk, BulkCr, BulkLf }

    byte[] carry = [];
    int carried;
    bool carryIsUsed;
    State state;
    long bulkLeft;

    /// <summary>Whether the next byte begins a new token, outside of any bulk string.</summary>
    public bool AtTokenStart => state == State.Line && (carried == 0 || carryIsUsed);

    /// <summary>Reads one token and moves <paramref name="bytes"/> behind it.</summary>
    /// <exception cref="RespProtocolException">The bytes are no RESP2, or a limit is exceeded.</exception>
    public RespToken Next(ref ReadOnlySpan<byte> bytes, out ReadOnlySpan<byte> content, out long number)
    {
        content = default;
        number = 0;
        if (carryIsUsed)
        {
            carried = 0;
            carryIsUsed = false;
        }
        if (state == State.Line) return ReadLine(ref bytes, out var line) ? Interpret(line, out content, out number) : RespToken.NeedMore;
        if (bytes.IsEmpty) return RespToken.NeedMore;
        if (state == State.Bulk)
        {
            if (bulkLeft > 0)
            {
                int taken = (int)Math.Min(bulkLeft, bytes.Length);
                content = bytes[..taken];
                bytes = bytes[taken..];
                bulkLeft -= taken;
                return RespToken.BulkChunk;
            }
            state = State.BulkCr;
        }
        if (state == State.BulkCr)
        {
            if (bytes[0] != '\r') throw new RespProtocolException("Redis' bulk string is longer than it says.");
            bytes = bytes[1..];
            state = State.BulkLf;
            if (bytes.IsEmpty) return RespToken.NeedMore;
        }
        if (bytes[0] != '\n') throw new RespProtocolException("Redis' bulk string does not end in CRLF.");
        bytes = bytes[1..];
        state = State.Line;
        return RespToken.BulkEnd;
    }

    bool ReadLine(ref ReadOnlySpan<byte> bytes, out ReadOnlySpan<byte> line)
    {
        int end = bytes.IndexOf((byte)'\n');
        if (end < 0)
        {
            // The kind is checked at once, so that garbage is refused before a whole line of it was collected.
            if (carried == 0 && bytes.Length > 0) CheckKind(bytes[0]);
            Carry(bytes);
            bytes = default;
            line = default;
            return false;
        }
        if (carried == 0)
            line = bytes[..end];
        else
        {
            Carry(bytes[..end]);
            line = carry.AsSpan(0, carried);
            carryIsUsed = true;
        }
        bytes = bytes[(end + 1)..];
        if (line.Length > limits.MaxLineBytes) throw LineTooLong();
        if (line.Length < 2 || line[^1] != '\r') throw new RespProtocolException("Redis sent a line that does not end in CRLF.");
        line = line[..^1];
        return true;
    }

    void Carry(ReadOnlySpan<byte> part)
    {
        if (carried + part.Length > limits.MaxLineBytes) throw LineTooLong();
        if (carried + part.Length > carry.Length) Array.Resize(ref carry, Math.Max(carried + part.Length, Math.Max(256, 2 * carry.Length)));
        part.CopyTo(carry.AsSpan(carried));
        carried += part.Length;
    }

    RespToken Interpret(ReadOnlySpan<byte> line, out ReadOnlySpan<byte> content, out long number)
    {
        content = line[1..];
        number = 0;
        switch (line[0])
        {
            case (byte)'+': return RespToken.Simple;
            case (byte)'-': return RespToken.Error;
            case (byte)':':
                number = Number(content);
                return RespToken.Integer;
            case (byte)'$':
                number = Number(content);
                if (number == -1) return RespToken.Null;
                if (number < 0 || number > limits.MaxBulkBytes) throw new RespProtocolException($"Redis announced a bulk string of {number} bytes.");
                bulkLeft = number;
                state = State.Bulk;
                return RespToken.BulkStart;
            case (byte)'*':
                number = Number(content);
                if (number == -1) return RespToken.Null;
                if (number < 0 || number > limits.MaxArrayLength) throw new RespProtocolException($"Redis announced an array of {number} elements.");
                return RespToken.Array;
            default:
                CheckKind(line[0]);
                return default;
        }
    }

    static void CheckKind(byte kind)
    {
        if (kind is not ((byte)'+' or (byte)'-' or (byte)':' or (byte)'$' or (byte)'*'))
            throw new RespProtocolException($"Redis sent a reply that begins with byte 0x{kind:x2}, which is not RESP2.");
    }

    static long Number(ReadOnlySpan<byte> text)
    {
        if (text.Length > 0 && text[0] != '+' && Utf8Parser.TryParse(text, out long value, out int used) && used == text.Length) return value;
        throw new RespProtocolException($"Redis sent '{Encoding.Latin1.GetString(text[..Math.Min(text.Length, 32)])}' where a number belongs.");
    }

    RespProtocolException LineTooLong() => new($"Redis sent a line of more than {limits.MaxLineBytes} bytes.");
}
