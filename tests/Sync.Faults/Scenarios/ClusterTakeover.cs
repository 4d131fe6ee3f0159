using System.Diagnostics;
using System.Globalization;
using Sync.Faults.Checking;
using Sync.Faults.Injecting;
using Sync.Faults.Load;
using Sync.Faults.Servers;

namespace Sync.Faults.Scenarios;

/// <summary>
/// For how long changes stand still when something happens to one node of a cluster, under load: until changes of all lanes that were committed behind it show in Redis. Each is done to the
/// node that reads and to another one. All content is compared at the end.
/// </summary>
sealed class ClusterTakeover(FaultOptions options, string folder)
{
    static readonly TimeSpan killed = TimeSpan.FromSeconds(12), stopped = TimeSpan.FromSeconds(2), deadline = TimeSpan.FromSeconds(60), allStopped = TimeSpan.FromSeconds(15);

    /// <summary>Lanes move for some seconds after a node has joined.</summary>
    static readonly TimeSpan atRest = TimeSpan.FromSeconds(12);

    public async Task<bool> RunAsync(CancellationToken cancellationToken)
    {
        await using var site = await Site.OpenAsync(folder, cancellationToken, cluster: options.Cluster);
        await using var writers = new Writers(site.Postgres, site.Database, options.Seed, sessions: 4, options.Rate);
        writers.Start();
        await using var probe = new LagProbe(site);
        bool good = true;
        Console.WriteLine("| what | to | changes flow again after, s | longest lag, s | the node ended after, s | rows that came again | CPU it wanted and others got, % | wanted |");
        Console.WriteLine("|---|---|---:|---:|---:|---:|---:|---|");
        (FaultKind Kind, string What, TimeSpan? Wanted, Action<NodeProcess> Act)[] all =
        [
            (FaultKind.NodeKill, "kill -9", killed, node => node.End(Posix.Sigkill, TimeSpan.FromSeconds(1))),
            (FaultKind.NodeRestart, "SIGTERM", stopped, node => node.End(Posix.Sigterm, TimeSpan.FromSeconds(3))),
            (FaultKind.NodeFreeze, "SIGSTOP", null, node => node.Freeze()),
            (FaultKind.NodeSplit, "cut off from the others", null, node => site.Network!.Set(node.ClusterIndex!.Value, WireMode.Hole)),
        ];
        foreach (bool reader in new[] { true, false })
            foreach (var (kind, what, wanted, act) in all)
                if (options.Only.Count == 0 || options.Only.Contains(kind)) good &= await RunAsync(site, probe, what, reader, wanted, act, cancellationToken);
        if (options.Only.Count == 0 || options.Only.Contains(FaultKind.NodeRolling)) good &= await StopAllAsync(site, probe, cancellationToken);
        await writers.PauseAsync();
        await probe.DisposeAsync();
        bool settled = await site.SettleAsync();
        using var redis = await site.Redis.ClientAsync();
        var tally = Comparison.Run(await Expectation.ReadAsync(site.Postgres, site.Database), await Content.ReadAsync(redis));
        Console.WriteLine($"takeover in a cluster: {tally.Changes} changes, lost {tally.Lost}, duplicated {tally.Duplicated}, reordered {tally.Reordered}, foreign {tally.Foreign}");
        foreach (string line in tally.Examples.Concat(site.Problems)) Console.WriteLine($"  {line}");
        return good && settled && tally.IsClean && site.Problems.Count == 0;
    }

