using System.Diagnostics;
using System.Globalization;
using Sync.Faults.Checking;
using Sync.Faults.Load;
using Sync.Faults.Servers;

namespace Sync.Faults.Scenarios;

/// <summary>All nodes of a cluster are restarted under load, one after the other, as an update does it: the next when the one before is a member again.</summary>
sealed class RollingRestart(FaultOptions options, string folder)
{
    const int rounds = 2;
    static readonly TimeSpan limit = TimeSpan.FromSeconds(10), between = TimeSpan.FromSeconds(5), deadline = TimeSpan.FromSeconds(60);

    public async Task<bool> RunAsync(CancellationToken cancellationToken)
    {
        await using var site = await Site.OpenAsync(folder, cancellationToken, cluster: options.Cluster);
        await using var writers = new Writers(site.Postgres, site.Database, options.Seed, sessions: 4, options.Rate);
        writers.Start();
        await using var probe = new LagProbe(site);
        await Task.Delay(between, cancellationToken);
        var usual = probe.TakeMost();
        var stolen = new StolenTime();
        var lags = new List<TimeSpan>();
        var ends = new List<TimeSpan>();
        for (int i = 0; i < rounds; i++)
            foreach (var node in site.Nodes)
            {
                int pid = node.Pid, before = node.Ends.Count;
                await site.NoteAsync($"SIGTERM to node {node.Name}");
                node.End(Posix.Sigterm, TimeSpan.Zero);
                for (var watch = Stopwatch.StartNew(); watch.Elapsed < deadline; await Task.Delay(100, cancellationToken))
                    if (node.Pid != pid && await site.IsCompleteAsync()) break;
                // As a probe with a few successes in a row has it.
                await Task.Delay(between, cancellationToken);
                lags.Add(probe.TakeMost());
                ends.AddRange(node.Ends.Skip(before));
            }
        string taken = stolen.TakePercent();
        await writers.PauseAsync();
        await probe.DisposeAsync();
        bool settled = await site.SettleAsync();
        using var redis = await site.Redis.ClientAsync();
        var tally = Comparison.Run(await Expectation.ReadAsync(site.Postgres, site.Database), await Content.ReadAsync(redis));
        Console.WriteLine($"rolling restart of {site.Nodes.Count} nodes, {rounds} times: lag at rest at most {Seconds([usual])} s, then {Seconds(lags)} s, at most {limit.TotalSeconds:0} s wanted; the nodes ended after {Seconds(ends)} s; others got {taken} % of the CPU that was wanted");
        Console.WriteLine($"  {tally.Changes} changes, lost {tally.Lost}, duplicated {tally.Duplicated}, reordered {tally.Reordered}, foreign {tally.Foreign}");
        foreach (string line in tally.Examples.Concat(site.Problems)) Console.WriteLine($"  {line}");
        return settled && tally.IsClean && site.Problems.Count == 0 && lags.TrueForAll(l => l <= limit);
    }

    static string Seconds(IEnumerable<TimeSpan> times) => string.Join(", ", times.Select(t => t.TotalSeconds.ToString("0.0", CultureInfo.InvariantCulture)));
}
