using System.Globalization;
using System.Text;

namespace Sync.Node.Telemetry;

/// <summary>Writes the text format 0.0.4 (Prometheus docs, "Exposition formats").</summary>
public sealed class PrometheusText
{
    public const string ContentType = "text/plain; version=0.0.4; charset=utf-8";

    readonly StringBuilder text = new(8192);

    /// <summary>Begins a metric. All its samples have to follow before the next one begins.</summary>
    /// <param name="name">A valid metric name.</param>
    /// <param name="type">counter, gauge or histogram.</param>
    /// <param name="help">What it says; empty for none.</param>
    public void Metric(string name, string type, string help)
    {
        if (help.Length > 0) text.Append("# HELP ").Append(name).Append(' ').Append(Escaped(help)).Append('\n');
        text.Append("# TYPE ").Append(name).Append(' ').Append(type).Append('\n');
    }

    /// <param name="name">The metric's name, for histograms with its suffix.</param>
    /// <param name="labels">As <see cref="Label"/> gives them, joined by commas; empty for none.</param>
    /// <param name="value">Any number, also NaN and the infinities.</param>
    public void Sample(string name, string labels, double value)
    {
        text.Append(name);
        if (labels.Length > 0) text.Append('{').Append(labels).Append('}');
        text.Append(' ').Append(Number(value)).Append('\n');
    }

    /// <summary><c>name="value"</c>, with the value escaped.</summary>
    public static string Label(string name, string value) => $"{Name(name)}=\"{Escaped(value).Replace("\"", "\\\"", StringComparison.Ordinal)}\"";

    /// <summary>A name with everything that Prometheus does not allow in one turned into underscores.</summary>
    public static string Name(string name)
    {
        string valid = string.Concat(name.Select(c => char.IsAsciiLetterOrDigit(c) || c == '_' ? c : '_'));
        return valid.Length == 0 || char.IsAsciiDigit(valid[0]) ? "_" + valid : valid;
    }

    public static string Number(double value) => value switch
    {
        double.PositiveInfinity => "+Inf",
        double.NegativeInfinity => "-Inf",
        double.NaN => "NaN",
        _ => value.ToString("R", CultureInfo.InvariantCulture),
    };

    public override string ToString() => text.ToString();

    static string Escaped(string value) => value.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal);
}
