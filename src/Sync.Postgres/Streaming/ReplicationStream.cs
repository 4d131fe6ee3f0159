using System.Net.Sockets;
using System.Runtime.CompilerServices;
using Npgsql;
using Npgsql.Replication;
using Npgsql.Replication.Internal;
using NpgsqlTypes;
using Sync.Contracts;
using Sync.Postgres.Connections;

namespace Sync.Postgres.Streaming;

/// <summary>
/// The messages of one slot, as pgoutput wrote them (PostgreSQL docs, "Streaming Replication Protocol", START_REPLICATION
/// and XLogData; decode them with <see cref="PgOutput.PgOutputDecoder"/>). Usage:
/// <code>
/// await using var stream = await ReplicationStream.OpenAsync(primary, options, cancellationToken);
/// while (true)
/// {
///     var next = stream.NextAsync();
///     if (!next.IsCompleted) Flush(); // Drained: nothing is buffered, the next message has yet to arrive.
///     Handle(decoder.Decode((await next).Span));
/// }
/// </code>
/// <para>Threads: one reader calls <see cref="NextAsync"/>, one call at a time. <see cref="LastReceived"/>,
/// <see cref="SetConfirmed"/>, <see cref="SendStatusAsync"/> and <see cref="Stop"/> may be called from any thread at any
/// time. <see cref="DisposeAsync"/> ends a waiting <see cref="NextAsync"/> and waits for it.</para>
/// <para>Backpressure: whoever does not read stops PostgreSQL from sending once the socket is full. Status updates keep
/// flowing from a timer meanwhile, so that the server does not take a slow reader for a dead one.</para>
/// </summary>
public sealed class ReplicationStream : IAsyncDisposable
{
    const int smallBufferBytes = 64 * 1024;

    readonly LogicalReplicationConnection connection;
    readonly CancellationTokenSource stop = new();
    readonly SemaphoreSlim statusGate = new(1, 1);
    readonly IAsyncEnumerator<XLogDataMessage> messages;
    byte[] buffer = new byte[smallBufferBytes];
    long confirmed;
    volatile bool ended;

    // Whose turn it is to touch the enumerator. Npgsql reads it to its end when the connection is disposed, and two
    // readers at once tear its state machine apart, which ends the process from a thread of the pool.
    const int idle = 0, reading = 1, closed = 2;
    readonly TaskCompletionSource readerLeft = new(TaskCreationOptions.RunContinuationsAsynchronously);
    int turn;

    ReplicationStream(LogicalReplicationConnection connection, ReplicationStreamOptions options)
    {
        this.connection = connection;
        ProcessId = connection.ProcessID;
        // The slot's name is quoted, because the replication grammar would read 1st or timeline as something else.
        var slot = new NamedSlot(Quoted(options.Slot));
        var plugin = new Dictionary<string, string?>
        {
            ["proto_version"] = "1",
            ["publication_names"] = string.Join(',', options.Publications.Select(Quoted)).Replace("'", "''", StringComparison.Ordinal),
        };
        if (connection.PostgreSqlVersion.Major >= 14) plugin["messages"] = "true";
        messages = connection.StartLogicalReplication(slot, stop.Token, new NpgsqlLogSequenceNumber(options.From.Value), plugin).GetAsyncEnumerator();
    }

    /// <summary>
    /// How far PostgreSQL has sent: the latest of all messages and keepalives. Every transaction that committed before it
    /// has been received, apart from the one being received. To confirm it while idle, read it first and only then
    /// check that no transaction is open and none of its rows under way: a transaction that arrives between the two
    /// then fails the check.
    /// </summary>
    public Lsn LastReceived => new((ulong)connection.LastReceivedLsn);

    /// <summary>What the server was or will be told to be applied for good.</summary>
    public Lsn Confirmed => new((ulong)Interlocked.Read(ref confirmed));

    /// <summary>The walsender's process id on the server, as pg_replication_slots.active_pid shows it.</summary>
    public int ProcessId { get; }

    /// <summary>Opens a connection of its own and streams from it.</summary>
    /// <exception cref="SyncException">The server can't be reached, refuses, or the user may not replicate.</exception>
    public static async Task<ReplicationStream> OpenAsync(PostgresPrimary primary, ReplicationStreamOptions options, CancellationToken cancellationToken) =>
        Start(await primary.OpenReplicationAsync(cancellationToken).ConfigureAwait(false), options);

    /// <summary>
    /// Starts on a connection that is open, such as the one that created the slot; owns it from here on. What the server
    /// says against the slot shows with the first <see cref="NextAsync"/>.
    /// </summary>
    public static ReplicationStream Start(LogicalReplicationConnection connection, ReplicationStreamOptions options)
    {
        connection.WalReceiverTimeout = options.ReceiveTimeout;
        connection.WalReceiverStatusInterval = options.StatusInterval;
        return new ReplicationStream(connection, options);
    }

