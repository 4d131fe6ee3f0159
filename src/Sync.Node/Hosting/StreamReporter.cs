using System.Threading.Channels;
using Npgsql;
using Sync.Contracts;
using Sync.Postgres.Publication;
using Sync.Postgres.Streaming;
using Sync.Redis.Cluster;
using Sync.Redis.Progress;

namespace Sync.Node.Hosting;

/// <summary>
/// Tells PostgreSQL how far Redis is, from a clock and not per message, also while the reader is held up. An idle slot moves with the
/// keepalives, so that it never holds back the WAL of others. Redis itself records the position first, rewindWindow before PostgreSQL is told, so
/// that at the next start it can tell whether it still holds all that PostgreSQL may have forgotten, and one that fell back a little is caught up
/// from the slot. While Redis doesn't answer, PostgreSQL forgets nothing. Also keeps the node's picture fresh.
/// </summary>
sealed class StreamReporter(PumpContext context, ReplicationStream stream, StreamPump pump, Source source, StatusBoard board, Action<Exception> fail)
{
    static readonly TimeSpan sampleEvery = TimeSpan.FromSeconds(1);
    static readonly TimeSpan tick = TimeSpan.FromMilliseconds(100);
    static readonly TimeSpan confirmEvery = TimeSpan.FromSeconds(1);
    /// <summary>PostgreSQL ends a connection that is silent for wal_sender_timeout, and a reader that is held up does not see it ask.</summary>
    static readonly TimeSpan signOfLifeEvery = TimeSpan.FromSeconds(2);
    static readonly TimeSpan measureEvery = TimeSpan.FromSeconds(5);

    /// <summary>Recorded in Redis, not yet confirmed to PostgreSQL; one a second, so at most rewindWindow in seconds.</summary>
    readonly Queue<(long At, Lsn Lsn)> waiting = new();
    Lsn walEnd, recorded;

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        bool streaming = false;
        var measuring = Task.CompletedTask;
        long sampledAt = context.Time.GetTimestamp(), aliveAt = sampledAt, measuredAt = sampledAt, statisticsAt = sampledAt;
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
                    string from = context.Tracker.Confirmed.ToString(), slot = context.Config.Postgres.Repl.Slot;
                    if (context.Writers is { } writers) context.Log.Streaming(slot, from, writers.Workers);
                    else context.Log.StreamingToLanes(slot, from, context.Output.Workers);
                }
                // In this order: what arrives after the first line can't be covered by it.
                if (context.Landmarks.IsOpen && pump.IsWaiting && context.Landmarks.Passed(received) is { } missing) fail(StreamPump.Rewritten(missing));
                else if (received != Lsn.None) context.Tracker.Idle(received);
                if (Due(ref sampledAt, sampleEvery)) context.Stats.Sample();
                if (Due(ref aliveAt, signOfLifeEvery)) await stream.SendStatusAsync();
                if (measuring.IsCompleted && Due(ref measuredAt, measureEvery)) measuring = MeasureAsync(cancellationToken);
                board.SetWal(walEnd, received, stream.Confirmed);
                if (context.Config.StatsInterval > TimeSpan.Zero && Due(ref statisticsAt, context.Config.StatsInterval)) LogStatistics();
            }
        }
        catch (OperationCanceledException)
        {
            // The stream has ended.
        }
        await measuring;
    }

    /// <summary>Records once a second what has been applied, and confirms what was recorded rewindWindow ago. A loop of its own, because it waits for Redis.</summary>
    public async Task ConfirmAsync(CancellationToken cancellationToken)
    {
        using var timer = new PeriodicTimer(confirmEvery, context.Time);
        try
        {
            while (await timer.WaitForNextTickAsync(cancellationToken))
            {
                await RecordAsync(cancellationToken);
                var due = Lsn.None;
                while (waiting.TryPeek(out var oldest) && context.Time.GetElapsedTime(oldest.At) >= context.Config.RewindWindow) due = waiting.Dequeue().Lsn;
                await ConfirmAsync(due);
            }
        }
        catch (Exception e) when (e is OperationCanceledException or ChannelClosedException)
        {
            // The stream has ended, or a writer has, which ends everything.
        }
    }

    /// <summary>Confirms all that has been applied: to Redis first, then to PostgreSQL.</summary>
    /// <exception cref="ChannelClosedException">The writer that would tell Redis has ended.</exception>
    public async Task ConfirmOnceAsync(CancellationToken cancellationToken)
    {
        await RecordAsync(cancellationToken);
        await ConfirmAsync(recorded);
    }

    async Task RecordAsync(CancellationToken cancellationToken)
    {
        var received = stream.LastReceived;
        var (applied, landmark) = context.Tracker.Reached;
        if (applied <= recorded) return;
        // What was known before stays known until it has come again.
        var log = new LogMark(received, context.Landmarks.IsOpen ? default : landmark, context.Config.Postgres.Repl.Pub);
        await context.Output.ActAsync(async (session, ct) =>
        {
            if (context.Writer.FlightFence is null) await session.CheckOwnerAsync(context.Writer.Fence, ct);
            if (context.Output.Nodes is { } nodes) await ClusterProgress.StampAsync(nodes, session, applied, ct);
            await context.Writer.Progress.ConfirmAsync(session.Connection, applied, ct, isStamped: context.Output.Nodes is not null, log);
        }, cancellationToken);
        recorded = applied;
        waiting.Enqueue((context.Time.GetTimestamp(), applied));
    }

    async Task ConfirmAsync(Lsn lsn)
    {
        if (lsn <= stream.Confirmed) return;
        stream.SetConfirmed(lsn);
        await stream.SendStatusAsync();
    }

    bool Due(ref long since, TimeSpan interval)
    {
        if (context.Time.GetElapsedTime(since) < interval) return false;
        since = context.Time.GetTimestamp();
        return true;
    }

    async Task MeasureAsync(CancellationToken cancellationToken)
    {
        try
        {
            walEnd = (await source.Primary.ReadFactsAsync(cancellationToken)).CurrentLsn;
            // PostgreSQL 18 leaves out silently what a publication that is gone would have sent.
            string publication = context.Config.Postgres.Repl.Pub;
            if (await new PublicationManager(source.Primary, source.Catalog).FindAsync(publication, cancellationToken) != source.Publication.Oid)
                fail(new SlotOutdatedException($"Publication {publication} was dropped, or dropped and created again, so changes in between are not sent."));
        }
        catch (Exception e) when (e is NpgsqlException or SyncException or OperationCanceledException)
        {
            // Only the picture suffers; the stream itself tells when PostgreSQL is gone.
        }
    }

    void LogStatistics()
    {
        var status = board.Status;
        context.Log.Statistics(context.Stats.Rows, status.Rates.RowsPerSecond, status.LagMs, status.LagBytes, status.DeadLetters);
    }
}
