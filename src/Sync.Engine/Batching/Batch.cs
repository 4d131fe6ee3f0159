using Sync.Contracts;
using Sync.Contracts.Cluster;
using Sync.Contracts.Rows;
using Sync.Engine.Resp;

namespace Sync.Engine.Batching;

/// <summary>
/// One change set inside a batch: the commands of one row for one ordering key.
/// </summary>
/// <param name="Position">Where the change stands; <see cref="Position.None"/> for snapshot rows.</param>
/// <param name="BodyOffset">Begin of its commands in the batch's body.</param>
/// <param name="BodyLength">Bytes of its commands.</param>
/// <param name="Commands">How many commands; 0 for a change that could not be expressed.</param>
/// <param name="KeyOffset">Begin of its ordering key in the batch's keys.</param>
/// <param name="KeyLength">Bytes of its ordering key.</param>
/// <param name="Table">Index of the table in the configuration.</param>
/// <param name="Kind">What happened to the row.</param>
/// <param name="CommitTicks">Commit time in UTC ticks, for the lag; 0 for snapshot rows.</param>
public readonly record struct BatchEntry(
    Position Position, int BodyOffset, int BodyLength, int Commands, int KeyOffset, int KeyLength, int Table, ChangeKind Kind, long CommitTicks);

/// <summary>
/// Change sets in the order they have to reach Redis, as the RESP bytes of their commands. Filled by the reader, then
/// handed as a whole to one writer, then reused: one owner at a time, never shared.
/// </summary>
public sealed class Batch
{
    BatchEntry[] entries = new BatchEntry[128];
    Dictionary<int, string>? errors, identities;

    /// <summary>The commands of all entries, one after the other, without MULTI and EXEC.</summary>
    public RespWriter Body { get; } = new();

    /// <summary>The ordering keys of all entries.</summary>
    public RespWriter Keys { get; } = new(1024);

    /// <summary>How many entries.</summary>
    public int Count { get; private set; }

    /// <summary>How many commands in all entries.</summary>
    public int Commands { get; private set; }

    /// <summary>The reader's running number of the first entry; the entries of one batch need not be consecutive.</summary>
    public long FirstSequence { get; private set; }

    /// <summary>The reader's running number of the last entry.</summary>
    public long LastSequence { get; private set; }

    public ReadOnlySpan<BatchEntry> Entries => entries.AsSpan(0, Count);

    /// <summary>The position Redis has reached once this batch is applied; <see cref="Position.None"/> for a snapshot's.</summary>
    public Position Last => Count == 0 ? Position.None : entries[Count - 1].Position;

    /// <summary>Whether it holds rows to compare, which have no commands but what Redis must hold because of each.</summary>
    public bool IsComparison => Count > 0 && entries[0].Kind == ChangeKind.Compare;

    /// <summary>Memory it holds, for flow control.</summary>
    public int Bytes => Body.Length + Keys.Length;

    public ReadOnlySpan<byte> Key(in BatchEntry entry) => Keys.Slice(entry.KeyOffset, entry.KeyLength);

    public ReadOnlySpan<byte> CommandsOf(in BatchEntry entry) => Body.Slice(entry.BodyOffset, entry.BodyLength);

    /// <summary>Appends a change set.</summary>
    /// <param name="sequence">Must grow from call to call.</param>
    /// <param name="position">Where it stands.</param>
    /// <param name="commands">Its commands.</param>
    /// <param name="commandCount">How many.</param>
    /// <param name="key">Its ordering key.</param>
    /// <param name="table">Index of its table in the configuration.</param>
    /// <param name="kind">What happened to the row.</param>
    /// <param name="commitTicks">When.</param>
    /// <param name="identity">The row's primary key, when its commands are so large that Redis may not take them; see <see cref="IdentityOf"/>.</param>
    public void Add(
        long sequence, Position position, ReadOnlySpan<byte> commands, int commandCount, ReadOnlySpan<byte> key, int table, ChangeKind kind, long commitTicks,
        string? identity = null)
    {
        if (identity is not null) (identities ??= [])[Count] = identity;
        if (Count == entries.Length) Array.Resize(ref entries, 2 * Count);
        entries[Count++] = new BatchEntry(position, Body.Length, commands.Length, commandCount, Keys.Length, key.Length, table, kind, commitTicks);
        Body.Raw(commands);
        Keys.Raw(key);
        Commands += commandCount;
        if (Count == 1) FirstSequence = sequence;
        LastSequence = sequence;
    }

