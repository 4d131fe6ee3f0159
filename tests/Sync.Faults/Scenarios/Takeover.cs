using System.Diagnostics;
using System.Globalization;
using Sync.Faults.Servers;

namespace Sync.Faults.Scenarios;

/// <summary>From the kill -9 of the active node to the moment its standby streams.</summary>
sealed class Takeover(string folder)
{
    const int rounds = 3;
    static readonly TimeSpan limit = TimeSpan.FromSeconds(5);

    public async Task<bool> RunAsync(CancellationToken cancellationToken)
    {
        await using var site = await Site.OpenAsync(folder, cancellationToken);
        var times = new List<TimeSpan>();
        for (int i = 0; i < rounds; i++)
        {
            await site.UntilAsync(async () => await BothReadyAsync(site), "one node should stream, the other one stand by");
            var active = await site.ActiveAsync();
            var watch = Stopwatch.StartNew();
            active.End(Posix.Sigkill, TimeSpan.FromSeconds(1));
            await site.UntilAsync(async () => await site.Other(active).StateAsync() == "streaming", "the standby should take over");
            times.Add(watch.Elapsed);
        }
        bool settled = await site.SettleAsync();
        bool good = settled && site.Problems.Count == 0 && times.All(t => t <= limit);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"takeover: the standby streams {string.Join(", ", times.Select(t => $"{t.TotalSeconds:0.00}"))} s after a kill -9; at most {limit.TotalSeconds:0} s wanted"));
        foreach (string problem in site.Problems) Console.WriteLine($"  problem: {problem}");
        return good;
    }

    static async Task<bool> BothReadyAsync(Site site)
    {
        string[] states = [await site.Nodes[0].StateAsync(), await site.Nodes[1].StateAsync()];
        return states.Order().SequenceEqual(["standby", "streaming"]);
    }
}
