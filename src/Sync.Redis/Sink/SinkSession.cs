using System.Runtime.CompilerServices;
using Sync.Contracts;
using Sync.Contracts.Configuration;
using Sync.Engine.Batching;
using Sync.Redis.Connections;
using Sync.Redis.Errors;
using Sync.Redis.Protocol;

namespace Sync.Redis.Sink;

/// <summary>A connection as the server knows it. Ids are given anew with every start of the server, hence the run id.</summary>
public readonly record struct RedisClientIdentity(string RunId, long ClientId);

/// <summary>
/// A connection that writes flights, and what replaces it when it is lost. After a flight with an unknown outcome:
/// 1. open a new session with the old one's <see cref="Identity"/>: the old connection is killed, so bytes of it that are
///    still under way can't be applied any more;
/// 2. read the progress: it now says for good whether the flight was applied;
/// 3. repeat the flight if it was not.
/// With an <see cref="OwnerFence"/> every flight is refused by Redis once another owner has taken over.
/// </summary>
public sealed class SinkSession : IBatchSink, IAsyncDisposable
{
    readonly RespConnection connection;
    readonly BatchSink sink;
    readonly List<ProgressMark> single = [];
    OwnerFence? fence;

    SinkSession(RespConnection connection, OwnerFence? fence)
    {
        this.connection = connection;
        this.fence = fence;
        sink = new BatchSink(connection, fence);
        Identity = new RedisClientIdentity(connection.Server.RunId, connection.ClientId);
    }

    /// <summary>
    /// The connection below, for progress and dead letters between flights. Whatever runs on it may end the watch of the owner's key, so
    /// the flight that follows asks for the owner first.
    /// </summary>
    public RespConnection Connection
    {
        get
        {
            sink.IsGuarded = false;
            return connection;
        }
    }

    /// <summary>The server, for messages.</summary>
    public string Endpoint => connection.Endpoint;

    /// <summary>Whether it is of no use any more.</summary>
    public bool IsBroken => connection.IsBroken;

    public RedisClientIdentity Identity { get; }

    /// <summary>What the server takes at most, as it said last.</summary>
    public RedisLimits Limits => connection.Limits;

    /// <inheritdoc cref="RespConnection.RefreshLimitsAsync"/>
    public ValueTask<bool> RefreshLimitsAsync(CancellationToken cancellationToken) => connection.RefreshLimitsAsync(cancellationToken);

    /// <summary>See <see cref="RedisServerFacts.History"/>; what was known of another history has to be read anew.</summary>
    public string History => connection.Server.History;

