using Sync.Contracts;
using Sync.Redis.Connections;
using Sync.Redis.Errors;

namespace Sync.Redis.Protocol;

/// <summary>MULTI/EXEC for the stores: all or an exception. The batch path has its own (<see cref="Sink.BatchSink"/>).</summary>
static class Transaction
{
    /// <summary>The replies of the commands; null when a watched key changed and nothing ran.</summary>
    /// <exception cref="SyncException">A command was refused for good.</exception>
    /// <exception cref="RedisTransientException">A command was refused for now, or the connection was lost.</exception>
    public static async ValueTask<IReadOnlyList<RespValue>?> TryRunAsync(
        RespConnection connection, RespCommands commands, CancellationToken cancellationToken)
    {
        var replies = await connection.ExecutePipelineAsync(new RespCommands().Add("MULTI").Append(commands).Add("EXEC"), cancellationToken);
        for (int i = 0; i < replies.Length - 1; i++) replies[i].OrThrow(connection.Endpoint, connection.User);
        var results = replies[^1].OrThrow(connection.Endpoint, connection.User);
        if (results.IsNull) return null;
        foreach (var result in results.Items) result.OrThrow(connection.Endpoint, connection.User);
        return results.Items;
    }

    /// <summary>The same where nothing but the owner's key can be watched.</summary>
    /// <exception cref="RedisFencedException">It changed, and nothing ran.</exception>
    public static async ValueTask<IReadOnlyList<RespValue>> RunAsync(
        RespConnection connection, RespCommands commands, CancellationToken cancellationToken) =>
        await TryRunAsync(connection, commands, cancellationToken) ?? throw new RedisFencedException($"Another ActorSync took over what is written to Redis at {connection.Endpoint}.");
}
