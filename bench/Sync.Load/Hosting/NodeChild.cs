using System.Collections;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Microsoft.Extensions.Logging;
using Sync.Contracts;
using Sync.Contracts.Configuration;
using Sync.Load.Contestants;
using Sync.Node.Hosting;

namespace Sync.Load.Hosting;

/// <summary>
/// Our node in a process of its own: the host that <c>actorsync run</c> runs, with the same settings of the runtime. It ends when its standard
/// input is closed, so that it never outlives the measuring program.
/// </summary>
static class NodeChild
{
    /// <summary>The first argument that makes this program a node: <c>node CONFIG ROWS</c>, then <c>copy</c> when the rows come from the table and not from the WAL, <c>slow</c> when they take minutes.</summary>
    public const string Command = "node";

    /// <summary>A look costs some garbage of its own, which counts where rows come slowly.</summary>
    static readonly TimeSpan poll = TimeSpan.FromMilliseconds(50), slowPoll = TimeSpan.FromSeconds(1);

    public static async Task<int> RunAsync(string[] arguments)
    {
        int rows = int.Parse(arguments[1], CultureInfo.InvariantCulture);
        using var logging = LoggerFactory.Create(builder => builder.AddConsole(console => console.LogToStandardErrorThreshold = LogLevel.Trace));
        await using var host = new SingleHost(ConfigLoader.Load(arguments[0], EnvironmentVariables(), Environment.CurrentDirectory), new HostOptions(), logging.CreateLogger("node"));
        using var stop = new CancellationTokenSource();
        var run = Task.Run(() => host.RunAsync(stop.Token));
        var closed = Task.Run(() => Console.In.ReadToEnd());
        string kind = arguments.ElementAtOrDefault(2) ?? "";
        if (rows > 0) await Task.WhenAny(run, closed, kind == "copy" ? CopyAsync(host, rows) : DrainAsync(host, rows, kind == "slow" ? slowPoll : poll));
        await Task.WhenAny(run, closed);
        await stop.CancelAsync();
        await run;
        return (int)ExitCode.Ok;
    }

    /// <summary>Waits until the table's rows are in Redis and says so.</summary>
    static async Task CopyAsync(SingleHost host, int rows)
    {
        using var timer = new PeriodicTimer(poll);
        while (host.Status.State is not (NodeState.Snapshotting or NodeState.Streaming)) await timer.WaitForNextTickAsync();
        double cpuBefore = CpuSeconds();
        var clock = Stopwatch.StartNew();
        while (Applied(host) < rows) await timer.WaitForNextTickAsync();
        Console.WriteLine(JsonSerializer.Serialize(new CopyFigures(clock.Elapsed.TotalSeconds, CpuSeconds() - cpuBefore)));
    }

    /// <summary>Waits until the rows are in Redis and says so.</summary>
    static async Task DrainAsync(SingleHost host, int rows, TimeSpan every)
    {
        using var timer = new PeriodicTimer(every);
        while (host.Status.State != NodeState.Streaming) await timer.WaitForNextTickAsync();
        long rowsBefore = Applied(host), bytesBefore = GC.GetTotalAllocatedBytes();
        int[] collectionsBefore = Collections();
        while (Applied(host) < rows / 2) await timer.WaitForNextTickAsync();
        double cpuAtHalf = CpuSeconds();
        long bytesAtHalf = GC.GetTotalAllocatedBytes();
        long rowsAtHalf = Applied(host);
        while (Applied(host) < rows) await timer.WaitForNextTickAsync();
        long bytesAtEnd = GC.GetTotalAllocatedBytes();
        double warmRows = Math.Max(1, rows - rowsAtHalf), warm = (CpuSeconds() - cpuAtHalf) / warmRows * 1e6;
        int[] collections = Collections();
        // Streaming shows a little after the first row; what was allocated per row until then is what it was afterwards.
        double share = (double)rows / Math.Max(1, rows - rowsBefore);
        Console.WriteLine(JsonSerializer.Serialize(new NodeFigures(
            rows, (long)((bytesAtEnd - bytesBefore) * share), (bytesAtEnd - bytesAtHalf) / warmRows,
            collections[0] - collectionsBefore[0], collections[1] - collectionsBefore[1], collections[2] - collectionsBefore[2], warm)));
    }

    static long Applied(SingleHost host) => host.Status.Tables.Sum(table => table.Rows);

    static double CpuSeconds() => Environment.CpuUsage.TotalTime.TotalSeconds;

    static int[] Collections() => [GC.CollectionCount(0), GC.CollectionCount(1), GC.CollectionCount(2)];

    static Dictionary<string, string> EnvironmentVariables() =>
        Environment.GetEnvironmentVariables().Cast<DictionaryEntry>().ToDictionary(e => (string)e.Key, e => (string?)e.Value ?? "");
}

/// <summary>What our node tells of itself when it has copied a table.</summary>
/// <param name="Seconds">From the begin of the copy to Redis' answer for the last row.</param>
/// <param name="CpuSeconds">What it used meanwhile.</param>
public sealed record CopyFigures(double Seconds, double CpuSeconds);
