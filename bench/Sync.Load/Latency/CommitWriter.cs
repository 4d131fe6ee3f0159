using System.Diagnostics;
using Npgsql;

namespace Sync.Load.Latency;

/// <summary>Commits one transaction a beat, on a thread of its own, at times fixed beforehand. The beats go round the tables.</summary>
sealed class CommitWriter(NpgsqlConnection connection, LatencyScenario scenario, int beats)
{
    /// <summary>When the COMMIT of a beat was sent; timestamps of <see cref="Stopwatch"/>.</summary>
    public long[] SentAt { get; } = new long[beats];

    /// <summary>When its answer was there.</summary>
    public long[] CommittedAt { get; } = new long[beats];

    public Task RunAsync() => Task.Factory.StartNew(Run, TaskCreationOptions.LongRunning);

    void Run()
    {
        Nap.BePrecise();
        NpgsqlCommand[] updates = [.. Enumerable.Range(0, scenario.Tables).Select(Update)];
        long begin = Stopwatch.GetTimestamp();
        for (int beat = 0; beat < beats; beat++)
        {
            Nap.For(TimeSpan.FromSeconds((double)beat / scenario.TransactionsPerSecond) - Stopwatch.GetElapsedTime(begin));
            using var transaction = connection.BeginTransaction();
            updates[beat % updates.Length].ExecuteNonQuery();
            SentAt[beat] = Stopwatch.GetTimestamp();
            transaction.Commit();
            CommittedAt[beat] = Stopwatch.GetTimestamp();
        }
        foreach (var update in updates) update.Dispose();
    }

    NpgsqlCommand Update(int table)
    {
        var command = new NpgsqlCommand($"update {LatencyScenario.Table(table)} set beat = beat + 1", connection);
        command.Prepare();
        return command;
    }
}
