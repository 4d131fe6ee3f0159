using System.Buffers.Binary;
using Sync.Contracts;
using Sync.Postgres.Wire;

namespace Sync.Postgres.Streaming;

/// <summary>
/// What the server is told of a stream, from a clock and on request (PostgreSQL docs, "Streaming Replication Protocol", Standby status update),
/// and the watch over its silence. Safe for use by several threads.
/// </summary>
sealed class StreamStatus(WireConnection connection, ReplicationStreamOptions options, Func<Lsn> received)
{
    const int updateBytes = 34;

    static readonly DateTime epoch = new(2000, 1, 1, 0, 0, 0, DateTimeKind.Utc);

    readonly SemaphoreSlim gate = new(1, 1);
    readonly byte[] update = WireConnection.Message('d', new byte[updateBytes]);
    long confirmed, sentAt;
    volatile bool ended;
    volatile bool isWaiting;
    int waits;

    public Lsn Confirmed => new((ulong)Interlocked.Read(ref confirmed));

    /// <summary>Why the watch ended the connection; null when it did not.</summary>
    public Exception? Failure { get; private set; }

    /// <summary>Whether the reader waits for the server: only then its silence means something. Set by the reader.</summary>
    public bool IsWaiting
    {
        set
        {
            if (value) waits++;
            isWaiting = value;
        }
    }

    /// <summary>The stream is over, nothing more is sent.</summary>
    public void End() => ended = true;

    public void SetConfirmed(Lsn lsn)
    {
        long before = Interlocked.Read(ref confirmed);
        while ((ulong)before < lsn.Value)
        {
            long seen = Interlocked.CompareExchange(ref confirmed, (long)lsn.Value, before);
            if (seen == before) return;
            before = seen;
        }
    }

    /// <summary>Reports in intervals; after half of the time-out without a word it asks for one, after all of it the connection is given up.</summary>
    public async Task RunAsync(CancellationToken stop)
    {
        long ticks = Math.Min(TimeSpan.TicksPerSecond, Math.Min(options.StatusInterval.Ticks, options.ReceiveTimeout.Ticks / 8));
        var tick = TimeSpan.FromTicks(Math.Max(TimeSpan.TicksPerMillisecond, ticks));
        using var timer = new PeriodicTimer(tick, options.Time);
        long quietSince = options.Time.GetTimestamp();
        int seen = -1;
        bool hasAsked = false;
        try
        {
            while (await timer.WaitForNextTickAsync(stop).ConfigureAwait(false) && !ended)
            {
                if (!isWaiting || seen != Volatile.Read(ref waits)) (seen, quietSince, hasAsked) = (Volatile.Read(ref waits), options.Time.GetTimestamp(), false);
                var quiet = options.Time.GetElapsedTime(quietSince);
                if (quiet >= options.ReceiveTimeout)
                {
                    Failure = new TimeoutException($"PostgreSQL said nothing for {options.ReceiveTimeout.TotalSeconds:0.###} s");
                    connection.Abort();
                    return;
                }
                bool asks = !hasAsked && quiet >= options.ReceiveTimeout / 2;
                if (asks || options.Time.GetElapsedTime(Interlocked.Read(ref sentAt)) >= options.StatusInterval) await SendAsync(asks).ConfigureAwait(false);
                hasAsked |= asks;
            }
        }
        catch (OperationCanceledException)
        {
            // The stream is stopped.
        }
    }

    /// <summary>Reports now. False when the stream has ended.</summary>
    /// <param name="wantsReply">Whether the server should answer at once.</param>
    public async ValueTask<bool> SendAsync(bool wantsReply)
    {
        if (ended) return false;
        await gate.WaitAsync().ConfigureAwait(false);
        try
        {
            if (ended) return false;
            Fill(update.AsSpan(5), wantsReply);
            await connection.SendAsync(update, CancellationToken.None).ConfigureAwait(false);
            Interlocked.Exchange(ref sentAt, options.Time.GetTimestamp());
            return true;
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            // The connection breaks at this moment; the reader's own exception says why.
            return false;
        }
        finally
        {
            gate.Release();
        }
    }

    /// <summary>Kind, then what was received, flushed and applied, our clock, and whether an answer is wanted.</summary>
    void Fill(Span<byte> body, bool wantsReply)
    {
        long applied = Interlocked.Read(ref confirmed);
        body[0] = (byte)'r';
        BinaryPrimitives.WriteUInt64BigEndian(body[1..], received().Value);
        BinaryPrimitives.WriteInt64BigEndian(body[9..], applied);
        BinaryPrimitives.WriteInt64BigEndian(body[17..], applied);
        BinaryPrimitives.WriteInt64BigEndian(body[25..], (options.Time.GetUtcNow().UtcDateTime - epoch).Ticks / TimeSpan.TicksPerMicrosecond);
        body[33] = wantsReply ? (byte)1 : (byte)0;
    }

    /// <summary>Says goodbye behind what is being sent.</summary>
    public async Task LeaveAsync(CancellationToken cancellationToken)
    {
        ended = true;
        try
        {
            await gate.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            // What is being sent doesn't get through; neither would this.
            return;
        }
        await connection.LeaveAsync(cancellationToken).ConfigureAwait(false);
        gate.Release();
    }
}
