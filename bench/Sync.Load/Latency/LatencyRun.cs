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
    static readonly TimeSpan patience = TimeSpan.FromMinutes(2);

    public static async Task<LatencyResult> MeasureAsync(Stage stage, LatencyScenario scenario, TimeSpan duration)
    {
        var pulse = await PulseTables.CreateAsync(stage, scenario);
        using var folder = new Sandbox();
        using var deadline = new CancellationTokenSource(duration + patience);
        using var process = ContestantProcess.Start(NodeContestant.Start(stage, PulseTables.Publication, PulseTables.Slot, pulse.Mapping, folder.Path, changeSets: 0));
        await using (var control = await stage.Postgres.OpenAsync())
            await DrainRun.WalsenderAsync(control, PulseTables.Slot, process, deadline.Token);

        using var busy = scenario.BusyCore ? new BusyCore() : null;
        var result = await ClockAsync(stage, scenario, duration, deadline.Token);
        await process.EndAsync(deadline.Token);
        await pulse.DropAsync();
        return result;
    }

    /// <summary>Commits for so long while somebody follows, and listens.</summary>
    public static async Task<LatencyResult> ClockAsync(Stage stage, LatencyScenario scenario, TimeSpan duration, CancellationToken cancellationToken)
    {
        int warmUp = warmUpSeconds * scenario.TransactionsPerSecond, beats = warmUp + (int)(duration.TotalSeconds * scenario.TransactionsPerSecond);
        using var listener = new RedisListener(stage.Redis.Port, scenario, beats);
        await using var connection = await stage.Postgres.OpenAsync();
        var writer = new CommitWriter(connection, scenario, beats);
        await listener.StartAsync();
        await writer.RunAsync();
        await listener.WaitAsync(cancellationToken);
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
