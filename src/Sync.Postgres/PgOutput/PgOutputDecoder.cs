using Sync.Contracts;
using Sync.Contracts.Rows;

namespace Sync.Postgres.PgOutput;

/// <summary>
/// Reads pgoutput messages of protocol version 1 with values as text (PostgreSQL docs, "Logical Replication Message
/// Formats"). Pure: bytes in, fields out, nothing allocated per row.
/// <code>
/// switch (decoder.Decode(message))
/// {
///     case PgOutputMessageKind.Insert: Use(decoder.RelationOid, decoder.New(message)); break;
///     …
/// }
/// </code>
/// The properties of a message kind hold until the next <see cref="Decode"/>. Relations belong to one connection:
/// PostgreSQL announces each anew after a reconnect, so every connection gets a decoder of its own. Not thread-safe.
/// </summary>
public sealed class PgOutputDecoder
{
    // PostgreSQL counts microseconds from 2000-01-01 (PostgreSQL docs, "Date/Time Types").
    static readonly long EpochTicks = new DateTime(2000, 1, 1, 0, 0, 0, DateTimeKind.Utc).Ticks;
    static readonly long MaxMicroseconds = (DateTime.MaxValue.Ticks - EpochTicks) / TimeSpan.TicksPerMicrosecond;
    static readonly long MinMicroseconds = -EpochTicks / TimeSpan.TicksPerMicrosecond;

    readonly Dictionary<uint, DecodedRelation> relations = [];
    DecodedRelation? current;
    Cell[] newCells = new Cell[32];
    Cell[] oldCells = new Cell[32];
    uint[] truncated = new uint[8];
    int newCount, oldCount, truncatedCount;
    Range messagePrefix, messageContent;

    /// <summary>Begin and Commit: where the commit record begins, which identifies and orders the transaction.</summary>
    public Lsn CommitLsn { get; private set; }

    /// <summary>Commit: the byte behind the commit record; once all before it is applied, this may be confirmed.</summary>
    public Lsn EndLsn { get; private set; }

    /// <summary>Begin and Commit: when the transaction committed, in whole microseconds.</summary>
    public DateTime CommitTimeUtc { get; private set; }

    /// <summary>Begin: the transaction's id.</summary>
    public uint TransactionId { get; private set; }

    /// <summary>Origin: the commit's LSN on the server the transaction came from.</summary>
    public Lsn OriginLsn { get; private set; }

    /// <summary>Origin: the name of the replication origin.</summary>
    public string OriginName { get; private set; } = "";

    /// <summary>Type: pg_type.oid of a type that is not built in.</summary>
    public uint TypeOid { get; private set; }

    /// <summary>Type: its schema and name joined by a dot.</summary>
    public string TypeName { get; private set; } = "";

    /// <summary>Relation, Insert, Update, Delete: the table's pg_class.oid.</summary>
    public uint RelationOid { get; private set; }

    /// <summary>Relation, Insert, Update, Delete: the table as it was described last.</summary>
    public DecodedRelation? Table => current;

    /// <summary>Update and Delete: whether the old row is whole ('O', REPLICA IDENTITY FULL) and not the key alone ('K').</summary>
    public bool OldIsWhole { get; private set; }

    /// <summary>Truncate: the tables emptied by one command.</summary>
    public ReadOnlySpan<uint> Truncated => truncated.AsSpan(0, truncatedCount);

    /// <summary>Truncate: CASCADE was given.</summary>
    public bool TruncateCascade { get; private set; }

    /// <summary>Truncate: RESTART IDENTITY was given.</summary>
    public bool TruncateRestartIdentity { get; private set; }

    /// <summary>Message: whether it belongs to the transaction around it; otherwise it arrives at once, outside of any.</summary>
    public bool MessageIsTransactional { get; private set; }

    /// <summary>Message: where it was written.</summary>
    public Lsn MessageLsn { get; private set; }

    /// <summary>The row after an Insert or Update; absent otherwise. <paramref name="message"/> is what was decoded last.</summary>
    public RowTuple New(ReadOnlySpan<byte> message) => new(message, newCells.AsSpan(0, newCount));

