using Sync.Contracts;
using Sync.Load.Contestants;
using Sync.Load.Latency;
using Sync.Load.Measuring;
using Sync.Load.Reports;
using Sync.Load.Workloads;

namespace Sync.Load;

/// <summary>One run: prepare the servers, let the contestants drain equal backlogs in turn, measure the latency, report and judge.</summary>
static class LoadProgram
{
    const long mostMemoryBytes = 200L * 1024 * 1024;
    const double slowestP99Ms = 20;

    public static async Task<int> RunAsync(LoadOptions options)
    {
        await using var stage = await Stage.StartAsync();
        var report = new LoadReport(await Machine.DescribeAsync(stage), options.Repeat);
        Console.WriteLine(report.Machine.ToLine());
        if (options.Drain) await DrainAsync(stage, new UsersWorkload(options.Rows), options, report);
        if (options.LatencySeconds > 0)
        {
            report.Latency = await LatencyRun.MeasureAsync(stage, TimeSpan.FromSeconds(options.LatencySeconds));
            Console.WriteLine(report.Latency.ToLine());
        }
        report.LoadAfter = Machine.LoadNow();
        Console.WriteLine($"Load average after the run {report.LoadAfter:F1}");
        var broken = Judge(report);
        foreach (string sentence in broken) Console.WriteLine($"NOT HELD: {sentence}");
        if (options.JsonFile is { } file) await JsonReport.WriteAsync(file, report);
        return (int)(broken.Count == 0 ? ExitCode.Ok : ExitCode.CheckFailed);
    }

    static async Task DrainAsync(Stage stage, Workload workload, LoadOptions options, LoadReport report)
    {
        Console.WriteLine($"Workload {workload.Name}: writing a backlog of {workload.Rows:N0} row changes ...");
        var backlog = await Backlog.PrepareAsync(stage, workload);
        Contestant[] contestants = [new FloorContestant(), new NodeContestant(), .. options.Variants.Select(v => new NodeContestant(v))];
        for (int round = 0; round < options.Repeat; round++)
        {
            // Every other round in the opposite order, so that what the first drain warms up helps nobody in particular.
            foreach (var contestant in round % 2 == 0 ? contestants : contestants.Reverse())
            {
                var result = await DrainRun.MeasureAsync(stage, backlog, contestant);
                report.Drains.Add(result);
                Console.WriteLine(DrainTable.Line(result));
            }
        }
        await backlog.DropAsync();
        Console.WriteLine();
        Console.Write(DrainTable.Of(report.Medians));
    }

    static List<string> Judge(LoadReport report)
    {
        var broken = new List<string>();
        foreach (var drain in report.Drains)
        {
            if (drain.Difference is { } difference) broken.Add($"{drain.Contestant}: {difference}");
            if (drain.Node is not null && drain.PeakMemoryBytes >= mostMemoryBytes)
                broken.Add($"{drain.Contestant}: peak RSS of {drain.PeakMemoryBytes / 1e6:F0} MB, at most {mostMemoryBytes / 1e6:F0} MB are allowed");
        }
        if (report.Latency is { } latency && latency.P99Ms >= slowestP99Ms)
            broken.Add($"latency: p99 of {latency.P99Ms:F1} ms, at most {slowestP99Ms:F0} ms are allowed");
        return broken;
    }
}
