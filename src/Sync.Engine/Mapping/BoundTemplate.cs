using System.Text.Unicode;
using Sync.Contracts.Configuration;
using Sync.Contracts.Rows;
using Sync.Engine.Resp;

namespace Sync.Engine.Mapping;

/// <summary>What got in the way while a template was rendered; several may hold at once.</summary>
[Flags]
enum Obstacles
{
    None = 0,
    /// <summary>An unchanged TOASTed value is needed that PostgreSQL did not send.</summary>
    Unchanged = 1,
    /// <summary>A current value is NULL or unknown; it rendered as nothing.</summary>
    Hole = 2,
    /// <summary>An old value is NULL or unknown; it rendered as nothing.</summary>
    OldHole = 4,
    /// <summary>{diff:} of something that is no finite number.</summary>
    NotANumber = 8,
    /// <summary>{json:} of bytes that are no UTF-8, as a database in SQL_ASCII may hold them.</summary>
    NotText = 16,
    /// <summary>{diff:} of a column whose old value PostgreSQL did not send; it rendered as the difference from 0.</summary>
    UnknownOld = 32,
}

/// <param name="Column">Index in the relation, or -1 for the commit time.</param>
/// <param name="FieldBulk">The name as a complete RESP bulk string.</param>
/// <param name="JsonName">The name as JSON, with its colon.</param>
readonly record struct ListedColumn(int Column, byte[] FieldBulk, byte[] JsonName);

/// <summary>
/// One piece of a template, resolved to column indexes; <paramref name="Escapes"/> is that of <see cref="CompositeKey"/> for <paramref name="Key"/>.
/// </summary>
readonly record struct Piece(SegmentKind Kind, byte[] Literal, int Column, int[] Key, bool[] Escapes, ListedColumn[] List);

/// <summary>A template resolved against one relation: no names are looked up and no text is encoded any more.</summary>
sealed class BoundTemplate(Template template, Piece[] pieces, NumericMode numericMode)
{
    readonly bool simple = Array.TrueForAll(pieces, p => p.Kind is SegmentKind.Literal or SegmentKind.Column or SegmentKind.Old);
    readonly byte[]? constantBulk = pieces.Length > 1 || (pieces.Length == 1 && pieces[0].Kind != SegmentKind.Literal)
        ? null
        : ConstantBulk(pieces.Length == 0 ? [] : pieces[0].Literal);

    public Template Template { get; } = template;

    public IReadOnlyList<Piece> Pieces => pieces;

    public bool Expands => pieces.Length == 1 && pieces[0].Kind is SegmentKind.Pairs or SegmentKind.Columns;

    public bool IsPairs => pieces.Length == 1 && pieces[0].Kind == SegmentKind.Pairs;

    public bool HoldsDifference => Array.Exists(pieces, p => p.Kind == SegmentKind.Diff);

    /// <summary>The column when the template is its old value and nothing else; otherwise -1.</summary>
    public int OldColumn => pieces.Length == 1 && pieces[0].Kind == SegmentKind.Old ? pieces[0].Column : -1;

    /// <summary>The column when the template is its current or old value and nothing else; otherwise -1.</summary>
    public int SingleColumn => pieces is not [var only] ? -1 : only.Kind switch
    {
        SegmentKind.Column or SegmentKind.Old => only.Column,
        SegmentKind.PrimaryKey when only.Key.Length == 1 => only.Key[0],
        _ => -1,
    };

    /// <summary>Whether it is a difference or a transaction's number and nothing else.</summary>
    public bool IsNumber => pieces is [{ Kind: SegmentKind.Diff or SegmentKind.TransactionId }];

    /// <summary>Its text when that is the same for every row; otherwise null.</summary>
    public byte[]? ConstantText => Array.TrueForAll(pieces, p => p.Kind == SegmentKind.Literal) ? [.. pieces.SelectMany(p => p.Literal)] : null;

    /// <summary>The columns of the list form, when the template is one.</summary>
    public ListedColumn[] Listed => pieces[0].List;

    /// <summary>Columns whose current value stands directly in it.</summary>
    public IEnumerable<int> CurrentColumns => pieces.SelectMany(p => p.Kind switch
    {
        SegmentKind.Column => [p.Column],
        SegmentKind.PrimaryKey => p.Key,
        _ => Array.Empty<int>(),
    });

    /// <summary>Columns whose old value stands directly in it.</summary>
    public IEnumerable<int> OldColumns => pieces.Where(p => p.Kind is SegmentKind.Old or SegmentKind.Diff).Select(p => p.Column);

