using Sync.Load.Hosting;
using Sync.Load.Reports;
using Sync.Load.Workloads;

namespace Sync.Load.Cluster;

/// <summary>Measures nodes that share a slot: how fast they drain beside a single host, what more of them gain where the line to Redis limits.</summary>
static class ClusterPart
{
    static readonly Dictionary<string, string> defaults = [];
    static readonly int[] laneCounts = [1, 16, 256, 4096];

    public static async Task MeasureAsync(Stage stage, LoadOptions options, LoadReport report)
    {
        foreach (string run in options.ClusterRuns)
            await (run switch
            {
                "drain" => DrainAsync(stage, options, report),
                "delay" => DelayAsync(stage, options, report),
                "hot" => HeatAsync(stage, options, report),
                "lanes" => DivideAsync(stage, options, report),
                _ => TouchAsync(stage, options, report),
            });
    }

    static async Task DrainAsync(Stage stage, LoadOptions options, LoadReport report)
    {
        var workload = Workload.Named("users", options.Rows);
        Console.WriteLine($"\nNodes of a cluster beside a single host; workload {workload.Name}: {workload.Rows:N0} row changes");
        await using var backlog = await Backlog.PrepareAsync(stage, workload, ["pgoutput"]);
        for (int round = 0; round < options.Repeat; round++)
            foreach (int nodes in round % 2 == 0 ? options.Nodes : options.Nodes.Reverse())
                Add(report, await ClusterDrain.MeasureAsync(stage, backlog, new ClusterSetup(ClusterTable.Name(nodes), nodes, defaults)));
        Console.WriteLine();
        Console.Write(ClusterTable.Of([.. report.ClusterMedians.Where(r => options.Nodes.Select(ClusterTable.Name).Contains(r.Name))]));
    }

    static async Task DelayAsync(Stage stage, LoadOptions options, LoadReport report)
    {
        var workload = Workload.Named("users", Math.Min(options.Rows, ClusterJudgement.DelayRows));
        Console.WriteLine($"\nRedis is {Judgement.Delay.TotalMilliseconds:0} ms away in either direction, one writer a node; workload {workload.Name}: {workload.Rows:N0} row changes");
        using var wire = new DelayWire(stage.Redis.Port, Judgement.Delay);
        await using var backlog = await Backlog.PrepareAsync(stage, workload, ["pgoutput"]);
        var settings = new Dictionary<string, string>
        {
            ["ACTORSYNC_REDIS_CONN_PORT"] = $"{wire.Port}",
            ["ACTORSYNC_FLUSHWORKERS"] = "1",
            // Small flights, so that the line is what limits and not the cores that all programs share.
            ["ACTORSYNC_FLUSHBUFFERSIZE"] = "2",
        };
        for (int round = 0; round < options.Repeat; round++)
            foreach (int nodes in (round % 2 == 0 ? options.Nodes : options.Nodes.Reverse()).Where(nodes => nodes > 0))
                Add(report, await ClusterDrain.MeasureAsync(stage, backlog, new ClusterSetup(ClusterTable.DelayedName(nodes), nodes, settings)));
        Console.WriteLine();
        Console.Write(ClusterTable.Of([.. report.ClusterMedians.Where(r => ClusterTable.IsDelayed(r.Name))]));
    }

    /// <summary>The same number of changes, without and with a key that has half of them.</summary>
    static async Task HeatAsync(Stage stage, LoadOptions options, LoadReport report)
    {
        int rows = Math.Min(options.Rows, ClusterJudgement.HotRows);
        Console.WriteLine($"\nHalf of all changes are of one key; {rows:N0} row changes by {ClusterJudgement.HotNodes} nodes");
        for (int round = 0; round < options.Repeat; round++)
            foreach (bool isHot in round % 2 == 0 ? (bool[])[false, true] : [true, false])
            {
                await using var backlog = await Backlog.PrepareAsync(stage, new HotWorkload(rows, isHot), ["pgoutput"]);
                Add(report, await ClusterDrain.MeasureAsync(stage, backlog, new ClusterSetup(ClusterTable.HotName(isHot), ClusterJudgement.HotNodes, defaults)));
            }
        Console.WriteLine();
        Console.Write(ClusterTable.Of([.. report.ClusterMedians.Where(r => ClusterTable.IsHot(r.Name))]));

        Console.WriteLine($"\nWhat other keys wait meanwhile, {options.LatencySeconds} s each");
        Console.WriteLine(ClusterTable.WaitHead);
        for (int round = 0; round < options.Repeat; round++)
            foreach (bool isHot in round % 2 == 0 ? (bool[])[false, true] : [true, false])
            {
                var waits = await HotWaitRun.MeasureAsync(stage, isHot, ClusterJudgement.HotNodes, TimeSpan.FromSeconds(options.LatencySeconds));
                report.HotWaits.Add(waits);
                Console.WriteLine(ClusterTable.Wait(waits));
            }
    }

    /// <summary>One node with few and with many lanes.</summary>
    static async Task DivideAsync(Stage stage, LoadOptions options, LoadReport report)
    {
        var workload = Workload.Named("users", options.Rows);
        Console.WriteLine($"\nOne node with few and with many lanes; workload {workload.Name}: {workload.Rows:N0} row changes");
        await using var backlog = await Backlog.PrepareAsync(stage, workload, ["pgoutput"]);
        for (int round = 0; round < options.Repeat; round++)
            foreach (int lanes in round % 2 == 0 ? laneCounts : laneCounts.AsEnumerable().Reverse())
            {
                var settings = new Dictionary<string, string> { ["ACTORSYNC_CLUSTER_LANES"] = $"{lanes}" };
                Add(report, await ClusterDrain.MeasureAsync(stage, backlog, new ClusterSetup(ClusterTable.LanesName(lanes), 1, settings)));
            }
        ClusterResult[] medians = [.. laneCounts.Select(lanes => report.ClusterMedians.First(r => r.Name == ClusterTable.LanesName(lanes)))];
        Console.WriteLine();
        Console.Write(ClusterTable.Of(medians));
        Directory.CreateDirectory(options.PlotFolder);
        await File.WriteAllTextAsync(Path.Combine(options.PlotFolder, "lanes.svg"), GrowthPlot.OfLanes([.. laneCounts.Zip(medians)]));
    }

    static async Task TouchAsync(Stage stage, LoadOptions options, LoadReport report)
    {
        int keys = Math.Min(options.Rows, ClusterJudgement.ManyKeys);
        Console.WriteLine($"\n{keys:N0} keys are changed once each");
        report.ManyKeys = await ManyKeysRun.MeasureAsync(stage, keys);
        Console.Write(ClusterTable.Of(report.ManyKeys));
    }

    static void Add(LoadReport report, ClusterResult result)
    {
        report.Clusters.Add(result);
        Console.WriteLine(ClusterTable.Line(result));
    }
}
