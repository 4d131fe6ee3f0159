using Sync.Contracts;
using Sync.Load.Cluster;
using Sync.Load.Contestants;
using Sync.Load.Growth;
using Sync.Load.Hosting;
using Sync.Load.Latency;
using Sync.Load.Measuring;
using Sync.Load.Reports;
using Sync.Load.Snapshots;
using Sync.Load.Soak;
using Sync.Load.Workloads;

namespace Sync.Load;

/// <summary>One run: prepare the servers, measure what was asked for, report and judge.</summary>
static class LoadProgram
{
    public static async Task<int> RunAsync(LoadOptions options)
    {
        await using var stage = await Stage.StartAsync();
        var report = new LoadReport(await Machine.DescribeAsync(stage), options.Repeat);
        Console.WriteLine(report.Machine.ToLine());
        if (options.Parts.HasFlag(LoadParts.Drain))
            foreach (string name in options.Workloads) await DrainAsync(stage, Workload.Named(name, options.Rows), options, report);
        if (options.Parts.HasFlag(LoadParts.Latency)) await WatchAsync(stage, options, report);
        if (options.Parts.HasFlag(LoadParts.Snapshot)) await CopyAsync(stage, options, report);
        if (options.Parts.HasFlag(LoadParts.Growth)) await GrowAsync(stage, options, report);
        if (options.Parts.HasFlag(LoadParts.Delay))
            foreach (string name in options.Workloads) await DelayAsync(stage, Workload.Named(name, Math.Min(options.Rows, Judgement.DelayRows)), options, report);
        if (options.Parts.HasFlag(LoadParts.Soak)) await SoakAsync(stage, options, report);
        if (options.Parts.HasFlag(LoadParts.Cluster)) await ClusterPart.MeasureAsync(stage, options, report);
        report.LoadAfter = Machine.LoadNow();
        Console.WriteLine($"Load average after the run {report.LoadAfter:F1}");
        List<string> broken = [.. Judgement.Of(report), .. ClusterJudgement.Of(report)];
        foreach (string sentence in broken) Console.WriteLine($"NOT HELD: {sentence}");
        if (options.JsonFile is { } file) await JsonReport.WriteAsync(file, report);
        return (int)(broken.Count == 0 ? ExitCode.Ok : ExitCode.CheckFailed);
    }

    static async Task DrainAsync(Stage stage, Workload workload, LoadOptions options, LoadReport report)
    {
        Console.WriteLine($"\nWorkload {workload.Name}: {workload.Rows:N0} row changes");
        var contestants = Field.Of(stage, workload, options);
        await using var backlog = await Backlog.PrepareAsync(stage, workload, [.. contestants.Select(c => c.Plugin).OfType<string>().Append("pgoutput").Distinct()]);
        for (int round = 0; round < options.Repeat; round++)
        {
            // Every other round in the opposite order, so that what the first drain warms up helps nobody in particular.
            foreach (var contestant in round % 2 == 0 ? contestants : contestants.Reverse())
            {
                var result = await contestant.MeasureAsync(stage, backlog);
                report.Drains.Add(result);
                Console.WriteLine(DrainTable.Line(result));
            }
        }
        Console.WriteLine();
        Console.Write(DrainTable.Of([.. report.Medians.Where(m => m.Workload == workload.Name)]));
    }

    static async Task WatchAsync(Stage stage, LoadOptions options, LoadReport report)
    {
        Console.WriteLine($"\nLatency, commit to visible, {options.LatencySeconds} s each");
        Console.WriteLine(LatencyTable.Head);
        foreach (var scenario in LatencyScenario.All)
        {
            var result = await LatencyRun.MeasureAsync(stage, scenario, TimeSpan.FromSeconds(options.LatencySeconds));
            report.Latencies.Add(result);
            Console.WriteLine(LatencyTable.Row(result));
        }
    }

    static async Task CopyAsync(Stage stage, LoadOptions options, LoadReport report)
    {
        await using var snapshots = await SnapshotRun.PrepareAsync(stage, options.Rows);
        Console.WriteLine($"\nSnapshot of {snapshots.Rows:N0} rows of users");
        for (int round = 0; round < options.Repeat; round++)
        {
            foreach (int workers in SnapshotRun.Workers) Add(await snapshots.CopyAsync(workers));
            Add(await snapshots.PipeAsync());
        }
        Console.WriteLine();
        Console.Write(SnapshotTable.Of(report.SnapshotMedians));

        void Add(SnapshotResult result)
        {
            report.Snapshots.Add(result);
            Console.WriteLine(SnapshotTable.Line(result));
        }
    }

    static async Task DelayAsync(Stage stage, Workload workload, LoadOptions options, LoadReport report)
    {
        Console.WriteLine($"\nRedis is {Judgement.Delay.TotalMilliseconds:0} ms away in either direction; workload {workload.Name}: {workload.Rows:N0} row changes");
        using var wire = new DelayWire(stage.Redis.Port, Judgement.Delay);
        await using var backlog = await Backlog.PrepareAsync(stage, workload, ["pgoutput"]);
        for (int round = 0; round < options.Repeat; round++)
            foreach (bool isSmall in (bool[])[true, false])
                foreach (int workers in (int[])[1, 2, 4])
                {
                    var environment = new Dictionary<string, string> { ["ACTORSYNC_REDIS_CONN_PORT"] = $"{wire.Port}", ["ACTORSYNC_FLUSHWORKERS"] = $"{workers}" };
                    if (isSmall) environment["ACTORSYNC_FLUSHBUFFERSIZE"] = "4";
                    var drain = await new NodeContestant(new NodeVariant(Judgement.DelayName(workers, isSmall), environment)).MeasureAsync(stage, backlog);
                    report.Drains.Add(drain);
                    Console.WriteLine(DrainTable.Line(drain));
                }
    }

    static async Task SoakAsync(Stage stage, LoadOptions options, LoadReport report)
    {
        Console.WriteLine($"\n{SoakRun.Rate:N0} changes a second for {options.SoakMinutes} minutes");
        Console.WriteLine(SoakTable.Head);
        report.Soak = await SoakRun.MeasureAsync(stage, options.SoakMinutes, minute => Console.WriteLine(SoakTable.Row(minute)));
        Console.WriteLine(SoakTable.Sum(report.Soak));
    }

    static async Task GrowAsync(Stage stage, LoadOptions options, LoadReport report)
    {
        foreach (var series in GrowthSeries.All(options.Rows))
        {
            Console.WriteLine($"\n{series.Title}");
            Console.WriteLine(GrowthTable.Head(series));
            var points = new List<(double X, DrainResult Drain)>();
            foreach (var point in series.Points)
            {
                await using var backlog = await Backlog.PrepareAsync(stage, point.Workload, ["pgoutput"]);
                var drain = await new NodeContestant(point.Variant).MeasureAsync(stage, backlog);
                points.Add((point.X, drain));
                report.Drains.Add(drain);
                Console.WriteLine(GrowthTable.Row(point, drain));
            }
            Directory.CreateDirectory(options.PlotFolder);
            string file = Path.Combine(options.PlotFolder, $"{series.Name}.svg");
            await File.WriteAllTextAsync(file, GrowthPlot.Of(series, points));
        }
    }
}