    /// <summary>Whether its text depends on more than the row as it is: on the row before, the transaction, or its time.</summary>
    public bool DependsOnHistory => Array.Exists(pieces, p => p.Kind is SegmentKind.Old or SegmentKind.Diff or SegmentKind.TransactionId || Array.Exists(p.List, l => l.Column < 0));

    /// <summary>What every text it can become looks like.</summary>
    public KeyPattern ToPattern(Relation relation)
    {
        var pattern = new KeyPattern.Builder();
        foreach (var piece in pieces)
        {
            if (piece.Kind == SegmentKind.Literal) pattern.Literal(System.Text.Encoding.UTF8.GetString(piece.Literal));
            else if (piece.Kind == SegmentKind.Column) pattern.Value(relation.Columns[piece.Column]);
            else if (piece.Kind == SegmentKind.PrimaryKey)
                for (int i = 0; i < piece.Key.Length; i++)
                {
                    if (i > 0) pattern.Literal(":");
                    if (piece.Escapes[i]) pattern.EscapedValue();
                    else pattern.Value(relation.Columns[piece.Key[i]]);
                }
            else pattern.Value(ValueKind.Text);
        }
        return pattern.Build();
    }

    /// <summary>The template read backwards.</summary>
    public KeyTemplate ToKeyTemplate(Relation relation)
    {
        var parts = new List<KeyTemplatePart>();
        foreach (var piece in pieces)
        {
            if (piece.Kind == SegmentKind.Literal) parts.Add(KeyTemplatePart.Text(System.Text.Encoding.UTF8.GetString(piece.Literal)));
            else if (piece.Kind == SegmentKind.Column) parts.Add(KeyTemplatePart.Value(relation, piece.Column));
            else if (piece.Kind == SegmentKind.PrimaryKey)
                for (int i = 0; i < piece.Key.Length; i++)
                {
                    if (i > 0) parts.Add(KeyTemplatePart.Text(":"));
                    parts.Add(KeyTemplatePart.Value(relation, piece.Key[i], piece.Escapes[i]));
                }
            else parts.Add(KeyTemplatePart.Unknown);
        }
        return new KeyTemplate(Template.Source, relation, [.. parts], ToPattern(relation));
    }

    /// <summary>What would be missing, without rendering. Only direct values count; lists leave out what they don't have.</summary>
    public Obstacles Check(in RowImage row)
    {
        var found = Obstacles.None;
        foreach (ref readonly var piece in pieces.AsSpan())
        {
            switch (piece.Kind)
            {
                case SegmentKind.Column: found |= CheckCurrent(row, piece.Column); break;
                case SegmentKind.Old: if (row.OldState(piece.Column) != CellState.Text) found |= Obstacles.OldHole; break;
                case SegmentKind.PrimaryKey: foreach (int column in piece.Key) found |= CheckCurrent(row, column); break;
                case SegmentKind.Json:
                    foreach (var listed in piece.List)
                        if (listed.Column >= 0 && row.State(listed.Column) == CellState.Unchanged) found |= Obstacles.Unchanged;
                    break;
            }
        }
        return found;
    }

    static Obstacles CheckCurrent(in RowImage row, int column) => row.State(column) switch
    {
        CellState.Text => Obstacles.None,
        CellState.Unchanged => Obstacles.Unchanged,
        _ => Obstacles.Hole,
    };

    /// <summary>Writes it as one bulk string.</summary>
    public Obstacles WriteBulk(RespWriter output, RespWriter scratch, in RowImage row)
    {
        if (constantBulk is not null)
        {
            output.Raw(constantBulk);
            return Obstacles.None;
        }
        if (!simple)
        {
            scratch.Clear();
            var found = WriteRaw(scratch, row);
            output.Bulk(scratch.Written);
            return found;
        }
        int length = 0;
        foreach (ref readonly var piece in pieces.AsSpan()) length += SimpleValue(piece, row).Length;
        output.BulkHeader(length);
        foreach (ref readonly var piece in pieces.AsSpan()) output.Raw(SimpleValue(piece, row));
        output.Raw("\r\n"u8);
        return Obstacles.None;
    }

    static ReadOnlySpan<byte> SimpleValue(in Piece piece, in RowImage row) => piece.Kind switch
    {
        SegmentKind.Literal => piece.Literal,
        SegmentKind.Column => row.Value(piece.Column),
        _ => row.OldValue(piece.Column),
    };

    /// <summary>Writes it as plain bytes.</summary>
    public Obstacles WriteRaw(RespWriter output, in RowImage row)
    {
        var found = Obstacles.None;
        foreach (ref readonly var piece in pieces.AsSpan())
        {
            switch (piece.Kind)
            {
                case SegmentKind.PrimaryKey: WriteKey(output, row, piece.Key, piece.Escapes); break;
                case SegmentKind.TransactionId: output.Number(row.TransactionId); break;
                case SegmentKind.Diff: found |= WriteDifference(output, row, piece.Column); break;
                case SegmentKind.Json: found |= WriteJson(output, row, piece.List); break;
                default: output.Raw(SimpleValue(piece, row)); break;
            }
        }
        return found;
    }

