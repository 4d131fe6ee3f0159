using System.Text;
using Sync.Contracts.Rows;
using Sync.Engine.Mapping.Conditions;

namespace Sync.Engine.Mapping;

/// <summary>What a key is joined of: texts that are the same for every row, and values of columns between them.</summary>
/// <param name="Values">Columns, from left to right.</param>
/// <param name="Before">The text before each value, and at last the one behind them all.</param>
sealed record KeyShape(IReadOnlyList<KeyShape.Value> Values, IReadOnlyList<string> Before)
{
    const string Digits = "0123456789";

    /// <param name="Column">Index in the relation; -1 for what is no column.</param>
    /// <param name="Kind">Its type; None for a text that is no column's.</param>
    /// <param name="IsEscaped">Whether it holds no bare colon.</param>
    public readonly record struct Value(int Column, ScalarKind Kind, bool IsEscaped)
    {
        /// <summary>Whether it may be any text. Labels of enums may in theory, but are names.</summary>
        public bool IsFree => !IsEscaped && Kind is ScalarKind.None or ScalarKind.Text or ScalarKind.Varchar or ScalarKind.Name or ScalarKind.PaddedText
            or ScalarKind.Char or ScalarKind.Inet or ScalarKind.Cidr or ScalarKind.Interval or ScalarKind.TimeTz;

        /// <summary>Whether its text says by itself where it ends.</summary>
        public bool EndsByItself => Kind is ScalarKind.Uuid or ScalarKind.MacAddress or ScalarKind.MacAddress8 or ScalarKind.Boolean;

        /// <summary>Whether a text between two values may belong to this one as well.</summary>
        public bool MayHold(string text) => text.Length == 0 ? !EndsByItself : IsFree || Kind switch
        {
            ScalarKind.Whole or ScalarKind.Oid => text.All(Digits.Contains),
            ScalarKind.Numeric => text.All((Digits + ".").Contains),
            ScalarKind.Real or ScalarKind.Double => text.All((Digits + ".e+-").Contains),
            ScalarKind.Bytea => text.All((Digits + "abcdef").Contains),
            ScalarKind.Bits => text.All("01".Contains),
            ScalarKind.Enum => text.All(char.IsAsciiLetterOrDigit),
            _ => false,
        };
    }

    public static KeyShape Of(BoundTemplate template, Relation relation)
    {
        var values = new List<Value>();
        var before = new List<string>();
        var literal = new StringBuilder();
        foreach (var piece in template.Pieces)
        {
            switch (piece.Kind)
            {
                case SegmentKind.Literal: literal.Append(Encoding.UTF8.GetString(piece.Literal)); break;
                case SegmentKind.Column or SegmentKind.Old: Add(piece.Column, ScalarKinds.Of(relation.Columns[piece.Column]), isEscaped: false); break;
                case SegmentKind.PrimaryKey:
                    for (int i = 0; i < piece.Key.Length; i++)
                    {
                        if (i > 0) literal.Append(':');
                        Add(piece.Key[i], ScalarKinds.Of(relation.Columns[piece.Key[i]]), piece.Escapes[i]);
                    }
                    break;
                case SegmentKind.TransactionId or SegmentKind.Diff: Add(-1, ScalarKind.Numeric, isEscaped: false); break;
                default: Add(-1, ScalarKind.None, isEscaped: false); break;
            }
        }
        before.Add(literal.ToString());
        return new KeyShape(values, before);

        void Add(int column, ScalarKind kind, bool isEscaped)
        {
            before.Add(literal.ToString());
            literal.Clear();
            values.Add(new Value(column, kind, isEscaped));
        }
    }

    /// <summary>Why two rows may give one text; null when the text leads back to the values, or at least to the primary key.</summary>
    public string? Doubt(Relation relation)
    {
        string? doubt = null;
        int[] free = [.. Values.Where(v => v.IsFree).Select(v => v.Column).Distinct()];
        if (free.Length > 1) doubt = $"{string.Join(" and ", free.Select(Name))} may hold any text";
        for (int i = 1; i < Values.Count && doubt is null; i++)
            if (Values[i - 1].Column != Values[i].Column && Values[i - 1].MayHold(Before[i]) && Values[i].MayHold(Before[i]))
                doubt = Before[i].Length == 0
                    ? $"nothing separates {Name(Values[i - 1].Column)} and {Name(Values[i].Column)}"
                    : $"the '{Before[i]}' between {Name(Values[i - 1].Column)} and {Name(Values[i].Column)} may belong to either";
        if (doubt is null) return null;
        var known = Known();
        return relation.PrimaryKey.Count > 0 && relation.PrimaryKey.All(known.Contains) ? null : doubt;

        string Name(int column) => column < 0 ? "a value that is no column" : $"'{relation.Columns[column].Name}'";
    }

    /// <summary>The columns that can be read from either end, because no text between them may belong to them.</summary>
    HashSet<int> Known()
    {
        var known = new HashSet<int>();
        for (int i = 0; i < Values.Count && (i == Values.Count - 1 || !Values[i].MayHold(Before[i + 1])); i++) known.Add(Values[i].Column);
        for (int i = Values.Count - 1; i >= 0 && (i == 0 || !Values[i].MayHold(Before[i])); i--) known.Add(Values[i].Column);
        return known;
    }
}
