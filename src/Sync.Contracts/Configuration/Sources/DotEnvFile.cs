using System.Text;

namespace Sync.Contracts.Configuration.Sources;

/// <summary>
/// Reads the common form of dotenv files: <c>NAME=value</c>, with <c>export</c> before it if one likes, blank lines, comments that begin
/// with #, single quotes (taken as they are) and double quotes (with \n, \r, \t, \" and \\). Nothing is expanded.
/// </summary>
static class DotEnvFile
{
    /// <summary>The variables; later lines win. Messages never repeat a line, which may hold a secret.</summary>
    public static IReadOnlyDictionary<string, string> Read(string text, string source, IssueList issues)
    {
        var variables = new Dictionary<string, string>();
        string[] lines = text.TrimStart('\uFEFF').ReplaceLineEndings("\n").Split('\n');
        for (int i = 0; i < lines.Length; i++)
        {
            string line = lines[i].Trim();
            if (line.Length == 0 || line[0] == '#') continue;
            if (line.StartsWith("export ", StringComparison.Ordinal)) line = line[7..].TrimStart();
            int equals = line.IndexOf('=');
            string name = equals > 0 ? line[..equals].TrimEnd() : "";
            if (name.Length == 0 || name.Any(c => !char.IsAsciiLetterOrDigit(c) && c != '_'))
                issues.Error(new SourcePosition(source, i + 1, 1), "this line is not of the form NAME=value");
            else if (Value(line[(equals + 1)..].TrimStart()) is { } value)
                variables[name] = value;
            else
                issues.Error(new SourcePosition(source, i + 1, 1), $"the quoted value of {name} does not end on its line");
        }
        return variables;
    }

    static string? Value(string text)
    {
        if (text.Length == 0) return "";
        if (text[0] == '\'') return Closes(text, text.IndexOf('\'', 1)) is > 0 and var end ? text[1..end] : null;
        if (text[0] != '"')
        {
            int comment = text.IndexOf(" #", StringComparison.Ordinal);
            return (comment < 0 ? text : text[..comment]).TrimEnd();
        }
        var value = new StringBuilder();
        for (int i = 1; i < text.Length; i++)
        {
            if (text[i] == '"') return Closes(text, i) > 0 ? value.ToString() : null;
            if (text[i] == '\\' && i + 1 < text.Length)
                value.Append(text[++i] switch { 'n' => "\n", 'r' => "\r", 't' => "\t", '"' => "\"", '\\' => "\\", var other => "\\" + other });
            else
                value.Append(text[i]);
        }
        return null;
    }

    /// <summary>The index of the closing quote, or -1 when more than a comment follows it.</summary>
    static int Closes(string text, int quote) =>
        quote > 0 && text.AsSpan(quote + 1).TrimStart() is var rest && (rest.IsEmpty || rest[0] == '#') ? quote : -1;
}
