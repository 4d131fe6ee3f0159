using System.Diagnostics;
using Npgsql;

namespace Sync.Load.Latency;

/// <summary>Commits one update a beat, on a thread of its own, at times fixed beforehand.</summary>
sealed class CommitWriter(NpgsqlConnection connection, int perSecond, int beats)
{
    /// <summary>When the COMMIT of a beat was sent; timestamps of <see cref="Stopwatch"/>.</summary>
    public long[] SentAt { get; } = new long[beats];

    /// <summary>When its answer was there.</summary>
    public long[] CommittedAt { get; } = new long[beats];

    public Task RunAsync() => Task.Factory.StartNew(Run, TaskCreationOptions.LongRunning);

    void Run()
    {
        using var update = new NpgsqlCommand("update pulse set beat = $1 where id = 1", connection) { Parameters = { new NpgsqlParameter<long>() } };
        update.Prepare();
        long begin = Stopwatch.GetTimestamp();
        for (int beat = 0; beat < beats; beat++)
        {
            var due = TimeSpan.FromSeconds((double)beat / perSecond);
            var wait = due - Stopwatch.GetElapsedTime(begin);
            if (wait > TimeSpan.Zero) Thread.Sleep(wait);
            // Beat 0 is value 1: the table began with 0.
            ((NpgsqlParameter<long>)update.Parameters[0]).TypedValue = beat + 1;
            using var transaction = connection.BeginTransaction();
            update.ExecuteNonQuery();
            SentAt[beat] = Stopwatch.GetTimestamp();
            transaction.Commit();
            CommittedAt[beat] = Stopwatch.GetTimestamp();
        }
    }
}
