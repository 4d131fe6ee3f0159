namespace Sync.Redis.Protocol;

/// <summary>
/// Builds whole replies from bytes as they arrive, for everything but the batch path (which only scans, see
/// <c>FlightReplies</c>). Memory follows the bytes that really came, never the length a reply claims. Use:
/// <code>while (!reader.TryRead(ref bytes, out var value)) bytes = more;</code>
/// Not thread-safe. After an exception it must not be used again.
/// </summary>
public sealed class RespReader(RespLimits? limits = null)
{
    const int FirstCapacity = 16;
    const int FirstBulkBytes = 64 * 1024;

    readonly RespLimits limits = limits ?? RespLimits.Default;
    readonly RespTokenizer tokenizer = new(limits ?? RespLimits.Default);
    readonly Stack<(RespValue[] Items, int Filled, int Count)> open = new();
    byte[] bulk = [];
    int bulkFilled;
    long bulkLength;

    /// <summary>Whether a reply has begun and not ended.</summary>
    public bool InReply => open.Count > 0 || !tokenizer.AtTokenStart;

    /// <summary>Reads up to one reply and moves <paramref name="bytes"/> behind what was used; false means more bytes are needed.</summary>
    /// <exception cref="RespProtocolException">The bytes are no RESP2, or a limit is exceeded.</exception>
    public bool TryRead(ref ReadOnlySpan<byte> bytes, out RespValue value)
    {
        while (true)
        {
            switch (tokenizer.Next(ref bytes, out var content, out long number))
            {
                case RespToken.NeedMore:
                    value = default;
                    return false;
                case RespToken.BulkStart:
                    bulkLength = number;
                    bulkFilled = 0;
                    bulk = number == 0 ? [] : new byte[Math.Min(number, FirstBulkBytes)];
                    continue;
                case RespToken.BulkChunk:
                    AppendToBulk(content);
                    continue;
                case RespToken.BulkEnd:
                    value = RespValue.Bulk(bulk);
                    bulk = [];
                    break;
                case RespToken.Array when number > 0:
                    if (open.Count == limits.MaxDepth) throw new RespProtocolException($"Redis nests arrays deeper than {limits.MaxDepth}.");
                    open.Push((new RespValue[Math.Min(number, FirstCapacity)], 0, (int)number));
                    continue;
                case RespToken.Array:
                    value = RespValue.Array([]);
                    break;
                case RespToken.Simple:
                    value = RespValue.Simple(content.ToArray());
                    break;
                case RespToken.Error:
                    value = RespValue.Error(content.ToArray());
                    break;
                case RespToken.Integer:
                    value = RespValue.Integer(number);
                    break;
                default:
                    value = RespValue.Null;
                    break;
            }
            if (Close(ref value)) return true;
        }
    }

    /// <summary>Puts a finished value into the array it belongs to; true when that completed the whole reply.</summary>
    bool Close(ref RespValue value)
    {
        while (open.TryPop(out var array))
        {
            if (array.Filled == array.Items.Length) Array.Resize(ref array.Items, (int)Math.Min(array.Count, 2L * array.Filled));
            array.Items[array.Filled++] = value;
            if (array.Filled < array.Count)
            {
                open.Push(array);
                return false;
            }
            value = RespValue.Array(array.Items);
        }
        return true;
    }

    void AppendToBulk(ReadOnlySpan<byte> chunk)
    {
        if (bulkFilled + chunk.Length > bulk.Length)
            Array.Resize(ref bulk, (int)Math.Min(bulkLength, Math.Max(2L * bulk.Length, bulkFilled + chunk.Length)));
        chunk.CopyTo(bulk.AsSpan(bulkFilled));
        bulkFilled += chunk.Length;
    }
}
