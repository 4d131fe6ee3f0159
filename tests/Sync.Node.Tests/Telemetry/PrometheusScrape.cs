using System.Globalization;
using System.Text.RegularExpressions;

namespace Sync.Node.Tests.Telemetry;

/// <summary>
/// Reads the text format line by line, as strictly as its description (Prometheus docs, "Exposition formats"): a sample follows the TYPE
/// of its metric, a metric stands in one piece, nothing comes twice, the last line ends.
/// </summary>
sealed partial class PrometheusScrape
{
    public Dictionary<string, double> Samples { get; } = [];
    public Dictionary<string, string> Types { get; } = [];
    public Dictionary<string, string> Helps { get; } = [];

    public double Value(string series) => Samples.TryGetValue(series, out double value) ? value
        : throw new KeyNotFoundException($"There is no {series}; there are {string.Join(", ", Samples.Keys)}");

    public static PrometheusScrape Parse(string text)
    {
        var scrape = new PrometheusScrape();
        if (text.Length > 0) text.ShouldEndWith("\n");
        string current = "";
        foreach (string line in text.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            if (line.StartsWith("# HELP ", StringComparison.Ordinal))
            {
                string[] parts = line.Split(' ', 4);
                scrape.Helps.TryAdd(parts[2], parts[3]).ShouldBeTrue($"HELP twice: {line}");
            }
            else if (line.StartsWith("# TYPE ", StringComparison.Ordinal))
            {
                string[] parts = line.Split(' ');
                parts.Length.ShouldBe(4, line);
                parts[3].ShouldBeOneOf("counter", "gauge", "histogram");
                scrape.Types.TryAdd(parts[2], parts[3]).ShouldBeTrue($"TYPE twice: {line}");
                current = parts[2];
            }
            else
            {
                var match = Sample().Match(line);
                match.Success.ShouldBeTrue($"no sample: {line}");
                string name = match.Groups["name"].Value;
                string metric = scrape.Types[current] == "histogram" ? Suffix().Replace(name, "") : name;
                metric.ShouldBe(current, $"a sample outside its metric: {line}");
                string value = match.Groups["value"].Value;
                double number = value switch
                {
                    "+Inf" => double.PositiveInfinity,
                    "-Inf" => double.NegativeInfinity,
                    _ => double.Parse(value, NumberStyles.Float, CultureInfo.InvariantCulture),
                };
                scrape.Samples.TryAdd(name + match.Groups["labels"].Value, number).ShouldBeTrue($"twice: {line}");
            }
        }
        return scrape;
    }

    [GeneratedRegex(@"^(?<name>[a-zA-Z_:][a-zA-Z0-9_:]*)(?<labels>\{[a-zA-Z_][a-zA-Z0-9_]*=""(?:[^""\\]|\\[\\""n])*""(?:,[a-zA-Z_][a-zA-Z0-9_]*=""(?:[^""\\]|\\[\\""n])*"")*\})? (?<value>[-+0-9.eE]+|\+Inf|-Inf|NaN)$")]
    private static partial Regex Sample();

    [GeneratedRegex("_(bucket|sum|count)$")]
    private static partial Regex Suffix();
}
