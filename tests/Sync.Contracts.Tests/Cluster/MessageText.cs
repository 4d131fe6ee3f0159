using System.Collections;
using System.Globalization;
using System.Text;

namespace Sync.Contracts.Tests.Cluster;

/// <summary>All that a message holds, a line for each value, so that two messages can be compared and one be written down.</summary>
static class MessageText
{
    public static string[] LinesOf(object message)
    {
        var lines = new List<string> { $"type = {message.GetType().Name}" };
        Describe(message, "", lines);
        return [.. lines];
    }

    static void Describe(object? value, string path, List<string> lines)
    {
        switch (value)
        {
            case ReadOnlyMemory<byte> bytes:
                lines.Add($"{path} = {Convert.ToHexString(bytes.Span)}");
                break;
            case string text:
                lines.Add($"{path} = \"{Escape(text)}\"");
                break;
            case Position or Lsn or Enum:
                lines.Add($"{path} = {value}");
                break;
            case IEnumerable many:
                Describe(many, path, lines);
                break;
            case null or ValueType when value is null || value.GetType().IsPrimitive:
                lines.Add(string.Create(CultureInfo.InvariantCulture, $"{path} = {value}"));
                break;
            default:
                foreach (var parameter in value.GetType().GetConstructors().MaxBy(c => c.GetParameters().Length)!.GetParameters())
                    Describe(Unwrap(value.GetType().GetProperty(parameter.Name!)!.GetValue(value)), path.Length == 0 ? parameter.Name! : $"{path}.{parameter.Name}", lines);
                break;
        }
    }

    static void Describe(IEnumerable many, string path, List<string> lines)
    {
        int index = 0;
        foreach (object? item in many) Describe(item, string.Create(CultureInfo.InvariantCulture, $"{path}[{index++}]"), lines);
        lines.Add(string.Create(CultureInfo.InvariantCulture, $"{path}.count = {index}"));
    }

    static object? Unwrap(object? value) => value is ReadOnlyMemory<Sync.Contracts.Cluster.LaneRow> rows ? rows.ToArray() : value;

    static string Escape(string text)
    {
        var escaped = new StringBuilder();
        foreach (char c in text) escaped.Append(c is < ' ' or '"' or '\\' or > '~' ? string.Create(CultureInfo.InvariantCulture, $"\\u{(int)c:X4}") : c.ToString());
        return escaped.ToString();
    }
}
