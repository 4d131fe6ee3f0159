using Sync.Contracts.Rows;

namespace Sync.Postgres.Snapshots;

/// <summary>
/// Reads what COPY … TO STDOUT sends in text format (PostgreSQL docs, COPY, "Text Format") from pieces cut anywhere.
/// Usage: fill <see cref="GetMemory"/>, <see cref="Advance"/>, then take rows while <see cref="TryReadRow"/> gives one; at
/// the end <see cref="Complete"/>. A row's escapes are undone in place and nothing is allocated per row; the buffer grows
/// to the largest row and shrinks again behind it. COPY uses the same output functions as pgoutput, so that a value reads
/// the same from a snapshot and from the stream. Not thread-safe.
/// </summary>
public sealed class CopyTextReader
{
    const int smallBufferBytes = 64 * 1024;
    const int shrinkAboveBytes = 1024 * 1024;

    readonly Cell[] cells;
    byte[] buffer = new byte[smallBufferBytes];
    int begin, end, searched, rowBegin, rowLength;
    bool hasRow;

    /// <param name="columns">How many columns every row has, 1 or more.</param>
    public CopyTextReader(int columns)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(columns, 1);
        cells = new Cell[columns];
    }

    /// <summary>The row read last, valid until the next call of any other member; absent before the first one.</summary>
    public RowTuple Row => hasRow ? new RowTuple(buffer.AsSpan(rowBegin, rowLength), cells) : default;

    /// <summary>Room for the next bytes, at least 1.</summary>
    public Memory<byte> GetMemory()
    {
        hasRow = false;
        int left = end - begin;
        if (left == 0 && buffer.Length > shrinkAboveBytes)
        {
            buffer = new byte[smallBufferBytes];
            begin = end = searched = 0;
        }
        // Half a buffer of room keeps reads long; moving at most half a buffer for it costs one copy per byte at worst.
        if (buffer.Length - end < buffer.Length / 2 && begin > 0)
        {
            buffer.AsSpan(begin, left).CopyTo(buffer);
            searched -= begin;
            (begin, end) = (0, left);
        }
        if (end == buffer.Length) Array.Resize(ref buffer, checked(2 * buffer.Length));
        return buffer.AsMemory(end);
    }

    /// <summary>Says that <paramref name="bytes"/> bytes were put into <see cref="GetMemory"/>.</summary>
    public void Advance(int bytes)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)bytes, (uint)(buffer.Length - end));
        end += bytes;
    }

    /// <summary>Makes the next row available, if all of it is here.</summary>
    /// <exception cref="CopyTextException">The row has another width, or an escape without its character.</exception>
    public bool TryReadRow()
    {
        hasRow = false;
        int found = buffer.AsSpan(searched, end - searched).IndexOf((byte)'\n');
        if (found < 0)
        {
            searched = end;
            return false;
        }
        rowBegin = begin;
        rowLength = searched + found - begin;
        begin = searched = searched + found + 1;
        Split(buffer.AsSpan(rowBegin, rowLength));
        return hasRow = true;
    }

    /// <summary>Ends the input.</summary>
    /// <exception cref="CopyTextException">It ended within a row.</exception>
    public void Complete()
    {
        if (begin != end) throw new CopyTextException($"COPY ended within a row, {end - begin} bytes behind its begin.");
    }

    /// <summary>Forgets everything read so far, to read another COPY of as many columns.</summary>
    public void Reset()
    {
        begin = end = searched = 0;
        hasRow = false;
    }

    void Split(Span<byte> row)
    {
        int at = 0;
        for (int column = 0; column < cells.Length; column++)
        {
            int fieldEnd = Field(row, at, out cells[column]);
            bool last = column == cells.Length - 1;
            if (last != (fieldEnd == row.Length))
                throw new CopyTextException($"A row has {(last ? "more" : "fewer")} columns than the {cells.Length} asked for.");
            at = fieldEnd + 1;
        }
    }

    /// <summary>Undoes the escapes of the field at <paramref name="from"/> in place; returns where its tab or the row's end is.</summary>
    static int Field(Span<byte> row, int from, out Cell cell)
    {
        int special = row[from..].IndexOfAny((byte)'\t', (byte)'\\');
        int read = special < 0 ? row.Length : from + special, write = read;
        while (read < row.Length && row[read] != '\t')
        {
            if (row[read] == '\\')
            {
                if (read + 1 == row.Length) throw new CopyTextException("A row ends with a backslash that has no character behind it.");
                bool isWholeField = read == from && (read + 2 == row.Length || row[read + 2] == '\t');
                if (isWholeField && row[read + 1] == 'N')
                {
                    cell = new Cell(CellState.Null);
                    return read + 2;
                }
                row[write++] = Unescape(row, ref read);
                continue;
            }
            int plain = row[read..].IndexOfAny((byte)'\t', (byte)'\\');
            if (plain < 0) plain = row.Length - read;
            row.Slice(read, plain).CopyTo(row[write..]);
            read += plain;
            write += plain;
        }
        cell = new Cell(CellState.Text, from, write - from);
        return read;
    }

    /// <summary>Reads one escape at <paramref name="read"/>, which has at least one character behind the backslash.</summary>
    static byte Unescape(ReadOnlySpan<byte> row, ref int read)
    {
        byte character = row[read + 1];
        read += 2;
        switch (character)
        {
            case (byte)'b': return (byte)'\b';
            case (byte)'f': return (byte)'\f';
            case (byte)'n': return (byte)'\n';
            case (byte)'r': return (byte)'\r';
            case (byte)'t': return (byte)'\t';
            case (byte)'v': return (byte)'\v';
            case >= (byte)'0' and <= (byte)'7':
                int octal = character - '0';
                for (int digits = 1; digits < 3 && read < row.Length && row[read] is >= (byte)'0' and <= (byte)'7'; digits++)
                    octal = octal * 8 + row[read++] - '0';
                return (byte)octal;
            case (byte)'x' when read < row.Length && char.IsAsciiHexDigit((char)row[read]):
                int hex = 0;
                for (int digits = 0; digits < 2 && read < row.Length && char.IsAsciiHexDigit((char)row[read]); digits++) hex = hex * 16 + Hex(row[read++]);
                return (byte)hex;
            default: return character;
        }
    }

    static int Hex(byte digit) => digit <= '9' ? digit - '0' : (digit | 0x20) - 'a' + 10;
}
