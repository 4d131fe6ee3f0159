using System.Globalization;
using Sync.Contracts;
using Sync.Contracts.Configuration;
using Sync.Engine.Batching;
using Sync.Redis.Errors;
using Sync.Redis.Protocol;

namespace Sync.Redis.Connections;

/// <summary>
/// The first commands on a new connection:
/// 1. AUTH, alone, so that a wrong password is told apart from what would follow from it; a transport that logs in by itself does not mind;
/// 2. SELECT, CLIENT SETNAME, CLIENT ID, INFO, and CONFIG GET of what bounds the size of values and transactions, in one go.
/// A user without the right to CLIENT loses only the name in CLIENT LIST and the ability to be killed by id. Without the right to CONFIG the limits are taken
/// to be those that Redis
/// has when nothing is configured, until it closes a connection over something smaller (<see cref="LearnedLimits"/>).
/// </summary>
static class Handshake
{
    const string ClientName = "actorsync";

    /// <summary>From here on what MULTI has queued counts for client-query-buffer-limit.</summary>
    static readonly Version countsQueued = new(7, 2);

    public static async ValueTask RunAsync(RespConnection connection, RedisConnectionOptions options, CancellationToken cancellationToken)
    {
        await AuthenticateAsync(connection, options, cancellationToken);
        var commands = new RespCommands()
            .Add("SELECT", options.Database)
            .Add("CLIENT", "SETNAME", ClientName)
            .Add("CLIENT", "ID")
            .Add("INFO");
        var replies = await connection.ExecutePipelineAsync(AskLimits(commands), cancellationToken);

        // INFO answers a question everything depends on, and NOAUTH shows on every command: so it is judged first.
        var info = replies[3].OrThrow(connection.Endpoint, options.User);
        connection.Server = RedisServerFacts.Parse(info.AsString() ?? "");
        if (connection.Server.Version < RedisServerFacts.Oldest)
            throw new SyncException(ExitCode.RedisUnsuitable,
                $"Redis at {connection.Endpoint} is version {connection.Server.Version}; {RedisServerFacts.Oldest} or newer is needed.");
        if (connection.Server.IsLoading)
            throw new RedisTransientException($"Redis at {connection.Endpoint} is still loading its data set.", outcomeUnknown: false);
        if (replies[0].ErrorText.Contains("out of range", StringComparison.Ordinal)
            || replies[0].ErrorText.Contains("SELECT is not allowed in cluster mode", StringComparison.Ordinal))
            throw new SyncException(ExitCode.Configuration, $"Redis at {connection.Endpoint} has no database {options.Database}; change redis.conn.database.");
        if (options.Database != 0) replies[0].OrThrow(connection.Endpoint, options.User);
        if (!replies[2].IsError) connection.ClientId = replies[2].AsInt64();
        connection.Limits = LimitsOf(replies[4], replies[5], connection);
    }

    /// <summary>Appends the two questions for what bounds the size of values and transactions.</summary>
    public static RespCommands AskLimits(RespCommands commands) =>
        commands.Add("CONFIG", "GET", RedisLimits.BulkSetting).Add("CONFIG", "GET", RedisLimits.RequestSetting);

    /// <summary>What the answers to <see cref="AskLimits"/> come to.</summary>
    public static RedisLimits LimitsOf(RespValue bulk, RespValue request, RespConnection connection) => RedisLimits.Of(
        Number(bulk) ?? RedisLimits.Default.BulkBytes, Number(request) ?? RedisLimits.Default.RequestBytes, connection.Server.Version >= countsQueued,
        isOneValue: connection.Client != RedisClient.Resp);

    static long? Number(RespValue reply) =>
        !reply.IsError && reply.Items is [_, var value, ..]
        && long.TryParse(value.AsString(), NumberStyles.None, CultureInfo.InvariantCulture, out long bytes) && bytes > 0 ? bytes : null;

    static async ValueTask AuthenticateAsync(RespConnection connection, RedisConnectionOptions options, CancellationToken cancellationToken)
    {
        if (!options.Password.IsSet) return;
        var command = string.IsNullOrEmpty(options.User)
            ? new RespCommands().Add("AUTH", options.Password.Reveal())
            : new RespCommands().Add("AUTH", options.User, options.Password.Reveal());
        var reply = await connection.ExecuteAsync(command, cancellationToken);
        if (!reply.IsError) return;
        if (RedisErrors.Classify(reply.ErrorText) == Engine.Retry.FailureClass.Poison && !string.IsNullOrEmpty(options.User))
            throw new SyncException(ExitCode.RedisUnsuitable,
                $"Redis at {connection.Endpoint} can't log in a user by name, which came with version {RedisServerFacts.Oldest}: {RedisErrors.Cause(reply.ErrorText)}.");
        throw RedisErrors.ToException(reply.ErrorText, connection.Endpoint, options.User);
    }
}
