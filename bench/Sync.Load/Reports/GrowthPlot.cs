using Sync.Load.Cluster;
using Sync.Load.Growth;
using Sync.Load.Measuring;

namespace Sync.Load.Reports;

/// <summary>What a row costs PostgreSQL, Redis and us along a series.</summary>
static class GrowthPlot
{
    /// <summary>Of one that works alone.</summary>
    public static string Of(GrowthSeries series, IReadOnlyList<(double X, DrainResult Drain)> points) => Draw(
        series.Title, series.Axis,
        [.. points.Select(p => new Costs(p.X, p.Drain.PerMillion(p.Drain.ClientCpuSeconds), p.Drain.PerMillion(p.Drain.WalsenderCpuSeconds), p.Drain.PerMillion(p.Drain.RedisCpuSeconds)))]);

    /// <summary>Of a node in a cluster, along its number of lanes.</summary>
    public static string OfLanes(IReadOnlyList<(int Lanes, ClusterResult Drain)> points) => Draw(
        "Lanes", "lanes",
        [.. points.Select(p => new Costs(p.Lanes, p.Drain.PerMillion(p.Drain.NodeCpuSeconds), p.Drain.PerMillion(p.Drain.WalsenderCpuSeconds), p.Drain.PerMillion(p.Drain.RedisCpuSeconds)))]);

    static string Draw(string title, string axis, IReadOnlyList<Costs> points) => SvgPlot.Draw(
        title, axis, "CPU seconds per million rows",
        [
            new("actorsync", "#1f6feb", [.. points.Select(p => (p.X, p.Ours))]),
            new("walsender", "#8250df", [.. points.Select(p => (p.X, p.Walsender))]),
            new("Redis", "#cf222e", [.. points.Select(p => (p.X, p.Redis))]),
        ]);

    /// <summary>CPU seconds per million rows at a point.</summary>
    readonly record struct Costs(double X, double Ours, double Walsender, double Redis);
}
