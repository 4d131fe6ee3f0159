using Sync.Faults.Checking;
using Sync.Faults.Load;
using Sync.Faults.Servers;

namespace Sync.Faults.Scenarios;

/// <summary>Plants one lost, one duplicated and one reordered change into a right Redis, and requires that exactly these are found.</summary>
sealed class SelfTest(FaultOptions options, string folder)
{
    public async Task<bool> RunAsync(CancellationToken cancellationToken)
    {
        await using var site = await Site.OpenAsync(folder, cancellationToken, nodes: 1, cluster: options.Cluster);
        await using (var writers = new Writers(site.Postgres, site.Database, options.Seed, sessions: 2, options.Rate))
        {
            writers.Start();
            await site.UntilAsync(() => Task.FromResult(writers.Transactions > 100), "the load should run");
            await writers.PauseAsync();
            writers.Resume();
        }
        const int key = Schema.FirstPoisonKey;
        await site.Postgres.ExecuteAsync($"insert into counter values ({key}), ({key + 1}), ({key + 2})", site.Database);
        for (int i = 0; i < 3; i++) await site.Postgres.ExecuteAsync(Statements.EventsSql(key + i, 10), site.Database);
        if (!await site.SettleAsync()) return Say(false, string.Join("; ", site.Problems));

        var clean = await CompareAsync(site);
        if (!clean.IsClean) return Say(false, "Redis is wrong before anything was planted: " + string.Join("; ", clean.Examples));
        await site.Redis.ExecAsync("LREM", $"tail:{key}", "1", "4");
        await site.Redis.ExecAsync("LINSERT", $"tail:{key + 1}", "AFTER", "7", "7");
        await site.Redis.ExecAsync("LSET", $"tail:{key + 2}", "2", "4");
        await site.Redis.ExecAsync("LSET", $"tail:{key + 2}", "3", "3");
        var planted = await CompareAsync(site);
        foreach (string example in planted.Examples) Console.WriteLine($"  {example}");
        if ((planted.Lost, planted.Duplicated, planted.Reordered, planted.Foreign) != (1, 1, 1, 0))
            return Say(false, $"planted 1/1/1, found lost {planted.Lost}, duplicated {planted.Duplicated}, reordered {planted.Reordered}, foreign {planted.Foreign}");

        // Every other kind of content: a sum, a field, a member, a string, a whole key, and a key of nobody.
        await site.Redis.ExecAsync("INCRBY", "total:1", "1");
        await site.Redis.ExecAsync("ZINCRBY", "rank", "1", "2");
        await site.Redis.ExecAsync("HINCRBY", "kinds:3", "fee", "1");
        await site.Redis.ExecAsync("SADD", "group:1", "nobody");
        await site.Redis.ExecAsync("SET", "marker:1", "0");
        await site.Redis.ExecAsync("DEL", $"log:{key}");
        await site.Redis.ExecAsync("SET", "nobody", "0");
        var second = await CompareAsync(site);
        return Say((second.Lost, second.Duplicated, second.Reordered, second.Foreign) == (1 + 5 + 10, 1, 1, 1),
            $"lost, duplicated and reordered changes are found: lost {second.Lost} of 16, foreign {second.Foreign} of 1");
    }

    static async Task<Tally> CompareAsync(Site site)
    {
        using var redis = await site.Redis.ClientAsync();
        return Comparison.Run(await Expectation.ReadAsync(site.Postgres, site.Database), await Content.ReadAsync(redis));
    }

    static bool Say(bool good, string text)
    {
        Console.WriteLine($"self-test: {text}");
        return good;
    }
}
