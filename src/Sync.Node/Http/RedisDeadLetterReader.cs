using Sync.Contracts;
using Sync.Contracts.Configuration;
using Sync.Engine.DeadLetters;
using Sync.Redis;
using Sync.Redis.Connections;
using Sync.Redis.DeadLetters;
using Sync.Redis.Errors;

namespace Sync.Node.Http;

/// <summary>
/// Reads dead letters from Redis, each time on a connection of its own: people ask seldom, and a node's writers must never wait
/// for somebody who looks. Safe for use by several threads.
/// </summary>
public sealed class RedisDeadLetterReader(SyncConfig config, TimeProvider time) : IDeadLetterReader
{
    readonly DeadLetterStore store = new(new RedisKeys(config.Postgres.Repl.Slot), time);

    public Task<IReadOnlyList<DeadLetter>> ListAsync(string? after, int count, CancellationToken cancellationToken) =>
        WithRedisAsync(async connection => await store.ListAsync(connection, after, count, cancellationToken), cancellationToken);

    public Task<DeadLetter?> GetAsync(string id, CancellationToken cancellationToken) =>
        WithRedisAsync(async connection => await store.GetAsync(connection, id, cancellationToken), cancellationToken);

    /// <summary>Runs work on a new connection; what may pass by itself becomes an error for the one who asked.</summary>
    /// <exception cref="SyncException">Redis can't be reached or refuses.</exception>
    internal async Task<T> WithRedisAsync<T>(Func<RespConnection, Task<T>> work, CancellationToken cancellationToken)
    {
        try
        {
            await using var connection = await RedisMaster.ConnectAsync(config.Redis, config.WriteTimeout, time, cancellationToken);
            return await work(connection);
        }
        catch (RedisTransientException e)
        {
            throw new SyncException(ExitCode.RedisUnreachable, e.Message, e);
        }
    }
}
