using System.Diagnostics;
using System.Globalization;
using Sync.Faults.Checking;
using Sync.Faults.Injecting;
using Sync.Faults.Load;
using Sync.Faults.Servers;

namespace Sync.Faults.Scenarios;

/// <summary>
/// Load and faults for some minutes, in rounds: a poison phase, faults, then the writers pause, everything catches up, and all that Redis holds is compared
/// with all that was ever committed. The first round that finds something ends the run.
/// </summary>
sealed class FaultRun(FaultOptions options, string folder)
{
    const int sessions = 4;
    static readonly TimeSpan longestRound = TimeSpan.FromMinutes(3);

    static readonly (string What, string Text)[] evidence =
    [
        ("began to stream", " streaming slot "), ("lost PostgreSQL", " Coming back in "), ("lost Redis or were refused", " order is kept, "),
        ("lost replies to writes that Redis had applied", " replies were lost"), ("found Redis restarted", " it holds has to be read anew"),
        ("were refused by Redis because another node had taken over", " took over"), ("decided who goes on", " SBR took decision "),
        ("ended the stream of one that had lost the slot", " had lost the lease"),
    ];

    static readonly string[] never = [" is copied again", " is stopped: ", " the copy failed", " Redis fell back to ", "Unhandled exception"];

    readonly Dictionary<string, int> witnessed = [];
    long spoilt, resyncs;
    TimeSpan slowestShape;

