using Sync.Contracts.Rows;

namespace Sync.Contracts.Cluster;

/// <summary>One row of <see cref="LaneRows"/>: a change set for one ordering key.</summary>
/// <param name="Position">Where the change stands; <see cref="Position.None"/> for rows of a copy, which no position covers.</param>
/// <param name="BodyLength">Bytes of its commands, 0 or more; they stand behind those of the row before.</param>
/// <param name="KeyLength">Bytes of its ordering key, 0 or more; it stands behind that of the row before.</param>
/// <param name="Commands">How many commands; 0 for a change that could not be expressed.</param>
/// <param name="Table">Index of the table in the configuration, 0 or more.</param>
/// <param name="Kind">What happened to the row.</param>
/// <param name="CommitTicks">Commit time in UTC ticks; 0 for rows of a copy.</param>
public readonly record struct LaneRow(Position Position, int BodyLength, int KeyLength, int Commands, int Table, ChangeKind Kind, long CommitTicks);

/// <summary>A text that some rows have: why one could not be expressed as commands, or the primary key of one.</summary>
/// <param name="Row">Index of the row.</param>
/// <param name="Text">The text; a reason is without values.</param>
public readonly record struct LaneRowText(int Row, string Text);

/// <summary>
/// Rows of one lane in the order of their positions, as ready RESP commands: two blocks of bytes and an array, whatever the number of rows. Immutable,
/// so that it can be sent again, and its bytes go into a message without a copy. Rows of a copy and rows of the stream are never in one, nor are rows of kind
/// <see cref="ChangeKind.Compare"/> with others: those have no commands but a <see cref="RowState"/> each.
/// </summary>
/// <param name="Body">The commands of all rows, one after the other.</param>
/// <param name="Keys">The ordering keys of all rows, one after the other.</param>
/// <param name="Rows">The rows; their lengths add up to those of the two blocks.</param>
/// <param name="Errors">The rows without commands and why, in ascending order; empty as a rule.</param>
public sealed record LaneRows(ReadOnlyMemory<byte> Body, ReadOnlyMemory<byte> Keys, ReadOnlyMemory<LaneRow> Rows, IReadOnlyList<LaneRowText> Errors)
{
    /// <summary>The primary keys of rows whose commands are so large that Redis may not take them, in ascending order of the rows; empty as a rule.</summary>
    public IReadOnlyList<LaneRowText> Identities { get; init; } = [];

    /// <summary>No rows.</summary>
    public static readonly LaneRows None = new(default, default, default, []);

    /// <summary>How many rows.</summary>
    public int Count => Rows.Length;

    /// <summary>Memory of the two blocks, which is what credit counts.</summary>
    public int Bytes => Body.Length + Keys.Length;

    /// <summary>Rows at the begin that stand at or before <paramref name="position"/>. Rows of a copy have no position and are never counted.</summary>
    public int CountThrough(Position position)
    {
        var rows = Rows.Span;
        int count = 0;
        while (count < rows.Length && rows[count].Position != Position.None && rows[count].Position <= position) count++;
        return count;
    }

    /// <summary>Whether rows that follow these may be in one with them: all are of a copy, or none is, and all are compared, or none is.</summary>
    public bool GoWith(LaneRows others)
    {
        ref readonly var own = ref Rows.Span[0];
        ref readonly var other = ref others.Rows.Span[0];
        return own.Position == Position.None == (other.Position == Position.None) && own.Kind == ChangeKind.Compare == (other.Kind == ChangeKind.Compare);
    }

    /// <summary>The rows of several, in order: one copy of their bytes, none when it is one only.</summary>
    /// <param name="parts">One or more, each with a row or more.</param>
    public static LaneRows Join(IReadOnlyList<LaneRows> parts)
    {
        if (parts.Count == 1) return parts[0];
        int bodyBytes = 0, keyBytes = 0, count = 0;
        foreach (var part in parts) (bodyBytes, keyBytes, count) = (bodyBytes + part.Body.Length, keyBytes + part.Keys.Length, count + part.Count);
        byte[] body = GC.AllocateUninitializedArray<byte>(bodyBytes), keys = GC.AllocateUninitializedArray<byte>(keyBytes);
        var rows = GC.AllocateUninitializedArray<LaneRow>(count);
        List<LaneRowText>? errors = null, identities = null;
        int bodyAt = 0, keysAt = 0, rowsAt = 0;
        foreach (var part in parts)
        {
            part.Body.Span.CopyTo(body.AsSpan(bodyAt));
            part.Keys.Span.CopyTo(keys.AsSpan(keysAt));
            part.Rows.Span.CopyTo(rows.AsSpan(rowsAt));
            foreach (var error in part.Errors) (errors ??= []).Add(error with { Row = rowsAt + error.Row });
            foreach (var identity in part.Identities) (identities ??= []).Add(identity with { Row = rowsAt + identity.Row });
            (bodyAt, keysAt, rowsAt) = (bodyAt + part.Body.Length, keysAt + part.Keys.Length, rowsAt + part.Count);
        }
        return new LaneRows(body, keys, rows, errors is null ? [] : errors) { Identities = identities is null ? [] : identities };
    }

    /// <summary>A run of the rows. The blocks are shared, not copied.</summary>
    public LaneRows Slice(int from, int count)
    {
        var (bodyFrom, keysFrom) = Lengths(0, from);
        var (body, keys) = Lengths(from, count);
        return new LaneRows(Body.Slice(bodyFrom, body), Keys.Slice(keysFrom, keys), Rows.Slice(from, count), Texts(Errors)) { Identities = Texts(Identities) };

        LaneRowText[] Texts(IReadOnlyList<LaneRowText> all) =>
            all.Count == 0 ? [] : [.. all.Where(t => t.Row >= from && t.Row < from + count).Select(t => t with { Row = t.Row - from })];
    }

    /// <summary>Bytes of a run of rows in each of the two blocks.</summary>
    public (int Body, int Keys) Lengths(int from, int count)
    {
        int body = 0, keys = 0;
        foreach (ref readonly var row in Rows.Span.Slice(from, count))
        {
            body += row.BodyLength;
            keys += row.KeyLength;
        }
        return (body, keys);
    }
}