    /// <summary>Opens a session; see <see cref="RespConnection.ConnectAsync"/> for what it throws.</summary>
    /// <param name="options">Where and as whom.</param>
    /// <param name="timeout">See <see cref="RespConnection.ConnectAsync"/>.</param>
    /// <param name="time">Clock of the time-outs.</param>
    /// <param name="previous">The identity of the session this one replaces, if any.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public static ValueTask<SinkSession> OpenAsync(
        RedisConnectionOptions options, TimeSpan timeout, TimeProvider time, RedisClientIdentity? previous, CancellationToken cancellationToken) =>
        OpenAsync(options, timeout, time, previous, null, cancellationToken);

    /// <summary>Opens a session whose flights are refused once <paramref name="fence"/> does not hold any more.</summary>
    /// <param name="options">Where and as whom.</param>
    /// <param name="timeout">See <see cref="RespConnection.ConnectAsync"/>.</param>
    /// <param name="time">Clock of the time-outs.</param>
    /// <param name="previous">The identity of the session this one replaces, if any.</param>
    /// <param name="fence">Our right to write; null for none.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="RedisFencedException">It does not hold now.</exception>
    public static async ValueTask<SinkSession> OpenAsync(
        RedisConnectionOptions options, TimeSpan timeout, TimeProvider time, RedisClientIdentity? previous, OwnerFence? fence,
        CancellationToken cancellationToken)
    {
        return await BeginAsync(await RespConnection.ConnectAsync(options, timeout, time, cancellationToken), false, previous, fence, cancellationToken);
    }

    /// <summary>The same with the server that takes the writes now; see <see cref="RedisMaster"/>. In a Cluster that is the master of our own keys.</summary>
    /// <param name="options">A single server, Sentinels, or nodes of a Cluster.</param>
    /// <param name="timeout">See <see cref="RespConnection.ConnectAsync"/>.</param>
    /// <param name="time">Clock of the time-outs.</param>
    /// <param name="previous">The identity of the session this one replaces, if any.</param>
    /// <param name="fence">Our right to write; null for none.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="RedisFencedException">It does not hold now.</exception>
    public static async ValueTask<SinkSession> OpenAsync(
        RedisOptions options, TimeSpan timeout, TimeProvider time, RedisClientIdentity? previous, OwnerFence? fence, CancellationToken cancellationToken) =>
        await BeginAsync(await RedisMaster.ConnectAsync(options, timeout, time, cancellationToken), options.IsCluster, previous, fence, cancellationToken);

    static async ValueTask<SinkSession> BeginAsync(
        RespConnection connection, bool isCluster, RedisClientIdentity? previous, OwnerFence? fence, CancellationToken cancellationToken)
    {
        try
        {
            if (connection.Server.IsCluster && !isCluster)
                throw new SyncException(ExitCode.RedisUnsuitable,
                    $"Redis at {connection.Endpoint} is a node of a Redis Cluster, but redis.conn names a single server; list the nodes under redis.nodes.");
            await CheckTransactionsAsync(connection, cancellationToken);
            if (previous is { } old) await KillAsync(connection, old, cancellationToken);
            var session = new SinkSession(connection, fence);
            await session.GuardAsync(cancellationToken);
            return session;
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }
    }

    /// <summary>
    /// Ends the connection <paramref name="old"/> on the server's side. True when it is certain that nothing of it will be applied from
    /// now on: it was ended, or was gone already, or the server it belonged to was restarted. False when the user may not run CLIENT KILL.
    /// </summary>
    public static async ValueTask<bool> KillAsync(RespConnection connection, RedisClientIdentity old, CancellationToken cancellationToken)
    {
        if (old.RunId != connection.Server.RunId) return true;
        if (old.ClientId == 0) return false;
        var reply = await connection.ExecuteAsync(cancellationToken, "CLIENT", "KILL", "ID", old.ClientId);
        if (reply.ErrorText.StartsWith("NOPERM", StringComparison.Ordinal)) return false;
        reply.OrThrow(connection.Endpoint, connection.User);
        return true;
    }

    /// <summary>Puts another token in the place of the one before. Its key was put under WATCH on <see cref="Connection"/> and read since.</summary>
    public void Guard(OwnerFence seen)
    {
        fence = seen;
        sink.Guard(seen);
    }

    /// <summary>Makes sure that we own what we write, from here to the next flight's EXEC. Does nothing without a fence.</summary>
    /// <exception cref="RedisFencedException">Somebody else does, or nobody.</exception>
    public async ValueTask GuardAsync(CancellationToken cancellationToken)
    {
        if (fence is null || sink.IsGuarded) return;
        var replies = await connection.ExecutePipelineAsync(new RespCommands().Add("WATCH", fence.Key).Add("GET", fence.Key), cancellationToken);
        replies[0].OrThrow(connection.Endpoint, connection.User);
        Check(fence, replies[1]);
        sink.IsGuarded = true;
    }

    /// <summary>Looks once whether <paramref name="expected"/> holds, for whoever writes without a fence.</summary>
    /// <exception cref="RedisFencedException">It does not.</exception>
    public async ValueTask CheckOwnerAsync(OwnerFence expected, CancellationToken cancellationToken) =>
        Check(expected, await Connection.ExecuteAsync(cancellationToken, "GET", expected.Key));

    void Check(OwnerFence expected, RespValue reply)
    {
        string? owner = reply.OrThrow(connection.Endpoint, connection.User).AsString();
        if (owner == expected.Token) return;
        throw new RedisFencedException(owner is null
            ? $"Redis at {connection.Endpoint} has lost what ActorSync kept there ({expected.Key})."
            : $"Another ActorSync took over what is written to Redis at {connection.Endpoint}.");
    }

    /// <inheritdoc cref="BatchSink.WriteAsync(IReadOnlyList{Batch}, ReadOnlyMemory{byte}, ReadOnlyMemory{byte}, Position, CancellationToken)"/>
    /// <exception cref="RedisFencedException">Another owner took over, or the owner's token is gone; nothing was applied.</exception>
    public ValueTask<FlightResult> WriteAsync(
        IReadOnlyList<Batch> flight, ReadOnlyMemory<byte> progressKey, ReadOnlyMemory<byte> progressField, Position reached,
        CancellationToken cancellationToken)
    {
        single.Clear();
        if (reached != Position.None) single.Add(new ProgressMark(progressField, reached));
        return WriteAsync(flight, progressKey, single, cancellationToken);
    }

    /// <inheritdoc cref="BatchSink.WriteAsync(IReadOnlyList{Batch}, ReadOnlyMemory{byte}, IReadOnlyList{ProgressMark}, CancellationToken)"/>
    /// <exception cref="RedisFencedException">Another owner took over, or the owner's token is gone; nothing was applied.</exception>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<FlightResult> WriteAsync(
        IReadOnlyList<Batch> flight, ReadOnlyMemory<byte> progressKey, IReadOnlyList<ProgressMark> marks, CancellationToken cancellationToken)
    {
        while (true)
        {
            await GuardAsync(cancellationToken);
            var result = await sink.WriteAsync(flight, progressKey, marks, cancellationToken);
            // The owner's key was touched; whether by somebody else shows when it is asked for again.
            if (result.Outcome != FlightOutcome.Fenced || fence is null) return result;
            sink.IsGuarded = false;
            await CheckHistoryAsync(cancellationToken);
        }
    }

    /// <summary>
    /// Runs commands between two flights in one transaction, which like a flight is refused once another owner took over. Returns their replies, of which
    /// some may be errors.
    /// </summary>
    /// <exception cref="RedisFencedException">Another owner took over, or the owner's token is gone; nothing was applied.</exception>
    /// <exception cref="RedisTransientException">Nothing was applied, or nobody knows.</exception>
    /// <exception cref="SyncException">Redis refuses one of the commands as such; nothing was applied.</exception>
    public async ValueTask<IReadOnlyList<RespValue>> TransactAsync(RespCommands commands, CancellationToken cancellationToken)
    {
        var all = new RespCommands().Add("MULTI").Append(commands).Add("EXEC");
        while (true)
        {
            await GuardAsync(cancellationToken);
            var replies = await Connection.ExecutePipelineAsync(all, cancellationToken);
            if (replies[^1].IsError)
                foreach (var reply in replies) reply.OrThrow(connection.Endpoint, connection.User);
            if (!replies[^1].IsNull) return replies[^1].Items;
            await CheckHistoryAsync(cancellationToken);
        }
    }

    /// <summary>A server that took over another's data keeps its connections, and that data may hold our token but not all we wrote.</summary>
    /// <exception cref="RedisFencedException">It did.</exception>
    public async ValueTask CheckHistoryAsync(CancellationToken cancellationToken)
    {
        var info = (await connection.ExecuteAsync(cancellationToken, "INFO")).OrThrow(connection.Endpoint, connection.User);
        if (RedisServerFacts.Parse(info.AsString() ?? "").History != History)
            throw new RedisFencedException($"Redis at {connection.Endpoint} was a replica meanwhile, or has taken over other data; what it holds has to be read anew.");
    }

    public ValueTask DisposeAsync() => connection.DisposeAsync();

    /// <summary>Were MULTI refused in a flight, its commands would run unprotected: so an ACL that denies it is found out before the first.</summary>
    static async ValueTask CheckTransactionsAsync(RespConnection connection, CancellationToken cancellationToken)
    {
        var replies = await connection.ExecutePipelineAsync(new RespCommands().Add("MULTI").Add("EXEC"), cancellationToken);
        replies[0].OrThrow(connection.Endpoint, connection.User);
        replies[1].OrThrow(connection.Endpoint, connection.User);
    }
}
