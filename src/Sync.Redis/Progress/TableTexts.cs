using Sync.Redis.Connections;
using Sync.Redis.Errors;

namespace Sync.Redis.Progress;

/// <summary>What is kept of tables from one life of a node to the next: a hash with one text per <c>schema.table</c>.</summary>
/// <param name="key">Of the hash: <see cref="RedisKeys.Resync"/> or <see cref="RedisKeys.Shapes"/>.</param>
public sealed class TableTexts(string key)
{
    public async ValueTask<IReadOnlyList<(string Table, string Text)>> LoadAsync(RespConnection connection, CancellationToken cancellationToken)
    {
        var items = (await connection.ExecuteAsync(cancellationToken, "HGETALL", key)).OrThrow(connection.Endpoint, connection.User).Items;
        return [.. Enumerable.Range(0, items.Count / 2).Select(i => (items[2 * i].AsString()!, items[2 * i + 1].AsString()!))];
    }

    public async ValueTask SaveAsync(RespConnection connection, string table, string text, CancellationToken cancellationToken) =>
        (await connection.ExecuteAsync(cancellationToken, "HSET", key, table, text)).OrThrow(connection.Endpoint, connection.User);
}
