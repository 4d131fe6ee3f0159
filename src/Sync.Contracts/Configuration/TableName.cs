using System.Text;

namespace Sync.Contracts.Configuration;

/// <summary>
/// A table as a configuration names it: <c>table</c>, <c>schema.table</c>, each part also in double quotes, which may hold dots and
/// doubled quotes (PostgreSQL docs, "Identifiers and Key Words"). Unquoted parts are taken as written: unlike in SQL,
/// nothing is folded to lower case. No schema means public.
/// </summary>
public readonly record struct TableName(string Schema, string Name)
{
    public static TableName Of(TableConfig table) => new(table.Schema, table.Name);

    public static bool TryParse(string text, out TableName name)
    {
        name = default;
        var parts = new List<string>();
        int at = 0;
        text = text.Trim();
        while (true)
        {
            if (Part(text, ref at) is not { Length: > 0 } part) return false;
            parts.Add(part);
            if (at == text.Length) break;
            if (text[at++] != '.') return false;
        }
        if (parts.Count > 2) return false;
        name = parts.Count == 1 ? new TableName("public", parts[0]) : new TableName(parts[0], parts[1]);
        return true;
    }

    public override string ToString() => $"{Schema}.{Name}";

    static string? Part(string text, ref int at)
    {
        if (at >= text.Length || text[at] != '"')
        {
            int end = text.IndexOf('.', at) is >= 0 and var dot ? dot : text.Length;
            string plain = text[at..end];
            at = end;
            return plain.Contains('"') || plain.Trim() != plain ? null : plain;
        }
        var quoted = new StringBuilder();
        for (at++; at < text.Length; at++)
        {
            if (text[at] != '"') quoted.Append(text[at]);
            else if (at + 1 < text.Length && text[at + 1] == '"') quoted.Append(text[at++]);
            else
            {
                at++;
                return quoted.ToString();
            }
        }
        return null;
    }
}