    /// <summary>
    /// The next message of pgoutput. Not completed on return means drained: nothing more is buffered here or in the socket.
    /// The bytes are valid until the next call.
    /// </summary>
    /// <exception cref="ReplicationStreamException">The stream ended.</exception>
    /// <exception cref="OperationCanceledException"><see cref="Stop"/> or <see cref="DisposeAsync"/> was called.</exception>
    /// <exception cref="InvalidOperationException">Another call is under way.</exception>
    public ValueTask<ReadOnlyMemory<byte>> NextAsync()
    {
        stop.Token.ThrowIfCancellationRequested();
        int before = Interlocked.CompareExchange(ref turn, reading, idle);
        ObjectDisposedException.ThrowIf(before == closed, this);
        if (before == reading) throw new InvalidOperationException("The stream is being read already.");
        try
        {
            // Most messages are in the buffer whole: they take no state machine.
            var moved = messages.MoveNextAsync();
            if (!moved.IsCompletedSuccessfully) return WaitAsync(moved, default, 0);
            if (!moved.Result) return WaitAsync(new ValueTask<bool>(false), default, 0);
            int length = Fit();
            var read = messages.Current.Data.ReadAsync(buffer.AsMemory(0, length));
            if (!read.IsCompletedSuccessfully) return WaitAsync(new ValueTask<bool>(true), read, length);
            int count = read.Result;
            if (count < length) return WaitAsync(new ValueTask<bool>(true), new ValueTask<int>(count), length);
            Leave();
            return new ValueTask<ReadOnlyMemory<byte>>(buffer.AsMemory(0, length));
        }
        catch (Exception e)
        {
            return WaitAsync(ValueTask.FromException<bool>(e), default, 0);
        }
    }

    /// <summary>The rest of <see cref="NextAsync"/> from where it would have to wait, or fails.</summary>
    /// <param name="moved">Whether there is another message.</param>
    /// <param name="first">The first piece of its bytes, when that was asked for.</param>
    /// <param name="length">All its bytes, when that was asked for; 0 otherwise.</param>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    async ValueTask<ReadOnlyMemory<byte>> WaitAsync(ValueTask<bool> moved, ValueTask<int> first, int length)
    {
        try
        {
            if (!await moved.ConfigureAwait(false)) throw new EndOfStreamException("The server ended the stream.");
            var data = messages.Current.Data;
            if (length == 0)
            {
                length = Fit();
                first = data.ReadAsync(buffer.AsMemory(0, length));
            }
            int read = await first.ConfigureAwait(false);
            while (read < length)
            {
                int more = await data.ReadAsync(buffer.AsMemory(read, length - read)).ConfigureAwait(false);
                if (more == 0) throw new EndOfStreamException("The server ended the stream within a message.");
                read += more;
            }
            return buffer.AsMemory(0, length);
        }
        catch (Exception e)
        {
            ended = true;
            stop.Token.ThrowIfCancellationRequested();
            var cause = Cause(e);
            throw new ReplicationStreamException($"The replication stream ended: {cause.Message}", cause);
        }
        finally
        {
            Leave();
        }
    }

    void Leave()
    {
        if (Interlocked.CompareExchange(ref turn, idle, reading) == closed) readerLeft.TrySetResult();
    }

    /// <summary>Makes room for the message at hand; returns its length in bytes.</summary>
    int Fit()
    {
        int length = checked((int)messages.Current.Data.Length);
        if (length > buffer.Length || (buffer.Length > smallBufferBytes && length <= smallBufferBytes)) buffer = new byte[Math.Max(smallBufferBytes, length)];
        return length;
    }

    /// <summary>
    /// When the connection breaks while a status is being sent, Npgsql takes its state away below the reader, which then fails with
    /// whatever it stumbles over (NullReferenceException was seen). What is no error of the server or the network is one of these.
    /// </summary>
    static Exception Cause(Exception error) => error is NpgsqlException or IOException or SocketException or TimeoutException
        ? error
        : new IOException("the connection was lost", error);

    /// <summary>Notes that everything before <paramref name="lsn"/> is applied for good; sent with the next status. Earlier ones are ignored.</summary>
    public void SetConfirmed(Lsn lsn)
    {
        long before = Interlocked.Read(ref confirmed);
        while ((ulong)before < lsn.Value)
        {
            long seen = Interlocked.CompareExchange(ref confirmed, (long)lsn.Value, before);
            if (seen == before)
            {
                connection.SetReplicationStatus(new NpgsqlLogSequenceNumber(lsn.Value));
                return;
            }
            before = seen;
        }
    }

    /// <summary>Reports the confirmed position now. False when the stream has ended, which <see cref="NextAsync"/> explains.</summary>
    public async ValueTask<bool> SendStatusAsync()
    {
        if (ended) return false;
        await statusGate.WaitAsync().ConfigureAwait(false);
        try
        {
            if (ended) return false;
            // Two threads may have set the position in either order; what is sent is the greater of the two.
            connection.SetReplicationStatus(new NpgsqlLogSequenceNumber((ulong)Interlocked.Read(ref confirmed)));
            await connection.SendStatusUpdate(CancellationToken.None).ConfigureAwait(false);
            return true;
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            // The reader may be tearing the connection down at this moment; its own exception says why.
            return false;
        }
        finally
        {
            statusGate.Release();
        }
    }

    /// <summary>Ends a waiting <see cref="NextAsync"/> and refuses further ones.</summary>
    public void Stop() => stop.Cancel();

    public async ValueTask DisposeAsync()
    {
        ended = true;
        Stop();
        if (Interlocked.Exchange(ref turn, closed) == reading) await readerLeft.Task.ConfigureAwait(false);
        await statusGate.WaitAsync().ConfigureAwait(false);
        try
        {
            // Npgsql reads on until the server has answered the cancellation, and closes the connection either way.
            await connection.DisposeAsync().ConfigureAwait(false);
        }
        finally
        {
            statusGate.Release();
        }
    }

    static string Quoted(string identifier) => $"\"{identifier.Replace("\"", "\"\"", StringComparison.Ordinal)}\"";

    sealed class NamedSlot(string name) : LogicalReplicationSlot("pgoutput", new ReplicationSlotOptions(name));
}
