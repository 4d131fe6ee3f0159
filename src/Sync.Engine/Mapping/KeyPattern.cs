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

    KeyPattern(string glob, string regex, string prefix, string sample)
    {
        Sample = sample;
        Glob = glob;
        Prefix = prefix;
        Shape = regex;
        test = new Regex($"^(?:{regex})\\z", RegexOptions.Singleline | RegexOptions.CultureInvariant | RegexOptions.NonBacktracking);
    }

    /// <summary>For SCAN … MATCH; matches at least every key of the template.</summary>
    public string Glob { get; }

    /// <summary>A key that can have come from the template.</summary>
    public string Sample { get; }

    /// <summary>What every key of the template begins with.</summary>
    public string Prefix { get; }

    /// <summary>The stricter test as a text.</summary>
    public string Shape { get; }

    /// <summary>The pattern of a <see cref="Shape"/>, for testing only.</summary>
    public static KeyPattern OfShape(string shape) => new("*", shape, "", "");

    /// <summary>The pattern of one text.</summary>
    public static KeyPattern Of(string text)
    {
        var builder = new Builder();
        builder.Literal(text);
        return builder.Build();
    }

    /// <summary>Whether a key can have come from the template.</summary>
    public bool Matches(string key) => test.IsMatch(key);

    internal sealed class Builder
    {
        readonly StringBuilder glob = new();
        readonly StringBuilder regex = new();
        readonly StringBuilder prefix = new();
        readonly StringBuilder sample = new();
        bool isVariable;

        public void Literal(string text)
        {
            foreach (char c in text)
            {
                if (c is '*' or '?' or '[' or ']' or '\\' or '^' or '-') glob.Append('\\');
                glob.Append(c);
            }
            regex.Append(Regex.Escape(text));
            sample.Append(text);
            if (!isVariable) prefix.Append(text);
        }

        public void Value(RelationColumn column)
        {
            if (column.TypeOid == KeyTemplatePart.UuidOid) Value("[0-9a-f-]{36}");
            else Value(column.Type.Kind);
        }

        /// <summary>A value of which every colon and backslash has a backslash before it.</summary>
        public void EscapedValue() => Value(@"(?:[^:\\]|\\[:\\])*");

        public void Value(ValueKind kind) => Value(kind switch
        {
            ValueKind.Integer => "-?[0-9]+",
            ValueKind.Boolean => "(?:true|false)",
            ValueKind.Date => "[^:]+",
            _ => ".*",
        });

        void Value(string shape)
        {
            isVariable = true;
            sample.Append(shape[0] switch
            {
                '-' => "1",
                '(' when shape.StartsWith("(?:true", StringComparison.Ordinal) => "true",
                '[' when shape.Contains('{') => "00000000-0000-0000-0000-000000000000",
                _ => "x",
            });
            glob.Append('*');
            regex.Append(shape);
        }

        public KeyPattern Build() => new(glob.ToString(), regex.ToString(), prefix.ToString(), sample.ToString());
    }
}
