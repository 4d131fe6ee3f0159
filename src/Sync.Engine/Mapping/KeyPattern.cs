using System.Text;
using System.Text.RegularExpressions;
using Sync.Contracts.Rows;

namespace Sync.Engine.Mapping;

/// <summary>
/// What the keys of a template look like: a glob to ask Redis with (Redis docs, KEYS), and a stricter test that also knows the types of the
/// columns, so that <c>order:{id}</c> does not take <c>order:7:items</c> for its own.
/// </summary>
public sealed class KeyPattern
{
    readonly Regex test;

    KeyPattern(string glob, string regex)
    {
        Glob = glob;
        test = new Regex($"^(?:{regex})\\z", RegexOptions.Singleline | RegexOptions.CultureInvariant | RegexOptions.NonBacktracking);
    }

    /// <summary>For SCAN … MATCH; matches at least every key of the template.</summary>
    public string Glob { get; }

    /// <summary>Whether a key can have come from the template.</summary>
    public bool Matches(string key) => test.IsMatch(key);

    internal sealed class Builder
    {
        readonly StringBuilder glob = new();
        readonly StringBuilder regex = new();

        public void Literal(string text)
        {
            foreach (char c in text)
            {
                if (c is '*' or '?' or '[' or ']' or '\\' or '^' or '-') glob.Append('\\');
                glob.Append(c);
            }
            regex.Append(Regex.Escape(text));
        }

        public void Value(ValueKind kind)
        {
            glob.Append('*');
            regex.Append(kind switch
            {
                ValueKind.Integer => "-?[0-9]+",
                ValueKind.Boolean => "true|false",
                ValueKind.Date => "[^:]+",
                _ => ".*",
            } is var one && one.Contains('|') ? $"(?:{one})" : one);
        }

        public KeyPattern Build() => new(glob.ToString(), regex.ToString());
    }
}
