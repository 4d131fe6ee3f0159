using System.Net.Security;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Security.Authentication;
using System.Security.Cryptography;
using Sync.Contracts;
using Sync.Contracts.Configuration;
using Sync.Engine.Retry;
using Sync.Redis.Errors;
using Sync.Redis.Protocol;

namespace Sync.Redis.Connections;

/// <summary>
/// One RESP2 connection to one Redis server, over TCP, TLS or a Unix socket. One exchange is under way at a time: all its
/// commands go out while its replies come in, because a server whose replies are not read stops reading commands. Whatever
/// goes wrong inside an exchange (silence, loss, cancellation, garbage) breaks the connection for good, so a late reply can
/// never be taken for that of a later command. Not thread-safe.
/// </summary>
public sealed class RespConnection : IAsyncDisposable
{
    const int ReceiveBufferBytes = 64 * 1024;

    readonly Socket socket;
    readonly SslStream? tls;
    readonly TimeSpan timeout;
    readonly Watchdog watchdog;
    readonly byte[] receiveBuffer = new byte[ReceiveBufferBytes];
    readonly RequestSender sender;
    int busy;
    volatile bool broken;

    RespConnection(Socket socket, SslStream? tls, RedisConnectionOptions options, TimeSpan timeout, TimeProvider time)
    {
        this.socket = socket;
        this.tls = tls;
        this.timeout = timeout;
        Endpoint = EndpointOf(options);
        User = options.User;
        watchdog = new Watchdog(timeout, time, Break);
        sender = new RequestSender(socket, tls, watchdog);
    }

    /// <summary><c>host:port</c> or the path of the Unix socket, for messages.</summary>
    public string Endpoint { get; }

    /// <summary>The user we logged in as; null for the default user.</summary>
    public string? User { get; }

    /// <summary>CLIENT ID of this connection; 0 when the user may not ask for it.</summary>
    public long ClientId { get; internal set; }

    public RedisServerFacts Server { get; internal set; } = RedisServerFacts.Parse("");

    /// <summary>Whether it is of no use any more.</summary>
    public bool IsBroken => broken;

    /// <summary>Connects, secures, logs in, selects the database and asks who is there.</summary>
    /// <param name="options">Where and as whom. A host that begins with a slash is a Unix socket.</param>
    /// <param name="timeout">For the whole of connecting and TLS, and later for each silence inside an exchange.</param>
    /// <param name="time">Clock of the time-outs.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="SyncException">Password, permission, TLS file or certificate, database or version is not good: trying again won't help.</exception>
    /// <exception cref="RedisTransientException">Not reachable, or still loading its data set.</exception>
    public static async ValueTask<RespConnection> ConnectAsync(
        RedisConnectionOptions options, TimeSpan timeout, TimeProvider time, CancellationToken cancellationToken)
    {
        var secure = options.Tls is { } files ? RedisTls.CreateOptions(files, options.Host) : null;
        string endpoint = EndpointOf(options);
        using var deadline = new CancellationTokenSource(timeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, cancellationToken);
        Socket? socket = null;
        SslStream? tls = null;
        RespConnection? connection = null;
        try
        {
            socket = await OpenSocketAsync(options, either.Token);
            if (secure is not null)
            {
                tls = new SslStream(new NetworkStream(socket, ownsSocket: false));
                await tls.AuthenticateAsClientAsync(secure, either.Token);
            }
            connection = new RespConnection(socket, tls, options, timeout, time);
            await Handshake.RunAsync(connection, options, cancellationToken);
            return connection;
        }
        catch (Exception error)
        {
            if (connection is not null)
                await connection.DisposeAsync();
            else
            {
                if (tls is not null) await tls.DisposeAsync();
                socket?.Dispose();
            }
            // In TLS 1.3 the server judges the client's certificate only after the handshake, so its alert arrives with the first reply.
            if (error is RedisTransientException && tls is not null && error.GetBaseException() is CryptographicException alert)
                throw new SyncException(ExitCode.Tls,
                    $"Redis at {endpoint} refused the TLS connection ({alert.Message}); set redis.conn.tls.cert and redis.conn.tls.key to a certificate it trusts.",
                    error);
            if (error is SyncException or RedisTransientException) throw;
            cancellationToken.ThrowIfCancellationRequested();
            if (error is OperationCanceledException)
                throw new RedisTransientException(
                    $"Redis at {endpoint} did not answer within {timeout.TotalSeconds:0.###} s{(tls is null ? "" : "; does that port speak TLS?")}.",
                    outcomeUnknown: false, error);
            if (error is AuthenticationException)
                throw new SyncException(ExitCode.Tls,
                    $"The TLS handshake with Redis at {endpoint} failed ({Innermost(error)}); check redis.conn.tls, the host name and that the port speaks TLS.",
                    error);
            if (error is SocketException or IOException)
                throw new RedisTransientException($"Redis at {endpoint} can't be reached: {Innermost(error)}.", outcomeUnknown: false, error);
            throw;
        }
    }

    /// <summary>Runs one command. An error reply is a value, not an exception; see <see cref="RedisErrors.OrThrow"/>.</summary>
    /// <exception cref="RedisTransientException">Connection lost or no answer in time; the outcome is unknown.</exception>
    public async ValueTask<RespValue> ExecuteAsync(RespCommands command, CancellationToken cancellationToken) =>
        (await ExecutePipelineAsync(command, cancellationToken))[0];

