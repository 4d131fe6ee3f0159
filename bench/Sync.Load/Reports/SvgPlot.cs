using System.Globalization;
using System.Text;

namespace Sync.Load.Reports;

/// <param name="Name">In the legend.</param>
/// <param name="Color">As SVG writes it.</param>
/// <param name="Points">In the order they are joined. Values that are not over 0 have no place on a logarithmic axis and are left out.</param>
sealed record PlotLine(string Name, string Color, IReadOnlyList<(double X, double Y)> Points);

/// <summary>Lines over two logarithmic axes as SVG.</summary>
static class SvgPlot
{
    const int width = 640, height = 380, left = 70, right = 20, top = 40, bottom = 56;
    const int plotWidth = width - left - right, plotHeight = height - top - bottom;

    public static string Draw(string title, string xAxis, string yAxis, IReadOnlyList<PlotLine> lines)
    {
        var points = lines.SelectMany(line => Visible(line)).ToList();
        var x = LogAxis.Over(points.Select(p => p.X));
        var y = LogAxis.Over(points.Select(p => p.Y));
        var svg = new StringBuilder();
        svg.AppendLine(Text($"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">"""));
        svg.AppendLine("""<rect width="100%" height="100%" fill="white"/>""");
        svg.AppendLine(Text($"""<text x="{left}" y="22" font-size="15" font-weight="bold">{title}</text>"""));
        foreach (double tick in x.Ticks) Tick(svg, Across(x, tick), top, Across(x, tick), top + plotHeight, Across(x, tick), top + plotHeight + 18, "middle", tick);
        foreach (double tick in y.Ticks) Tick(svg, left, Up(y, tick), left + plotWidth, Up(y, tick), left - 8, Up(y, tick) + 4, "end", tick);
        svg.AppendLine(Text($"""<rect x="{left}" y="{top}" width="{plotWidth}" height="{plotHeight}" fill="none" stroke="#57606a"/>"""));
        svg.AppendLine(Text($"""<text x="{left + plotWidth / 2}" y="{height - 12}" text-anchor="middle">{xAxis}</text>"""));
        svg.AppendLine(Text($"""<text transform="translate(18 {top + plotHeight / 2}) rotate(-90)" text-anchor="middle">{yAxis}</text>"""));
        for (int i = 0; i < lines.Count; i++) DrawLine(svg, lines[i], x, y, left + plotWidth - 90 * (lines.Count - i));
        svg.AppendLine("</svg>");
        return svg.ToString();
    }

    static void DrawLine(StringBuilder svg, PlotLine line, LogAxis x, LogAxis y, double legendAt)
    {
        var points = Visible(line).Select(p => (X: Across(x, p.X), Y: Up(y, p.Y))).ToList();
        string path = string.Join(' ', points.Select(p => Text($"{p.X:F1},{p.Y:F1}")));
        svg.AppendLine(Text($"""<polyline points="{path}" fill="none" stroke="{line.Color}" stroke-width="2"/>"""));
        foreach (var (px, py) in points) svg.AppendLine(Text($"""<circle cx="{px:F1}" cy="{py:F1}" r="3" fill="{line.Color}"/>"""));
        svg.AppendLine(Text($"""<rect x="{legendAt:F0}" y="{top - 14}" width="10" height="10" fill="{line.Color}"/>"""));
        svg.AppendLine(Text($"""<text x="{legendAt + 14:F0}" y="{top - 5}">{line.Name}</text>"""));
    }

    static void Tick(StringBuilder svg, double x1, double y1, double x2, double y2, double labelX, double labelY, string anchor, double value)
    {
        svg.AppendLine(Text($"""<line x1="{x1:F1}" y1="{y1:F1}" x2="{x2:F1}" y2="{y2:F1}" stroke="#d0d7de"/>"""));
        svg.AppendLine(Text($"""<text x="{labelX:F1}" y="{labelY:F1}" text-anchor="{anchor}">{Label(value)}</text>"""));
    }

    static string Label(double value) => value switch
    {
        >= 1e6 => Text($"{value / 1e6:0.###} M"),
        >= 1e3 => Text($"{value / 1e3:0.###} k"),
        _ => Text($"{value:0.####}"),
    };

    static IEnumerable<(double X, double Y)> Visible(PlotLine line) => line.Points.Where(p => p is { X: > 0, Y: > 0 });

    static double Across(LogAxis axis, double value) => left + plotWidth * axis.Share(value);

    static double Up(LogAxis axis, double value) => top + plotHeight * (1 - axis.Share(value));

    static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    /// <summary>A logarithmic axis that begins and ends at 1, 2 or 5 times a power of ten.</summary>
    sealed record LogAxis(IReadOnlyList<double> Ticks)
    {
        public static LogAxis Over(IEnumerable<double> values)
        {
            double[] sorted = [.. values.Order().DefaultIfEmpty(1)];
            double[] round = [.. Enumerable.Range(-4, 14).SelectMany(power => (double[])[Math.Pow(10, power), 2 * Math.Pow(10, power), 5 * Math.Pow(10, power)])];
            int first = Math.Max(0, Array.FindLastIndex(round, tick => tick <= sorted[0])), last = Array.FindIndex(round, tick => tick >= sorted[^1]);
            if (last <= first) last = first + 1;
            double[] ticks = round[first..(last + 1)];
            // With many decades only the ends and the powers of ten are labelled.
            return new LogAxis(ticks.Length <= 8 ? ticks : [.. ticks.Where((tick, i) => i == 0 || i == ticks.Length - 1 || (first + i) % 3 == 0)]);
        }

        /// <summary>0 at the begin, 1 at the end.</summary>
        public double Share(double value) => Math.Log(value / Ticks[0]) / Math.Log(Ticks[^1] / Ticks[0]);
    }
}
