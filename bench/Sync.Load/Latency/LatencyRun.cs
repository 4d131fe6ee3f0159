using Sync.Load.Contestants;
using Sync.Load.Measuring;
using Sync.Testing;

namespace Sync.Load.Latency;

/// <summary>
/// Commits at a steady rate and watches Redis from another thread. The rate does not wait for Redis: a slow answer delays nobody's commit, so
/// that a pause shows in every transaction it hit.
/// </summary>
static class LatencyRun
{
    const int perSecond = 200;
    const int warmUpSeconds = 3;
    const string slot = "pulse", publication = "pulse_pub";
    static readonly TimeSpan patience = TimeSpan.FromMinutes(2);

    public static async Task<LatencyResult> MeasureAsync(Stage stage, TimeSpan duration)
    {
        await stage.RedisClient.CommandAsync("FLUSHALL", "SYNC");
        await stage.ExecuteAsync("create table pulse(id int primary key, beat bigint not null)");
        await stage.ExecuteAsync("insert into pulse values (1, 0)");
        await stage.ExecuteAsync($"create publication {publication} for table pulse");
        await stage.ExecuteAsync($"select pg_create_logical_replication_slot('{slot}', 'pgoutput')");
        using var folder = new Sandbox();
        using var deadline = new CancellationTokenSource(duration + patience);
        const string tables = """- public.pulse: { commands: [["SET", "pulse", "{beat}"]] }""";
        using var process = ContestantProcess.Start(NodeContestant.Start(stage, publication, slot, tables, folder.Path, changeSets: 0));
        await using (var control = await stage.Postgres.OpenAsync())
            await DrainRun.WalsenderAsync(control, slot, process, deadline.Token);

        int warmUp = warmUpSeconds * perSecond, beats = warmUp + (int)(duration.TotalSeconds * perSecond);
        using var watcher = new RedisWatcher(stage.Redis.Port, "pulse", beats);
        await using var connection = await stage.Postgres.OpenAsync();
        var writer = new CommitWriter(connection, perSecond, beats);
        watcher.Start();
        await writer.RunAsync();
        await watcher.WaitAsync(deadline.Token);
        await process.EndAsync(deadline.Token);
        await stage.ExecuteAsync($"select pg_drop_replication_slot('{slot}')");

        double[] latencies = [.. Enumerable.Range(warmUp, beats - warmUp).Select(beat => Ms(watcher.SeenAt[beat] - writer.SentAt[beat])).Order()];
        double[] commits = [.. Enumerable.Range(warmUp, beats - warmUp).Select(beat => Ms(writer.CommittedAt[beat] - writer.SentAt[beat])).Order()];
        return new LatencyResult
        {
            TransactionsPerSecond = perSecond,
            Transactions = latencies.Length,
            P50Ms = LatencyResult.Percentile(latencies, 50),
            P90Ms = LatencyResult.Percentile(latencies, 90),
            P99Ms = LatencyResult.Percentile(latencies, 99),
            P999Ms = LatencyResult.Percentile(latencies, 99.9),
            MaxMs = latencies[^1],
            ResolutionMs = watcher.ResolutionMs,
            CommitMs = LatencyResult.Percentile(commits, 50),
        };
    }

    static double Ms(long timestamps) => timestamps * 1e3 / System.Diagnostics.Stopwatch.Frequency;
}