    /// <summary>How many arguments a list form becomes for this row.</summary>
    public int ExpandedCount(in RowImage row)
    {
        var list = Listed;
        if (!IsPairs) return list.Length;
        int count = 0;
        foreach (ref readonly var listed in list.AsSpan())
            if (listed.Column < 0 || row.State(listed.Column) == CellState.Text) count += 2;
        return count;
    }

    /// <summary>Writes a list form: names and values of the columns that have one, or just names.</summary>
    public void WriteExpanded(RespWriter output, RespWriter scratch, in RowImage row)
    {
        bool values = IsPairs;
        foreach (ref readonly var listed in Listed.AsSpan())
        {
            if (listed.Column < 0)
            {
                output.Raw(listed.FieldBulk);
                if (!values) continue;
                scratch.Clear();
                JsonText.CommitTime(scratch, row.CommitTimeUtc);
                output.Bulk(scratch.Written);
            }
            else if (!values)
                output.Raw(listed.FieldBulk);
            else if (row.State(listed.Column) == CellState.Text)
                output.Bulk(listed.FieldBulk, row.Value(listed.Column));
        }
    }

    /// <summary>Whether a value is missing in it only because the update left it alone and PostgreSQL did not send it.</summary>
    public bool LeavesOut(in RowImage row)
    {
        foreach (ref readonly var piece in pieces.AsSpan())
        {
            if (piece.Kind == SegmentKind.Column && row.IsUnsent(piece.Column)) return true;
            if (piece.Kind == SegmentKind.Columns) continue;
            foreach (ref readonly var listed in piece.List.AsSpan())
                if (listed.Column >= 0 && row.IsUnsent(listed.Column)) return true;
        }
        return false;
    }

    /// <summary>Writes the names of a list form, each with an empty text.</summary>
    public void WriteBare(RespWriter output)
    {
        foreach (ref readonly var listed in Listed.AsSpan()) output.Bulk(listed.FieldBulk, default);
    }

    static void WriteKey(RespWriter output, in RowImage row, int[] key, bool[] escapes)
    {
        for (int i = 0; i < key.Length; i++)
        {
            if (i > 0) output.Byte((byte)':');
            if (escapes[i]) CompositeKey.WriteEscaped(output, row.Value(key[i]));
            else output.Raw(row.Value(key[i]));
        }
    }

    static Obstacles WriteDifference(RespWriter output, in RowImage row, int column)
    {
        bool gone = row.Kind == ChangeKind.Delete;
        var now = !gone && row.State(column) == CellState.Text ? row.Value(column) : "0"u8;
        var before = row.OldState(column) == CellState.Text ? row.OldValue(column) : "0"u8;
        if (!DecimalText.TrySubtract(now, before, output)) return Obstacles.NotANumber;
        bool isUnknown = row.Kind is ChangeKind.Update or ChangeKind.Delete && row.OldState(column) is not (CellState.Text or CellState.Null);
        return isUnknown ? Obstacles.UnknownOld : Obstacles.None;
    }

    Obstacles WriteJson(RespWriter output, in RowImage row, ListedColumn[] list)
    {
        var found = Obstacles.None;
        output.Byte((byte)'{');
        bool first = true;
        foreach (ref readonly var listed in list.AsSpan())
        {
            var state = listed.Column < 0 ? CellState.Text : row.State(listed.Column);
            if (state is CellState.Missing or CellState.Unchanged) continue;
            if (!first) output.Byte((byte)',');
            first = false;
            output.Raw(listed.JsonName);
            if (state == CellState.Null) output.Raw("null"u8);
            else if (listed.Column < 0)
            {
                output.Byte((byte)'"');
                JsonText.CommitTime(output, row.CommitTimeUtc);
                output.Byte((byte)'"');
            }
            else
            {
                var value = row.Value(listed.Column);
                if (!Utf8.IsValid(value)) found |= Obstacles.NotText;
                JsonText.Value(output, value, row.Relation.Columns[listed.Column].Type, numericMode);
            }
        }
        output.Byte((byte)'}');
        return found;
    }

    static byte[] ConstantBulk(byte[] literal)
    {
        var writer = new RespWriter(literal.Length + 16);
        writer.Bulk(literal);
        byte[] bulk = writer.Written.ToArray();
        writer.Release();
        return bulk;
    }
}
