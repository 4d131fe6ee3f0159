using System.Diagnostics;
using System.Globalization;
using Sync.Faults.Checking;
using Sync.Faults.Load;
using Sync.Faults.Servers;

namespace Sync.Faults.Scenarios;

/// <summary>Redis is away for minutes while the load goes on: what the node uses meanwhile, and that it comes back by itself with nothing lost.</summary>
sealed class Outage(FaultOptions options, string folder)
{
    const double maxCpuPercent = 5;
    const int sampleSeconds = 10;
    const long maxGrowth = 10L << 20;

    public async Task<bool> RunAsync(CancellationToken cancellationToken)
    {
        double minutes = options.Minutes > 0 ? options.Minutes : 5;
        // At rest a node makes so little garbage that the collector would not look once in these minutes, and garbage would look like growth. With a budget
        // of 4 MB (the variable is hexadecimal) it looks often, and what is left is what is kept.
        Environment.SetEnvironmentVariable("DOTNET_GCgen0size", "400000");
        await using var site = await Site.OpenAsync(folder, cancellationToken, nodes: 1);
        await using var writers = new Writers(site.Postgres, site.Database, options.Seed, sessions: 4, options.Rate);
        var node = site.Nodes[0];
        writers.Start();
        await Task.Delay(TimeSpan.FromSeconds(20), cancellationToken);
        long before = Posix.ResidentBytes(node.Pid), retainedBefore = await RetainedAsync(site);
        int pid = node.Pid;
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"outage: seed {options.Seed}, Redis goes away for {minutes:0.#} min under about {options.Rate} row changes/s"));
        await site.Redis.KillAsync();
        // Filling what may wait between PostgreSQL and Redis is work; what is asked for is the rest once it stands still.
        await Task.Delay(TimeSpan.FromSeconds(5), cancellationToken);
        var watch = Stopwatch.StartNew();
        double cpuBefore = Posix.CpuSeconds(pid);
        var memory = new List<long>();
        while (watch.Elapsed < TimeSpan.FromMinutes(minutes) - TimeSpan.FromSeconds(5))
        {
            await Task.Delay(500, cancellationToken);
            if (watch.Elapsed.TotalSeconds >= memory.Count * sampleSeconds) memory.Add(Posix.ResidentBytes(pid));
        }
        long first = memory.Take(memory.Count / 2).Max(), second = memory.Skip(memory.Count / 2).Max();
        double percent = (Posix.CpuSeconds(pid) - cpuBefore) / watch.Elapsed.TotalSeconds * 100;
        long retained = await RetainedAsync(site);
        await site.Redis.StartAgainAsync();
        var recovery = Stopwatch.StartNew();
        await writers.PauseAsync();
        bool settled = await site.SettleAsync();
        double seconds = recovery.Elapsed.TotalSeconds;

        using var redis = await site.Redis.ClientAsync();
        var tally = Comparison.Run(await Expectation.ReadAsync(site.Postgres, site.Database), await Content.ReadAsync(redis));
        bool same = node.Pid == pid;
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"""

            | figure | value | wanted |
            |---|---:|---|
            | CPU of the node while Redis was away | {percent:0.0} % | under {maxCpuPercent} % |
            | memory of the node before, at most in the first and in the second half | {before / 1048576.0:0} MB, {first / 1048576.0:0} MB, {second / 1048576.0:0} MB | flat: {maxGrowth >> 20} MB more at most |
            | WAL the slot held back before, at the end | {retainedBefore / 1048576.0:0.0} MB, {retained / 1048576.0:0.0} MB | grows |
            | caught up after Redis came back | {seconds:0.0} s | by itself |
            | the node's process | {(same ? "the same" : "another one")} | the same |
            | changes | {tally.Changes} | lost {tally.Lost}, duplicated {tally.Duplicated}, reordered {tally.Reordered}, foreign {tally.Foreign} |
            """));
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"memory every {sampleSeconds} s, in MB: {string.Join(' ', memory.Select(m => m >> 20))}"));
        foreach (string line in tally.Examples.Concat(site.Problems)) Console.WriteLine($"  {line}");
        return settled && tally.IsClean && site.Problems.Count == 0 && same && percent < maxCpuPercent && second - first <= maxGrowth && retained > retainedBefore;
    }

    static async Task<long> RetainedAsync(Site site) =>
        (long)await site.Postgres.ScalarAsync<decimal>("select pg_wal_lsn_diff(pg_current_wal_lsn(), confirmed_flush_lsn) from pg_replication_slots where slot_name = 'faults'", site.Database);
}
