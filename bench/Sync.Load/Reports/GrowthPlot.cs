using Sync.Load.Growth;
using Sync.Load.Measuring;

namespace Sync.Load.Reports;

/// <summary>What a row costs the three processes along a series.</summary>
static class GrowthPlot
{
    public static string Of(GrowthSeries series, IReadOnlyList<(double X, DrainResult Drain)> points) => SvgPlot.Draw(
        series.Title, series.Axis, "CPU seconds per million rows",
        [
            Line("actorsync", "#1f6feb", points, d => d.ClientCpuSeconds),
            Line("walsender", "#8250df", points, d => d.WalsenderCpuSeconds),
            Line("Redis", "#cf222e", points, d => d.RedisCpuSeconds),
        ]);

    static PlotLine Line(string name, string color, IReadOnlyList<(double X, DrainResult Drain)> points, Func<DrainResult, double> seconds) =>
        new(name, color, [.. points.Select(p => (p.X, p.Drain.PerMillion(seconds(p.Drain))))]);
}
