namespace Sync.Contracts.Cluster.Wire;

/// <summary>Keeps the messages of a lane below the size of a frame. Never underestimates, so what it lets through fits.</summary>
public static class LaneFrames
{
    /// <summary>1 MiB.</summary>
    public const int DefaultLimit = 1024 * 1024;

    // At most: two lengths, commands and table of 5 bytes each, three differences of 10 bytes, the kind; then the texts.
    const int mostPerRow = 51, mostPerMessage = 256, mostPerText = 16;

    /// <summary>What a batch of these rows takes at most when it is encoded, in bytes.</summary>
    public static long MostBytes(LaneRows rows)
    {
        long bytes = mostPerMessage + rows.Bytes + ((long)mostPerRow * rows.Count);
        foreach (var error in rows.Errors) bytes += MostBytes(error);
        foreach (var identity in rows.Identities) bytes += MostBytes(identity);
        return bytes;
    }

    /// <summary>The same rows in order, in parts that each fit; a row that is larger by itself goes alone. The bytes are shared, not copied.</summary>
    /// <param name="rows">One row or more.</param>
    /// <param name="limit">Bytes that a part may take when it is encoded, 1 or more.</param>
    public static IReadOnlyList<LaneRows> Split(LaneRows rows, int limit = DefaultLimit)
    {
        if (rows.Count <= 1 || MostBytes(rows) <= limit) return [rows];
        var parts = new List<LaneRows>();
        int from = 0, error = 0, identity = 0;
        long bytes = mostPerMessage;
        for (int i = 0; i < rows.Count; i++)
        {
            ref readonly var row = ref rows.Rows.Span[i];
            long more = mostPerRow + row.BodyLength + row.KeyLength;
            if (error < rows.Errors.Count && rows.Errors[error].Row == i) more += MostBytes(rows.Errors[error++]);
            if (identity < rows.Identities.Count && rows.Identities[identity].Row == i) more += MostBytes(rows.Identities[identity++]);
            if (i > from && bytes + more > limit)
            {
                parts.Add(rows.Slice(from, i - from));
                from = i;
                bytes = mostPerMessage;
            }
            bytes += more;
        }
        parts.Add(rows.Slice(from, rows.Count - from));
        return parts;
    }

    static long MostBytes(LaneRowText text) => mostPerText + System.Text.Encoding.UTF8.GetMaxByteCount(text.Text.Length);
}
