using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Sync.Contracts;
using Sync.Contracts.Configuration;
using Sync.Engine.Batching;
using Sync.Redis.Errors;
using Sync.Redis.Protocol;

namespace Sync.Redis.Connections;

/// <summary>
/// One connection to one Redis server, over our own client or another (<see cref="IRespTransport"/>). One exchange is under way at a time.
/// Whatever goes wrong inside an exchange (silence, loss, cancellation, garbage) breaks the connection for good, so a late reply can
/// never be taken for that of a later command. Not thread-safe.
/// </summary>
public sealed class RespConnection : IAsyncDisposable
{
    readonly IRespTransport transport;

    RespConnection(IRespTransport transport, RedisConnectionOptions options)
    {
        this.transport = transport;
        Endpoint = EndpointOf(options);
        User = options.User;
        Client = options.Client;
    }

    /// <summary><c>host:port</c> or the path of the Unix socket, for messages.</summary>
    public string Endpoint { get; }

    /// <summary>The user we logged in as; null for the default user.</summary>
    public string? User { get; }

    internal RedisClient Client { get; }

    /// <summary>CLIENT ID of this connection; 0 when the user may not ask for it.</summary>
    public long ClientId { get; internal set; }

    public RedisServerFacts Server { get; internal set; } = RedisServerFacts.Parse("");

    /// <summary>What the server takes at most, as it said last.</summary>
    public RedisLimits Limits { get; internal set; } = RedisLimits.Default;

    /// <summary>Asks the server again what it takes at most, which an administrator may change at any time.</summary>
    /// <returns>Whether it is something else now.</returns>
    public async ValueTask<bool> RefreshLimitsAsync(CancellationToken cancellationToken)
    {
        var before = Limits;
        var replies = await ExecutePipelineAsync(Handshake.AskLimits(new RespCommands()), cancellationToken);
        Limits = Handshake.LimitsOf(replies[0], replies[1], this);
        return Limits != before;
    }

    /// <summary>Whether it is of no use any more.</summary>
    public bool IsBroken => transport.IsBroken;

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
        string endpoint = EndpointOf(options);
        var connection = new RespConnection(await OpenAsync(options, endpoint, timeout, time, cancellationToken), options);
        try
        {
            await Handshake.RunAsync(connection, options, cancellationToken);
            return connection;
        }
        catch (Exception error)
        {
            await connection.DisposeAsync();
            // In TLS 1.3 the server judges the client's certificate only after the handshake, so its alert arrives with the first reply.
            if (error is RedisTransientException && options.Tls is not null && error.GetBaseException() is CryptographicException alert)
                throw RedisTls.Refused(endpoint, alert);
            throw;
        }
    }

    static async ValueTask<IRespTransport> OpenAsync(
        RedisConnectionOptions options, string endpoint, TimeSpan timeout, TimeProvider time, CancellationToken cancellationToken)
    {
        if (options.Client == RedisClient.Resp) return await SocketTransport.ConnectAsync(options, endpoint, timeout, time, cancellationToken);
        return await Multiplexer.MultiplexerTransport.ConnectAsync(options, endpoint, timeout, time, cancellationToken);
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
        catch (RedisTransientException lost) when (replies.LastError is { } said && RedisErrors.IsHangUp(said))
        {
            if (RedisErrors.IsProtocolError(said)) throw TooLarge(said, RedisLimits.Largest(commands.Bytes.Span).Bytes, lost);
            throw RedisErrors.ToException(said, Endpoint, User);
        }
        // Another client may hand over what Redis said before it closed the connection.
        if (replies.LastError is { } last && RedisErrors.IsProtocolError(last)) throw TooLarge(last, RedisLimits.Largest(commands.Bytes.Span).Bytes);
        return replies.Values;
    }

    /// <summary>Redis has closed the connection over a value, and says so.</summary>
    internal RedisTransientException TooLarge(string said, long largestBytes, RedisTransientException? lost = null) =>
        new($"Redis at {Endpoint} says: {RedisErrors.Cause(said)}.", outcomeUnknown: false, lost) { TooLargeBytes = largestBytes };

    /// <summary>Sends all segments and reads until the consumer has all replies. The memory of the segments is not touched any more once this returns or throws.</summary>
    internal ValueTask ExchangeAsync(List<ArraySegment<byte>> request, IReplyConsumer replies, CancellationToken cancellationToken) =>
        transport.ExchangeAsync(request, replies, cancellationToken);

    public ValueTask DisposeAsync() => transport.DisposeAsync();

    internal static ArraySegment<byte> Segment(ReadOnlyMemory<byte> memory) =>
        MemoryMarshal.TryGetArray(memory, out var segment) ? segment : memory.ToArray();

    static string EndpointOf(RedisConnectionOptions options) =>
        options.Host.StartsWith('/') ? options.Host : new HostPort(options.Host, options.Port).ToString();
}
