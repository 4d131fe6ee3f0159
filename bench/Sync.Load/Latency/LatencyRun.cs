using System.Diagnostics;
using Sync.Load.Contestants;
using Sync.Load.Measuring;
using Sync.Testing;

namespace Sync.Load.Latency;

/// <summary>
/// Commits at a steady rate and listens to Redis from another thread. The rate does not wait for Redis: a slow answer delays nobody's commit, so
/// that a pause shows in every transaction it hit.
/// </summary>
static class LatencyRun
{
    const int warmUpSeconds = 3;
    const string slot = "pulse", publication = "pulse_pub";
    static readonly TimeSpan patience = TimeSpan.FromMinutes(2);

    public static async Task<LatencyResult> MeasureAsync(Stage stage, LatencyScenario scenario, TimeSpan duration)
    {
        await stage.RedisClient.CommandAsync("FLUSHALL", "SYNC");
        string[] tables = [.. Enumerable.Range(0, scenario.Tables).Select(LatencyScenario.Table)];
        foreach (string table in tables)
        {
            await stage.ExecuteAsync($"create table {table}(id int primary key, beat bigint not null)");
            await stage.ExecuteAsync($"insert into {table} select g, 0 from generate_series(1, {scenario.RowsPerTransaction}) g");
        }
        await stage.ExecuteAsync($"create publication {publication} for table {string.Join(", ", tables)}");
        await stage.ExecuteAsync($"select pg_create_logical_replication_slot('{slot}', 'pgoutput')");
        var result = await ListenAsync(stage, scenario, duration, tables);
        await stage.ExecuteAsync($"select pg_drop_replication_slot('{slot}')");
        await stage.ExecuteAsync($"drop publication {publication}");
        await stage.ExecuteAsync($"drop table {string.Join(", ", tables)}");
        return result;
    }

    static async Task<LatencyResult> ListenAsync(Stage stage, LatencyScenario scenario, TimeSpan duration, string[] tables)
    {
        using var folder = new Sandbox();
        using var deadline = new CancellationTokenSource(duration + patience);
        // The message is sent in the transaction that writes the row, and arrives when both are visible.
        string mapping = string.Join('\n', tables.Select((table, i) =>
            $$"""- public.{{table}}: { update: { commands: [["SET", "{{table}}:{id}", "{beat}"], ["PUBLISH", "{{LatencyScenario.Channel}}", "{{i}}:{beat}"]] } }"""));
        using var process = ContestantProcess.Start(NodeContestant.Start(stage, publication, slot, mapping, folder.Path, changeSets: 0));
        await using (var control = await stage.Postgres.OpenAsync())
            await DrainRun.WalsenderAsync(control, slot, process, deadline.Token);

        using var busy = scenario.BusyCore ? new BusyCore() : null;
        int warmUp = warmUpSeconds * scenario.TransactionsPerSecond, beats = warmUp + (int)(duration.TotalSeconds * scenario.TransactionsPerSecond);
        using var listener = new RedisListener(stage.Redis.Port, scenario, beats);
        await using var connection = await stage.Postgres.OpenAsync();
        var writer = new CommitWriter(connection, scenario, beats);
        await listener.StartAsync();
        await writer.RunAsync();
        await listener.WaitAsync(deadline.Token);
        await process.EndAsync(deadline.Token);
        return Result(scenario, writer, listener, warmUp, beats);
    }

    static LatencyResult Result(LatencyScenario scenario, CommitWriter writer, RedisListener listener, int warmUp, int beats)
    {
        double[] latencies = [.. Enumerable.Range(warmUp, beats - warmUp).Select(beat => Ms(listener.SeenAt[beat] - writer.SentAt[beat])).Order()];
        double[] commits = [.. Enumerable.Range(warmUp, beats - warmUp).Select(beat => Ms(writer.CommittedAt[beat] - writer.SentAt[beat])).Order()];
        return new LatencyResult
        {
            Scenario = scenario,
            Transactions = latencies.Length,
            RowsPerSecond = latencies.Length * scenario.RowsPerTransaction / (Ms(writer.CommittedAt[^1] - writer.CommittedAt[warmUp - 1]) / 1e3),
            P50Ms = LatencyResult.Percentile(latencies, 50),
            P90Ms = LatencyResult.Percentile(latencies, 90),
            P99Ms = LatencyResult.Percentile(latencies, 99),
            P999Ms = LatencyResult.Percentile(latencies, 99.9),
            MaxMs = latencies[^1],
            CommitMs = LatencyResult.Percentile(commits, 50),
        };
    }

    static double Ms(long timestamps) => timestamps * 1e3 / Stopwatch.Frequency;
}
