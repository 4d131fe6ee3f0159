using System.Buffers.Binary;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using Npgsql;
using Sync.Contracts;
using Sync.Postgres.Connections;
using Sync.Postgres.PgOutput;
using Sync.Postgres.Wire;

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
    const byte xLogData = (byte)'w', keepalive = (byte)'k';

    /// <summary>XLogData: its kind, begin and end of the WAL, the server's clock. A keepalive: its kind, end of the WAL, clock, whether it wants an answer.</summary>
    const int dataHeaderBytes = 25, keepaliveBytes = 18;

    /// <summary>How long the server may take to close the connection after our goodbye.</summary>
    static readonly TimeSpan farewell = TimeSpan.FromSeconds(1);

    readonly WireConnection connection;
    readonly WireBuffer buffer;
    readonly StreamStatus status;
    readonly CancellationTokenSource stop = new();
    readonly Task watch;
    long lastReceived;

    // Whose turn it is to read; the buffer has one reader.
    const int idle = 0, reading = 1, closed = 2;
    readonly TaskCompletionSource readerLeft = new(TaskCreationOptions.RunContinuationsAsynchronously);
    int turn;

    ReplicationStream(WireConnection connection, ReplicationStreamOptions options)
    {
        this.connection = connection;
        buffer = connection.Buffer;
        status = new StreamStatus(connection, options, () => LastReceived);
        watch = status.RunAsync(stop.Token);
    }

    /// <summary>
    /// How far PostgreSQL has sent: the latest of all messages and keepalives. Every transaction that committed before it
    /// has been received, apart from the one being received. To confirm it while idle, read it first and only then
    /// check that no transaction is open and none of its rows under way: a transaction that arrives between the two
    /// then fails the check.
    /// </summary>
    public Lsn LastReceived => new((ulong)Volatile.Read(ref lastReceived));

    /// <summary>What the server was or will be told to be applied for good.</summary>
    public Lsn Confirmed => status.Confirmed;

    /// <summary>The walsender's process id on the server, as pg_replication_slots.active_pid shows it.</summary>
    public int ProcessId => connection.ProcessId;

    /// <summary>Opens a connection of its own and streams from it. What the server says against the slot shows with the first <see cref="NextAsync"/>.</summary>
    /// <exception cref="SyncException">The server can't be reached, refuses, or the user may not replicate.</exception>
    public static async Task<ReplicationStream> OpenAsync(PostgresPrimary primary, ReplicationStreamOptions options, CancellationToken cancellationToken)
    {
        var connection = await primary.OpenWireAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            if (options.Judged is { } judged && !judged.GoesOnAs(await connection.ReadLogAsync(cancellationToken).ConfigureAwait(false)))
                throw new IOException("the server was replaced by one with another log");
            await connection.QueryAsync(Command(options, connection.Major), cancellationToken).ConfigureAwait(false);
            return new ReplicationStream(connection, options);
        }
        catch (Exception e)
        {
            await connection.DisposeAsync().ConfigureAwait(false);
            if (e is OperationCanceledException) throw;
            throw primary.Describe(e);
        }
    }

    static string Command(ReplicationStreamOptions options, int major)
    {
        string publications = Sql.Literal(string.Join(',', options.Publications.Select(Sql.Identifier)));
        string messages = major >= 14 ? ", \"messages\" 'true'" : "";
        // The slot's name is quoted, because the replication grammar would read 1st or timeline as something else.
        return $"START_REPLICATION SLOT {Sql.Identifier(options.Slot)} LOGICAL {options.From} (\"proto_version\" '1', \"publication_names\" {publications}{messages})";
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
            while (true)
            {
                if (TryNext(out var message))
                {
                    Leave();
                    return new ValueTask<ReadOnlyMemory<byte>>(message);
                }
                var filled = buffer.FillAsync();
                if (!filled.IsCompletedSuccessfully) return WaitAsync(filled);
                Filled(filled.Result);
            }
        }
        catch (Exception e)
        {
            return WaitAsync(ValueTask.FromException<int>(e));
        }
    }

    /// <summary>The rest of <see cref="NextAsync"/> from where it has to wait, or fails.</summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    async ValueTask<ReadOnlyMemory<byte>> WaitAsync(ValueTask<int> filled)
    {
        try
        {
            while (true)
            {
                status.IsWaiting = true;
                int count = await filled.ConfigureAwait(false);
                status.IsWaiting = false;
                Filled(count);
                if (TryNext(out var message)) return message;
                filled = buffer.FillAsync();
            }
        }
        catch (Exception e)
        {
            status.End();
            stop.Token.ThrowIfCancellationRequested();
            var cause = status.Failure ?? Cause(e);
            throw new ReplicationStreamException($"The replication stream ended: {cause.Message}", cause);
        }
        finally
        {
            Leave();
        }
    }

    /// <summary>Takes what is in the buffer up to the next message of pgoutput; false when there is none.</summary>
    bool TryNext(out ReadOnlyMemory<byte> message)
    {
        while (buffer.TryTake(out byte type, out var body))
        {
            if (type == ServerMessageType.CopyData)
            {
                var bytes = body.Span;
                if (bytes.Length >= dataHeaderBytes && bytes[0] == xLogData)
                {
                    Receive(BinaryPrimitives.ReadUInt64BigEndian(bytes[1..]), BinaryPrimitives.ReadUInt64BigEndian(bytes[9..]));
                    message = body[dataHeaderBytes..];
                    return true;
                }
                if (bytes.Length < keepaliveBytes || bytes[0] != keepalive) throw new PgOutputException("PostgreSQL sent a replication message of an unknown kind.");
                Receive(BinaryPrimitives.ReadUInt64BigEndian(bytes[1..]), 0);
                if (bytes[keepaliveBytes - 1] != 0) _ = SendStatusAsync();
            }
            else
                TakeOther(type, body.Span);
        }
        message = default;
        return false;
    }

    static void TakeOther(byte type, ReadOnlySpan<byte> body)
    {
        switch (type)
        {
            case ServerMessageType.CopyBothResponse or ServerMessageType.NoticeResponse or ServerMessageType.ParameterStatus:
                break;
            case ServerMessageType.ErrorResponse:
                throw ServerMessages.Error(body);
            case ServerMessageType.CopyDone or ServerMessageType.CommandComplete or ServerMessageType.ReadyForQuery:
                throw new EndOfStreamException("the server ended the stream");
            default:
                throw new PgOutputException($"PostgreSQL sent a message of the unknown type {type}.");
        }
    }

    /// <summary>Only the reader writes it.</summary>
    void Receive(ulong start, ulong end)
    {
        ulong latest = Math.Max(start, end);
        if (latest > (ulong)lastReceived) Volatile.Write(ref lastReceived, (long)latest);
    }

    void Filled(int count)
    {
        if (count == 0) throw new EndOfStreamException("the server closed the connection");
        buffer.Filled(count);
    }

    void Leave()
    {
        if (Interlocked.CompareExchange(ref turn, idle, reading) == closed) readerLeft.TrySetResult();
    }

    /// <summary>What is no error of the server or the network is a connection that can't be trusted any more.</summary>
    static Exception Cause(Exception error) => error switch
    {
        NpgsqlException or IOException or SocketException or TimeoutException => error,
        PgOutputException => new IOException(error.Message.TrimEnd('.'), error),
        _ => new IOException("the connection was lost", error),
    };

    /// <summary>Notes that everything before <paramref name="lsn"/> is applied for good; sent with the next status. Earlier ones are ignored.</summary>
    public void SetConfirmed(Lsn lsn) => status.SetConfirmed(lsn);

    /// <summary>Reports the confirmed position now. False when the stream has ended, which <see cref="NextAsync"/> explains.</summary>
    public ValueTask<bool> SendStatusAsync() => status.SendAsync(wantsReply: false);

    /// <summary>Ends a waiting <see cref="NextAsync"/> and refuses further ones.</summary>
    public void Stop()
    {
        if (stop.IsCancellationRequested) return;
        stop.Cancel();
        _ = LeaveAsync();
    }

    /// <summary>The server closes the connection when it has read our goodbye, which ends a waiting read; if it doesn't, we do.</summary>
    async Task LeaveAsync()
    {
        using var limit = new CancellationTokenSource(farewell);
        await status.LeaveAsync(limit.Token).ConfigureAwait(false);
        if (Volatile.Read(ref turn) == reading) await Task.WhenAny(readerLeft.Task, Task.Delay(farewell)).ConfigureAwait(false);
        connection.Abort();
    }

    public async ValueTask DisposeAsync()
    {
        int before = Interlocked.Exchange(ref turn, closed);
        Stop();
        if (before == reading) await readerLeft.Task.ConfigureAwait(false);
        await watch.ConfigureAwait(false);
        await connection.DisposeAsync().ConfigureAwait(false);
    }
}