    /// <summary>The row before an Update or Delete as far as PostgreSQL sent it. <paramref name="message"/> is what was decoded last.</summary>
    public RowTuple Old(ReadOnlySpan<byte> message) => new(message, oldCells.AsSpan(0, oldCount));

    /// <summary>Message: the prefix, UTF-8. <paramref name="message"/> is what was decoded last.</summary>
    public ReadOnlySpan<byte> MessagePrefix(ReadOnlySpan<byte> message) => message[messagePrefix];

    /// <summary>Message: the content, any bytes. <paramref name="message"/> is what was decoded last.</summary>
    public ReadOnlySpan<byte> MessageContent(ReadOnlySpan<byte> message) => message[messageContent];

    /// <summary>Reads one whole message.</summary>
    /// <exception cref="PgOutputException">It is none, is cut short, or speaks of a table that was not announced.</exception>
    public PgOutputMessageKind Decode(ReadOnlySpan<byte> message)
    {
        newCount = oldCount = truncatedCount = 0;
        messagePrefix = messageContent = default;
        var reader = new WireReader(message);
        var kind = (PgOutputMessageKind)reader.Byte();
        switch (kind)
        {
            case PgOutputMessageKind.Insert: Insert(ref reader); break;
            case PgOutputMessageKind.Update: Update(ref reader); break;
            case PgOutputMessageKind.Delete: Delete(ref reader); break;
            case PgOutputMessageKind.Begin: Begin(ref reader); break;
            case PgOutputMessageKind.Commit: Commit(ref reader); break;
            case PgOutputMessageKind.Relation: ReadRelation(ref reader); break;
            case PgOutputMessageKind.Truncate: Truncate(ref reader); break;
            case PgOutputMessageKind.Type:
                TypeOid = reader.UInt32();
                TypeName = $"{Schema(reader.Text())}.{reader.Text()}";
                break;
            case PgOutputMessageKind.Origin:
                OriginLsn = new Lsn((ulong)reader.Int64());
                OriginName = reader.Text();
                break;
            case PgOutputMessageKind.Message: Message(ref reader); break;
            default: throw new PgOutputException($"Byte {(byte)kind} begins no known pgoutput message.");
        }
        reader.End();
        return kind;
    }

    /// <summary>Says which columns the key tuples of a table bring, where its description does not tell: of a partitioned table.</summary>
    public void SetSentOld(uint oid, bool[] sent)
    {
        var told = relations[oid] = relations[oid] with { SentOld = sent };
        if (current?.Oid == oid) current = told;
    }

    void Begin(ref WireReader reader)
    {
        CommitLsn = new Lsn((ulong)reader.Int64());
        CommitTimeUtc = Time(reader.Int64());
        TransactionId = reader.UInt32();
    }

    void Commit(ref WireReader reader)
    {
        reader.Byte(); // Flags, unused so far.
        CommitLsn = new Lsn((ulong)reader.Int64());
        EndLsn = new Lsn((ulong)reader.Int64());
        CommitTimeUtc = Time(reader.Int64());
    }

    void Message(ref WireReader reader)
    {
        MessageIsTransactional = (reader.Byte() & 1) != 0;
        MessageLsn = new Lsn((ulong)reader.Int64());
        messagePrefix = reader.TextRange();
        int length = reader.Int32();
        int begin = reader.Skip(length);
        messageContent = begin..(begin + length);
    }

    void Insert(ref WireReader reader)
    {
        FindTable(ref reader);
        Expect(reader.Byte(), (byte)'N');
        newCount = Tuple(ref reader, ref newCells, keyOnly: false);
    }

    void Update(ref WireReader reader)
    {
        FindTable(ref reader);
        byte part = reader.Byte();
        if (part is (byte)'K' or (byte)'O')
        {
            OldTuple(ref reader, part);
            part = reader.Byte();
        }
        Expect(part, (byte)'N');
        newCount = Tuple(ref reader, ref newCells, keyOnly: false);
    }

    void Delete(ref WireReader reader)
    {
        FindTable(ref reader);
        OldTuple(ref reader, reader.Byte());
    }

    void OldTuple(ref WireReader reader, byte part)
    {
        if (part is not ((byte)'K' or (byte)'O')) throw new PgOutputException($"Byte {part} begins no known tuple of an old row.");
        OldIsWhole = part == 'O';
        oldCount = Tuple(ref reader, ref oldCells, keyOnly: !OldIsWhole);
    }

