using System.Net.Security;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Security.Authentication;
using Sync.Contracts;
using Sync.Contracts.Configuration;
using Sync.Redis.Errors;
using Sync.Redis.Protocol;

namespace Sync.Redis.Connections;

/// <summary>
/// RESP2 over TCP, TLS or a Unix socket. All commands of an exchange go out while its replies come in, because a server whose replies are
/// not read stops reading commands.
/// </summary>
sealed class SocketTransport : IRespTransport
{
    const int ReceiveBufferBytes = 64 * 1024;

    readonly Socket socket;
    readonly SslStream? tls;
    readonly string endpoint;
    readonly TimeSpan timeout;
    readonly Watchdog watchdog;
    readonly byte[] receiveBuffer = new byte[ReceiveBufferBytes];
    readonly RequestSender sender;
    int busy;
    volatile bool broken;

    SocketTransport(Socket socket, SslStream? tls, string endpoint, TimeSpan timeout, TimeProvider time)
    {
        this.socket = socket;
        this.tls = tls;
        this.endpoint = endpoint;
        this.timeout = timeout;
        watchdog = new Watchdog(timeout, time, Break);
        sender = new RequestSender(socket, tls, watchdog);
    }

    public bool IsBroken => broken;

    /// <inheritdoc cref="RespConnection.ConnectAsync"/>
    public static async ValueTask<SocketTransport> ConnectAsync(
        RedisConnectionOptions options, string endpoint, TimeSpan timeout, TimeProvider time, CancellationToken cancellationToken)
    {
        var secure = options.Tls is { } files ? RedisTls.CreateOptions(files, options.Host) : null;
        using var deadline = new CancellationTokenSource(timeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, cancellationToken);
        Socket? socket = null;
        SslStream? tls = null;
        try
        {
            socket = await OpenSocketAsync(options, either.Token);
            if (secure is not null)
            {
                tls = new SslStream(new NetworkStream(socket, ownsSocket: false));
                await tls.AuthenticateAsClientAsync(secure, either.Token);
            }
            return new SocketTransport(socket, tls, endpoint, timeout, time);
        }
        catch (Exception error)
        {
            if (tls is not null) await tls.DisposeAsync();
            socket?.Dispose();
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

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    public async ValueTask ExchangeAsync(List<ArraySegment<byte>> request, IReplyConsumer replies, CancellationToken cancellationToken)
    {
        if (Interlocked.Exchange(ref busy, 1) != 0) throw new InvalidOperationException("A connection takes one exchange at a time.");
        try
        {
            if (broken) throw new RedisTransientException($"The connection to Redis at {endpoint} is closed.", outcomeUnknown: false);
            cancellationToken.ThrowIfCancellationRequested();
            watchdog.Start();
            using var cancellation = cancellationToken.UnsafeRegister(static state => ((SocketTransport)state!).Break(), this);
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
            return new RedisTransientException($"Redis at {endpoint} did not answer within {timeout.TotalSeconds:0.###} s.", outcomeUnknown: true, error);
        return error switch
        {
            RespProtocolException => new RedisTransientException(
                $"Redis at {endpoint} broke the protocol: {error.Message}", outcomeUnknown: true, error),
            SocketException or IOException or ObjectDisposedException or AuthenticationException => new RedisTransientException(
                $"The connection to Redis at {endpoint} was lost: {Innermost(error)}.", outcomeUnknown: true, error)
            { IsClosed = true },
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

    /// <summary>A connection that has said nothing yet.</summary>
    internal static async ValueTask<Socket> OpenSocketAsync(RedisConnectionOptions options, CancellationToken cancellationToken)
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

    static string Innermost(Exception error) => error.GetBaseException().Message.TrimEnd('.');
}