    /// <summary>
    /// Appends a change that could not be expressed as commands. It takes its place in the order, so that what follows for its key waits
    /// behind it in the dead letters.
    /// </summary>
    public void AddPoison(long sequence, Position position, ReadOnlySpan<byte> key, int table, ChangeKind kind, long commitTicks, string error)
    {
        (errors ??= [])[Count] = error;
        Add(sequence, position, [], 0, key, table, kind, commitTicks);
    }

    /// <summary>Appends an entry of another batch as it is.</summary>
    public void AddCopy(Batch source, int entry)
    {
        ref readonly var e = ref source.entries[entry];
        if (source.ErrorOf(entry) is { } error) (errors ??= [])[Count] = error;
        Add(source.FirstSequence, e.Position, source.CommandsOf(e), e.Commands, source.Key(e), e.Table, e.Kind, e.CommitTicks, source.IdentityOf(entry));
    }

    /// <summary>Appends rows that came from another node: one copy of each block of bytes, nothing per row but its entry.</summary>
    /// <param name="sequence">As in <see cref="Add"/>.</param>
    /// <param name="rows">What came.</param>
    /// <param name="from">The first row to take; those before it are left out.</param>
    public void AddRows(long sequence, LaneRows rows, int from = 0)
    {
        var taken = rows.Rows.Span[from..];
        if (taken.IsEmpty) return;
        var (bodyFrom, keysFrom) = rows.Lengths(0, from);
        int body = Body.Length, keys = Keys.Length, first = Count;
        Body.Raw(rows.Body.Span[bodyFrom..]);
        Keys.Raw(rows.Keys.Span[keysFrom..]);
        if (Count + taken.Length > entries.Length) Array.Resize(ref entries, Math.Max(Count + taken.Length, 2 * entries.Length));
        foreach (ref readonly var row in taken)
        {
            entries[Count++] = new BatchEntry(row.Position, body, row.BodyLength, row.Commands, keys, row.KeyLength, row.Table, row.Kind, row.CommitTicks);
            body += row.BodyLength;
            keys += row.KeyLength;
            Commands += row.Commands;
        }
        foreach (var error in rows.Errors)
            if (error.Row >= from) (errors ??= [])[first + error.Row - from] = error.Text;
        foreach (var identity in rows.Identities)
            if (identity.Row >= from) (identities ??= [])[first + identity.Row - from] = identity.Text;
        if (first == 0) FirstSequence = sequence;
        LastSequence = sequence;
    }

    /// <summary>Its content as rows that can be sent to another node: a copy, so the batch may be used anew at once.</summary>
    public LaneRows ToRows()
    {
        var rows = new LaneRow[Count];
        for (int i = 0; i < rows.Length; i++)
        {
            ref readonly var e = ref entries[i];
            rows[i] = new LaneRow(e.Position, e.BodyLength, e.KeyLength, e.Commands, e.Table, e.Kind, e.CommitTicks);
        }
        return new LaneRows(Body.Written.ToArray(), Keys.Written.ToArray(), rows, Texts(errors)) { Identities = Texts(identities) };
    }

    static LaneRowText[] Texts(Dictionary<int, string>? texts) =>
        texts is { Count: > 0 } ? [.. texts.OrderBy(t => t.Key).Select(t => new LaneRowText(t.Key, t.Value))] : [];

    /// <summary>The primary key of the row, as people read it. Known of rows with large commands only, and empty where the table has none.</summary>
    public string? IdentityOf(int entry) => identities?.GetValueOrDefault(entry);

    /// <summary>Whether any entry could not be expressed as commands.</summary>
    public bool HasPoison => errors is { Count: > 0 };

    /// <summary>Why an entry could not be expressed as commands; null when it could.</summary>
    public string? ErrorOf(int entry) => errors?.GetValueOrDefault(entry);

    /// <summary>Empties it for reuse; memory that one large row took goes back to the pool.</summary>
    public void Reset()
    {
        Body.ClearAndShrink(256 * 1024);
        Keys.ClearAndShrink(64 * 1024);
        if (entries.Length > 4096) entries = new BatchEntry[128];
        errors?.Clear();
        identities?.Clear();
        Count = 0;
        Commands = 0;
    }
}