    static async Task<bool> RunAsync(Site site, LagProbe probe, string what, bool toReader, TimeSpan? wanted, Action<NodeProcess> act, CancellationToken cancellationToken)
    {
        await site.UntilAsync(site.IsCompleteAsync, "all nodes should be members");
        await Task.Delay(atRest, cancellationToken);
        var reader = await site.ActiveAsync();
        var node = toReader ? reader : site.Other(reader, Environment.TickCount & 1);
        // Counted anew by a node that is started again.
        long repeated = await RepeatedAsync(site.Nodes.Where(n => n != node));
        int ends = node.Ends.Count, downed = node.Downed;
        probe.TakeMost();
        await site.NoteAsync($"{what} to node {node.Name}, {(toReader ? "which reads" : "which does not read")}");
        var stolen = new StolenTime();
        var since = DateTimeOffset.UtcNow;
        act(node);
        var flows = await probe.FlowsAsync(since, deadline);
        string ended = "";
        if (what == "SIGTERM")
        {
            while (node.Ends.Count == ends && DateTimeOffset.UtcNow - since < deadline) await Task.Delay(20, cancellationToken);
            ended = Seconds(node.Ends.Count > ends ? node.Ends[^1] : deadline);
            // The node that reads goes on until it has left, so the next one may begin behind its end only.
            await probe.FlowsAsync(DateTimeOffset.UtcNow, deadline);
        }
        else if (wanted is null) ended = await WakeAsync(site, node, downed, cancellationToken);
        await Task.Delay(TimeSpan.FromSeconds(2), cancellationToken);
        var lag = probe.TakeMost();
        string taken = stolen.TakePercent();
        repeated = what == "SIGTERM" ? await RepeatedAsync(site.Nodes) - repeated : -1;
        // Changes flow while a node leaves, but those of a lane that moves wait for it.
        bool good = flows < (wanted ?? deadline) && (what != "SIGTERM" || lag < wanted) && ended != "never" && repeated <= 0;
        string want = wanted is { } limit ? $"{limit.TotalSeconds:0} s{(repeated >= 0 ? ", none again" : "")}" : "ends with 60 when it wakes up";
        Console.WriteLine($"| {what} | {(toReader ? "the reader" : "another")} | {Seconds(flows)} | {Seconds(lag)} | {ended} | {(repeated >= 0 ? repeated : "")} | {taken} | {want}{(good ? "" : " **not met**")} |");
        return good;
    }

    /// <summary>All nodes are asked to stop at once, so nobody takes over.</summary>
    static async Task<bool> StopAllAsync(Site site, LagProbe probe, CancellationToken cancellationToken)
    {
        await site.UntilAsync(site.IsCompleteAsync, "all nodes should be members");
        int[] ends = [.. site.Nodes.Select(n => n.Ends.Count)];
        await site.NoteAsync("SIGTERM to all nodes");
        var stolen = new StolenTime();
        var since = DateTimeOffset.UtcNow;
        foreach (var node in site.Nodes) node.End(Posix.Sigterm, TimeSpan.FromSeconds(1));
        while (site.Nodes.Where((n, i) => n.Ends.Count == ends[i]).Any() && DateTimeOffset.UtcNow - since < deadline) await Task.Delay(20, cancellationToken);
        var ended = DateTimeOffset.UtcNow - since;
        var flows = await probe.FlowsAsync(DateTimeOffset.UtcNow, deadline);
        bool good = flows < deadline && ended < allStopped;
        Console.WriteLine($"| SIGTERM | all at once | {Seconds(ended + flows)} | {Seconds(probe.TakeMost())} | {Seconds(ended)} | | {stolen.TakePercent()} | ends within {allStopped.TotalSeconds:0} s{(good ? "" : " **not met**")} |");
        return good;
    }

    /// <summary>The node comes back when the others have gone on without it: then it has to end. How long that took.</summary>
    static async Task<string> WakeAsync(Site site, NodeProcess node, int downed, CancellationToken cancellationToken)
    {
        await Task.Delay(TimeSpan.FromSeconds(3), cancellationToken);
        var awake = Stopwatch.StartNew();
        if (node.IsFrozen) node.Thaw();
        while (node.Downed == downed && awake.Elapsed < deadline) await Task.Delay(20, cancellationToken);
        string took = node.Downed > downed ? Seconds(awake.Elapsed) : "never";
        site.Network!.Set(node.ClusterIndex!.Value, WireMode.Open);
        return took;
    }

    /// <summary>Rows that came to lanes, or to a reader that began, though Redis had them.</summary>
    static async Task<long> RepeatedAsync(IEnumerable<NodeProcess> nodes)
    {
        double sum = 0;
        foreach (var node in nodes) sum += await node.MetricAsync("actorsync_rows_skipped_total");
        return (long)sum;
    }

    static string Seconds(TimeSpan time) => time.TotalSeconds.ToString("0.0", CultureInfo.InvariantCulture);
}