    /// <inheritdoc cref="ExecuteAsync(RespCommands, CancellationToken)"/>
    public ValueTask<RespValue> ExecuteAsync(CancellationToken cancellationToken, params ReadOnlySpan<RedisArgument> arguments) =>
        ExecuteAsync(new RespCommands().Add(arguments), cancellationToken);

    /// <summary>Runs commands in one go; one reply for each, in order.</summary>
    /// <exception cref="RedisTransientException">Connection lost or no answer in time; the outcome is unknown.</exception>
    public async ValueTask<RespValue[]> ExecutePipelineAsync(RespCommands commands, CancellationToken cancellationToken)
    {
        var replies = new PipelineReplies(commands.Count);
        try
        {
            await ExchangeAsync([Segment(commands.Bytes)], replies, cancellationToken);
        }
        catch (RedisTransientException) when (replies.FirstError is { } refusal && RedisErrors.Classify(refusal) == FailureClass.Fatal)
        {
            // A server in protected mode says why and hangs up at once.
            throw RedisErrors.ToException(refusal, Endpoint, User);
        }
        return replies.Values;
    }

    /// <summary>Sends all segments and reads until the consumer has all replies. The memory of the segments is not touched any more once this returns or throws.</summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    internal async ValueTask ExchangeAsync(List<ArraySegment<byte>> request, IReplyConsumer replies, CancellationToken cancellationToken)
    {
        if (Interlocked.Exchange(ref busy, 1) != 0) throw new InvalidOperationException("A connection takes one exchange at a time.");
        try
        {
            if (broken) throw new RedisTransientException($"The connection to Redis at {Endpoint} is closed.", outcomeUnknown: false);
            cancellationToken.ThrowIfCancellationRequested();
            watchdog.Start();
            using var cancellation = cancellationToken.UnsafeRegister(static state => ((RespConnection)state!).Break(), this);
            var sending = sender.SendAsync(request);
            try
            {
                await ReceiveAsync(replies);
            }
            catch (Exception error)
            {
                Break();
                await IgnoreAsync(sending);
                throw Lost(error, cancellationToken);
            }
            try
            {
                await sending;
            }
            catch (Exception error)
            {
                Break();
                throw Lost(error, cancellationToken);
            }
        }
        finally
        {
            watchdog.Stop();
            Volatile.Write(ref busy, 0);
        }
    }

    public async ValueTask DisposeAsync()
    {
        Break();
        watchdog.Dispose();
        if (tls is null) return;
        try { await tls.DisposeAsync(); }
        catch (Exception error) when (error is IOException or ObjectDisposedException or InvalidOperationException) { /* it is closed either way */ }
    }

    internal static ArraySegment<byte> Segment(ReadOnlyMemory<byte> memory) =>
        MemoryMarshal.TryGetArray(memory, out var segment) ? segment : memory.ToArray();

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    async ValueTask ReceiveAsync(IReplyConsumer replies)
    {
        while (true)
        {
            int received = tls is null
                ? await socket.ReceiveAsync(receiveBuffer.AsMemory(), SocketFlags.None)
                : await tls.ReadAsync(receiveBuffer.AsMemory());
            if (received == 0) throw new EndOfStreamException("the server closed the connection");
            watchdog.Progress();
            if (!replies.Feed(receiveBuffer.AsSpan(0, received), out int used)) continue;
            if (used < received) throw new RespProtocolException("Redis sent more replies than commands were sent.");
            return;
        }
    }

    Exception Lost(Exception error, CancellationToken cancellationToken)
    {
        if (cancellationToken.IsCancellationRequested) return new OperationCanceledException(cancellationToken);
        if (watchdog.Expired)
            return new RedisTransientException($"Redis at {Endpoint} did not answer within {timeout.TotalSeconds:0.###} s.", outcomeUnknown: true, error);
        return error switch
        {
            RespProtocolException => new RedisTransientException(
                $"Redis at {Endpoint} broke the protocol: {error.Message}", outcomeUnknown: true, error),
            SocketException or IOException or ObjectDisposedException or AuthenticationException => new RedisTransientException(
                $"The connection to Redis at {Endpoint} was lost: {Innermost(error)}.", outcomeUnknown: true, error),
            _ => error,
        };
    }

    /// <summary>Closes the socket, which also wakes whoever sends or receives on it.</summary>
    void Break()
    {
        broken = true;
        socket.Dispose();
    }

    static async ValueTask IgnoreAsync(ValueTask sending)
    {
        try { await sending; }
        catch (Exception) { /* the receiving side has the cause; here it only matters that the memory is free again */ }
    }

    static async ValueTask<Socket> OpenSocketAsync(RedisConnectionOptions options, CancellationToken cancellationToken)
    {
        bool unix = options.Host.StartsWith('/');
        var socket = unix
            ? new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified)
            : new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            if (unix)
                await socket.ConnectAsync(new UnixDomainSocketEndPoint(options.Host), cancellationToken);
            else
            {
                socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true);
                await socket.ConnectAsync(options.Host, options.Port, cancellationToken);
            }
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    static string EndpointOf(RedisConnectionOptions options) =>
        options.Host.StartsWith('/') ? options.Host : new HostPort(options.Host, options.Port).ToString();

    static string Innermost(Exception error) => error.GetBaseException().Message.TrimEnd('.');
}