    static void Expect(byte part, byte wanted)
    {
        if (part != wanted) throw new PgOutputException($"Byte {part} stands where the new row should begin.");
    }

    void FindTable(ref WireReader reader)
    {
        RelationOid = reader.UInt32();
        if (current?.Oid == RelationOid) return;
        if (!relations.TryGetValue(RelationOid, out current))
            throw new PgOutputException($"A row belongs to table {RelationOid}, which the stream has not described.");
    }

    int Tuple(ref WireReader reader, ref Cell[] cells, bool keyOnly)
    {
        var columns = current!.Columns;
        int count = reader.Int16();
        if (count != columns.Count)
            throw new PgOutputException($"A row of {current.Schema}.{current.Name} has {count} columns, its description {columns.Count}.");
        if (cells.Length < count) cells = new Cell[count];
        var tuple = cells.AsSpan(0, count);
        for (int i = 0; i < tuple.Length; i++)
        {
            byte state = reader.Byte();
            switch (state)
            {
                case (byte)'t':
                    int begin = reader.Value(out int length);
                    tuple[i] = new Cell(CellState.Text, begin, length);
                    break;
                case (byte)'n':
                    // A key tuple is as wide as the table; what is not in the replica identity is padded with NULL.
                    tuple[i] = new Cell(keyOnly && !(current.SentOld?[i] ?? columns[i].IsKey) ? CellState.Missing : CellState.Null);
                    break;
                case (byte)'u':
                    tuple[i] = new Cell(CellState.Unchanged);
                    break;
                case (byte)'b':
                    throw new PgOutputException(
                        $"Column {columns[i].Name} of {current.Schema}.{current.Name} arrived in binary form, which was not asked for.");
                default:
                    throw new PgOutputException($"Byte {state} is no known state of a column.");
            }
        }
        return count;
    }

    void ReadRelation(ref WireReader reader)
    {
        RelationOid = reader.UInt32();
        string schema = Schema(reader.Text()), name = reader.Text();
        var identity = (ReplicaIdentity)reader.Byte();
        if (identity is not (ReplicaIdentity.Default or ReplicaIdentity.Nothing or ReplicaIdentity.Full or ReplicaIdentity.Index))
            throw new PgOutputException($"Byte {(byte)identity} is no known replica identity of {schema}.{name}.");
        int count = reader.Int16();
        const int smallestColumn = 1 + 1 + 4 + 4;
        if (count < 0 || count > reader.Left / smallestColumn)
            throw new PgOutputException($"The description of {schema}.{name} declares {count} columns in {reader.Left} bytes.");
        var columns = new DecodedColumn[count];
        for (int i = 0; i < count; i++)
        {
            bool isKey = (reader.Byte() & 1) != 0;
            columns[i] = new DecodedColumn(reader.Text(), reader.UInt32(), isKey);
            reader.Int32(); // The type modifier: it limits values and does not change their text.
        }
        reader.End();
        current = relations[RelationOid] = new DecodedRelation(RelationOid, schema, name, identity, columns);
    }

    void Truncate(ref WireReader reader)
    {
        int count = reader.Int32();
        byte options = reader.Byte();
        if (count < 0 || count > reader.Left / 4)
            throw new PgOutputException($"A truncate declares {count} tables in {reader.Left} bytes.");
        TruncateCascade = (options & 1) != 0;
        TruncateRestartIdentity = (options & 2) != 0;
        if (truncated.Length < count) truncated = new uint[count];
        for (int i = 0; i < count; i++) truncated[i] = reader.UInt32();
        truncatedCount = count;
    }

    // pg_catalog is sent as an empty text.
    static string Schema(string schema) => schema.Length == 0 ? "pg_catalog" : schema;

    static DateTime Time(long microseconds)
    {
        if (microseconds > MaxMicroseconds || microseconds < MinMicroseconds)
            throw new PgOutputException($"A commit time of {microseconds} microseconds since 2000 is out of range.");
        return new DateTime(EpochTicks + microseconds * TimeSpan.TicksPerMicrosecond, DateTimeKind.Utc);
    }
}
