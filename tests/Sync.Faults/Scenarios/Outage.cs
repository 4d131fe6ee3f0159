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
    const long maxBytes = 250L << 20;

    public async Task<bool> RunAsync(CancellationToken cancellationToken)
    {
        double minutes = options.Minutes > 0 ? options.Minutes : 5;
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
        long most = before;
        while (watch.Elapsed < TimeSpan.FromMinutes(minutes) - TimeSpan.FromSeconds(5))
        {
            await Task.Delay(500, cancellationToken);
            most = Math.Max(most, Posix.ResidentBytes(pid));
        }
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
            | memory of the node before, most while away | {before / 1048576.0:0} MB, {most / 1048576.0:0} MB | flat, at most {maxBytes >> 20} MB |
            | WAL the slot held back before, at the end | {retainedBefore / 1048576.0:0.0} MB, {retained / 1048576.0:0.0} MB | grows |
            | caught up after Redis came back | {seconds:0.0} s | by itself |
            | the node's process | {(same ? "the same" : "another one")} | the same |
            | changes | {tally.Changes} | lost {tally.Lost}, duplicated {tally.Duplicated}, reordered {tally.Reordered}, foreign {tally.Foreign} |
            """));
        foreach (string line in tally.Examples.Concat(site.Problems)) Console.WriteLine($"  {line}");
        return settled && tally.IsClean && site.Problems.Count == 0 && same && percent < maxCpuPercent && most < maxBytes && retained > retainedBefore;
    }

    static async Task<long> RetainedAsync(Site site) =>
        (long)await site.Postgres.ScalarAsync<decimal>("select pg_wal_lsn_diff(pg_current_wal_lsn(), confirmed_flush_lsn) from pg_replication_slots where slot_name = 'faults'", site.Database);
}
