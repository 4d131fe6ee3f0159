using Sync.Contracts.Rows;

namespace Sync.Engine.Mapping;

/// <summary>What one piece of a template stands for; see "Placeholders" in docs/configuration.md.</summary>
public enum SegmentKind { Literal, Column, Old, Diff, Schema, Table, PrimaryKey, TransactionId, Pairs, Json, Columns }

/// <param name="Kind">What it stands for.</param>
/// <param name="Text">
/// The text of a literal, or the column of <c>{col}</c>, <c>{old:col}</c>, <c>{diff:col}</c> with the blanks around it: see <see cref="Template.IndexIn"/>.
/// </param>
/// <param name="Names">The columns of a list form; null for <c>*</c>.</param>
public sealed record Segment(SegmentKind Kind, string Text = "", IReadOnlyList<string>? Names = null)
{
    /// <summary>Whether it turns into several arguments and therefore has to stand alone.</summary>
    public bool Expands => Kind is SegmentKind.Pairs or SegmentKind.Columns;
}

/// <summary>A template that was read but knows no table yet.</summary>
public sealed class Template
{
    Template(string source, IReadOnlyList<Segment> segments)
    {
        Source = source;
        Segments = segments;
    }

    /// <summary>As written.</summary>
    public string Source { get; }

    public IReadOnlyList<Segment> Segments { get; }

    /// <summary>Whether it is one whole argument that turns into several.</summary>
    public bool Expands => Segments.Count == 1 && Segments[0].Expands;

    /// <summary>The text, when the template is nothing but text.</summary>
    public string? Constant => Segments.Count switch
    {
        0 => "",
        1 when Segments[0].Kind == SegmentKind.Literal => Segments[0].Text,
        _ => null,
    };

    /// <summary>Whether anything of the row stands in it.</summary>
    public bool DependsOnRow => Segments.Any(s => s.Kind is not (SegmentKind.Literal or SegmentKind.Schema or SegmentKind.Table));

    /// <summary>Reads a template.</summary>
    /// <exception cref="TemplateException">A brace is not closed, a name is empty, or a list form stands inside other text.</exception>
    public static Template Parse(string source)
    {
        var segments = new List<Segment>();
        var literal = new System.Text.StringBuilder();
        for (int i = 0; i < source.Length; i++)
        {
            char c = source[i];
            bool doubled = i + 1 < source.Length && source[i + 1] == c;
            if (c is '{' or '}' && doubled)
            {
                literal.Append(c);
                i++;
            }
            else if (c == '{')
            {
                int end = EndOf(source, i);
                if (end < 0) throw new TemplateException($"'{source}' opens a brace that is never closed; write {{{{ for a brace itself");
                if (literal.Length > 0) segments.Add(new Segment(SegmentKind.Literal, literal.ToString()));
                literal.Clear();
                segments.Add(Placeholder(source, source[(i + 1)..end]));
                i = end;
            }
            else if (c == '}')
                throw new TemplateException($"'{source}' closes a brace that was never opened; write }}}} for a brace itself");
            else
                literal.Append(c);
        }
        if (literal.Length > 0) segments.Add(new Segment(SegmentKind.Literal, literal.ToString()));
        if (segments.Count > 1 && segments.Find(s => s.Expands) is { } list)
            throw new TemplateException(
                $"'{source}' mixes {{{(list.Kind == SegmentKind.Pairs ? "pairs" : "columns")}:…}} with other text; it becomes several arguments, so it has to stand alone");
        return new Template(source, segments);
    }

    /// <summary>The column of a placeholder's name: the one that is called exactly so, or else without the blanks around it; -1 for none.</summary>
    public static int IndexIn(Relation relation, string name)
    {
        int exact = relation.IndexOf(name);
        return exact >= 0 ? exact : relation.IndexOf(name.Trim());
    }

    /// <summary>A column's name as it can stand in any placeholder.</summary>
    public static string NameOf(string column) => $"\"{column.Replace("\"", "\"\"", StringComparison.Ordinal)}\"";

    /// <summary>Where the placeholder that opens here is closed: braces of names in double quotes are part of the name.</summary>
    static int EndOf(string source, int open)
    {
        bool isQuoted = false;
        char before = '{';
        for (int i = open + 1; i < source.Length; i++)
        {
            char c = source[i];
            if (c == '"' && (isQuoted || before is '{' or ':' or ',' or '"')) isQuoted = !isQuoted;
            if (c == '}' && !isQuoted) return i;
            if (c != ' ') before = c;
        }
        return source.IndexOf('}', open);
    }

    static Segment Placeholder(string source, string written)
    {
        string body = written.Trim();
        if (body.StartsWith('"')) return new Segment(SegmentKind.Column, Name(source, body));
        if (body.StartsWith('%'))
            return body switch
            {
                "%schema%" => new Segment(SegmentKind.Schema),
                "%table%" => new Segment(SegmentKind.Table),
                "%pk%" => new Segment(SegmentKind.PrimaryKey),
                "%xid%" => new Segment(SegmentKind.TransactionId),
                _ => throw new TemplateException($"'{{{body}}}' in '{source}' is unknown; there are {{%schema%}}, {{%table%}}, {{%pk%}} and {{%xid%}}"),
            };
        int colon = body.IndexOf(':');
        string rest = colon < 0 ? "" : written[(written.IndexOf(':') + 1)..];
        switch (colon < 0 ? "" : body[..colon])
        {
            case "old": return new Segment(SegmentKind.Old, Name(source, rest));
            case "diff": return new Segment(SegmentKind.Diff, Name(source, rest));
            case "pairs": return new Segment(SegmentKind.Pairs, Names: List(source, rest));
            case "json": return new Segment(SegmentKind.Json, Names: List(source, rest));
            case "columns": return new Segment(SegmentKind.Columns, Names: List(source, rest));
            default: return new Segment(SegmentKind.Column, Name(source, written));
        }
    }

    /// <summary>Names may stand in double quotes, as in SQL: with braces, quotes, commas, colons or blanks in them.</summary>
    static string Name(string source, string name)
    {
        string word = name.Trim();
        if (word.Length > 2 && word[0] == '"' && word[^1] == '"')
        {
            string inner = word[1..^1].Replace("\"\"", "\u0001", StringComparison.Ordinal);
            if (!inner.Contains('"')) return inner.Replace('\u0001', '"');
        }
        return word.Length > 0 && name.IndexOfAny(['{', '"']) < 0 ? name : throw new TemplateException(
            $"'{source}' has a placeholder without a usable column name; write {{column}}, and {{{{ for a brace itself");
    }

    static string[]? List(string source, string list)
    {
        if (list.Trim() == "*") return null;
        var names = new List<string>();
        bool isQuoted = false;
        int from = 0;
        for (int i = 0; i <= list.Length; i++)
        {
            if (i < list.Length && list[i] == '"') isQuoted = !isQuoted;
            if (i < list.Length && (list[i] != ',' || isQuoted)) continue;
            names.Add(Name(source, list[from..i]));
            from = i + 1;
        }
        return [.. names];
    }
}

/// <summary>A template that can't be read; the message is one clause without a position.</summary>
public sealed class TemplateException(string message) : Exception(message);
