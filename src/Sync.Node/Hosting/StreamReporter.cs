using Npgsql;
using Sync.Contracts;
using Sync.Postgres.Streaming;

namespace Sync.Node.Hosting;

/// <summary>
/// Tells PostgreSQL how far Redis is, from a clock and not per message, also while the reader is held up. An idle slot moves with the
/// keepalives, so that it never holds back the WAL of others. Also keeps the node's picture fresh.
/// </summary>
sealed class StreamReporter(PumpContext context, ReplicationStream stream, Source source, StatusBoard board)
{
    static readonly TimeSpan tick = TimeSpan.FromMilliseconds(100);
    static readonly TimeSpan reportEvery = TimeSpan.FromSeconds(1);
    static readonly TimeSpan measureEvery = TimeSpan.FromSeconds(5);

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        bool streaming = false;
        var walEnd = Lsn.None;
        long reportedAt = context.Time.GetTimestamp(), measuredAt = reportedAt, statisticsAt = reportedAt;
        using var timer = new PeriodicTimer(tick, context.Time);
        try
        {
            while (await timer.WaitForNextTickAsync(cancellationToken))
            {
                var received = stream.LastReceived;
                if (!streaming && received != Lsn.None)
                {
                    streaming = true;
                    board.Set(Hosting.NodeState.Streaming);
                    context.Log.Streaming(context.Config.Postgres.Repl.Slot, context.Tracker.Confirmed.ToString(), context.Config.FlushWorkers);
                }
                // In this order: what arrives after the first line can't be covered by it.
                if (received != Lsn.None) context.Tracker.Idle(received);
                var confirmed = context.Tracker.Confirmed;
                if (Due(ref reportedAt, reportEvery))
                {
                    context.Stats.Sample();
                    if (confirmed > stream.Confirmed)
                    {
                        stream.SetConfirmed(confirmed);
                        await stream.SendStatusAsync();
                    }
                }
                if (Due(ref measuredAt, measureEvery)) walEnd = await WalEndAsync(walEnd, cancellationToken);
                board.SetWal(walEnd, received, stream.Confirmed);
                if (context.Config.StatsInterval > TimeSpan.Zero && Due(ref statisticsAt, context.Config.StatsInterval)) LogStatistics();
            }
        }
        catch (OperationCanceledException)
        {
            // The stream has ended.
        }
    }

    bool Due(ref long since, TimeSpan interval)
    {
        if (context.Time.GetElapsedTime(since) < interval) return false;
        since = context.Time.GetTimestamp();
        return true;
    }

    async Task<Lsn> WalEndAsync(Lsn before, CancellationToken cancellationToken)
    {
        try
        {
            return (await source.Primary.ReadFactsAsync(cancellationToken)).CurrentLsn;
        }
        catch (Exception e) when (e is NpgsqlException or SyncException)
        {
            // Only the picture suffers; the stream itself tells when PostgreSQL is gone.
            return before;
        }
    }

    void LogStatistics()
    {
        var status = board.Status;
        context.Log.Statistics(context.Stats.Rows, status.Rates.RowsPerSecond, status.LagMs, status.LagBytes, status.DeadLetters);
    }
}