    public async Task<bool> RunAsync(CancellationToken cancellationToken)
    {
        var length = TimeSpan.FromMinutes(options.Minutes > 0 ? options.Minutes : 30);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"faults: seed {options.Seed}, {length.TotalMinutes:0.#} min, about {options.Rate} row changes/s in {sessions} sessions{(options.Cluster > 0 ? $", a cluster of {options.Cluster} nodes" : "")}"));
        await using var site = await Site.OpenAsync(folder, cancellationToken, atLeastOnce: options.AtLeastOnce, cluster: options.Cluster, client: options.Client);
        await using var writers = new Writers(site.Postgres, site.Database, options.Seed, sessions, options.Rate);
        var injector = new Injector(site);
        using var plan = FaultPlan.Draw(options.Seed, options.Only, options.Cluster > 0).GetEnumerator();
        var poison = new PoisonPhase(site);
        await using var shifting = new ShiftingTables(site.Postgres, site.Database, options.Seed);
        writers.Start();
        shifting.Start();

        Tally? tally = null;
        int checks = 0;
        for (var watch = Stopwatch.StartNew(); watch.Elapsed < length;)
        {
            if (options.Only.Count == 0)
            {
                if (options.Cluster > 0) await site.UntilAsync(site.IsCompleteAsync, "all nodes should be members");
                else await site.UntilAsync(async () => await (await site.ActiveAsync()).StateAsync() == "streaming", "a node should stream");
                injector.Count(FaultKind.PoisonKey);
                await poison.RunAsync(cancellationToken);
            }
            await using var drift = new DriftPlanter(site, options.Seed + checks);
            drift.Start();
            for (var round = Stopwatch.StartNew(); round.Elapsed < longestRound && watch.Elapsed < length;)
            {
                plan.MoveNext();
                await site.NoteAsync($"{plan.Current}");
                await injector.RunAsync(plan.Current, cancellationToken);
            }
            await Task.WhenAll(writers.PauseAsync(), shifting.PauseAsync());
            var settling = Stopwatch.StartNew();
            bool settled = await site.SettleAsync();
            double seconds = settling.Elapsed.TotalSeconds;
            await drift.MendAsync(cancellationToken);
            (spoilt, resyncs) = (spoilt + drift.Spoilt, resyncs + drift.Begun);
            tally = await CheckAsync(site, cancellationToken);
            checks++;
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"  {watch.Elapsed:mm\\:ss}  {injector.Total,4} faults  {tally.Changes,9} changes  caught up in {seconds,4:0.0} s  lost {tally.Lost}  duplicated {tally.Duplicated}  reordered {tally.Reordered}  foreign {tally.Foreign}"));
            Witness(site);
            if (!settled || !tally.IsClean || site.Problems.Count > 0) break;
            writers.Resume();
            shifting.Resume();
        }
        bool good = tally is { IsClean: true, Changes: > 0, Keys: > 0 } && site.Problems.Count == 0;
        Print(site, writers, shifting, injector, poison, tally!, checks);
        return good;
    }

    /// <summary>
    /// What the nodes say about themselves: evidence that the faults were felt, and what must never be said, because nothing that was acknowledged is ever
    /// lost here.
    /// </summary>
    void Witness(Site site)
    {
        string[] lines = [.. site.Nodes.SelectMany(node => File.ReadLines(node.LogFile))];
        witnessed.Clear();
        foreach (var (what, text) in evidence) witnessed[what] = lines.Count(l => l.Contains(text, StringComparison.Ordinal));
        // The tables whose shape changes are stopped for as long as they are not there.
        foreach (string line in lines.Where(l => !Array.Exists(ShiftingTables.Names, name => l.Contains($"public.{name} ", StringComparison.Ordinal)) && never.Any(text => l.Contains(text, StringComparison.Ordinal))))
            lock (site.Problems) site.Problems.Add(line);
    }

    async Task<Tally> CheckAsync(Site site, CancellationToken cancellationToken)
    {
        var (took, differences) = await ShapeCheck.RunAsync(site, cancellationToken);
        if (took > slowestShape) slowestShape = took;
        using var redis = await site.Redis.ClientAsync();
        var expected = await Expectation.ReadAsync(site.Postgres, site.Database);
        var tally = Comparison.Run(expected, await Content.ReadAsync(redis));
        long parked = (long)(await redis.CommandAsync("XLEN", "actorsync:{faults}:dlq"))!;
        if (parked > 0) tally.AddLost(parked, "changes are still parked in the dead letters");
        foreach (string difference in differences) tally.AddLost(1, difference);
        await VerifyAsync(site, cancellationToken);
        return tally;
    }

    /// <summary>What a user would ask: <c>actorsync verify</c> has to find what the comparison finds, which is nothing.</summary>
    static async Task VerifyAsync(Site site, CancellationToken cancellationToken)
    {
        var active = await site.ActiveAsync();
        var (code, output) = await active.RunCommandAsync(["verify"], cancellationToken);
        if (code != 0) lock (site.Problems) site.Problems.Add($"actorsync verify ended with exit code {code}: {output.Trim()}");
    }

    void Print(Site site, Writers writers, ShiftingTables shifting, Injector injector, PoisonPhase poison, Tally tally, int checks)
    {
        Console.WriteLine();
        Console.WriteLine($"| fault | times |\n|---|---:|");
        foreach (var (kind, count) in injector.Counts) Console.WriteLine($"| {kind} | {count} |");
        Console.WriteLine($"| **all** | **{injector.Total}** |");
        Console.WriteLine();
        Console.WriteLine("| seed | faults | transactions | changes applied | keys compared | full comparisons | parked and retried | lost | duplicated | reordered | foreign |");
        Console.WriteLine("|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|");
        Console.WriteLine($"| {options.Seed} | {injector.Total} | {writers.Transactions} | {tally.Changes - tally.Lost} | {tally.Keys} | {checks} | {poison.Retried} | {tally.Lost} | {tally.Duplicated} | {tally.Reordered} | {tally.Foreign} |");
        Console.WriteLine();
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"nodes: most memory {site.Nodes.Max(n => n.PeakBytes) / 1048576.0:0} MB, started again by their supervisor {site.Nodes.Sum(n => n.Restarts)} times; transactions refused by PostgreSQL or cut off {writers.Refused}"));
        if (options.Cluster > 0)
            Console.WriteLine($"cluster: went on without a node that was alive {injector.Abandoned} times; nodes ended because of that, or could not go on alone {site.Nodes.Sum(n => n.Downed)} times");
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"tables changed {shifting.Counts.Values.Sum()} times ({string.Join(", ", shifting.Counts.Select(c => $"{c.Key} {c.Value}"))}); Redis was right again within {slowestShape.TotalSeconds:0.0} s"));
        Console.WriteLine($"drift: {spoilt} keys spoilt in Redis, {resyncs} re-syncs begun meanwhile");
        Console.WriteLine($"nodes: {string.Join(", ", witnessed.Select(w => $"{w.Key} {w.Value}"))}");
        foreach (string example in tally.Examples) Console.WriteLine($"  {example}");
        foreach (string problem in site.Problems) Console.WriteLine($"  problem: {problem}");
    }
}
