using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace Sync.Node.Commands.Init;

/// <summary>Writes scalars of YAML 1.2 so that readers of 1.1 take them for the same text.</summary>
static partial class YamlText
{
    /// <summary>As it is where that is safe, else in double quotes with escapes; always one line.</summary>
    public static string Scalar(string text) => Plain().IsMatch(text) && !Word().IsMatch(text) ? text : Quoted(text);

    /// <summary>In double quotes.</summary>
    public static string Quoted(string text)
    {
        var quoted = new StringBuilder("\"");
        foreach (char c in text)
        {
            if (c is '"' or '\\') quoted.Append('\\').Append(c);
            else if (char.IsControl(c) || c is '\u2028' or '\u2029' or '\ufeff') quoted.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}");
            else quoted.Append(c);
        }
        return quoted.Append('"').ToString();
    }

    [GeneratedRegex("^[A-Za-z_/][A-Za-z0-9_./-]*$")]
    private static partial Regex Plain();

    // What YAML 1.1 takes for booleans, nulls and numbers.
    [GeneratedRegex("^(y|n|yes|no|on|off|true|false|null|none|inf|nan|[0-9a-f]e[0-9]+)$", RegexOptions.IgnoreCase)]
    private static partial Regex Word();
}
