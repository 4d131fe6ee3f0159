using Sync.Redis.Connections;
using Sync.Redis.Errors;

namespace Sync.Redis.Progress;

/// <summary>How far the re-sync of each table is: a hash with one text per <c>schema.table</c>.</summary>
public sealed class ResyncStore(RedisKeys keys)
{
    public async ValueTask<IReadOnlyList<(string Table, string Text)>> LoadAsync(RespConnection connection, CancellationToken cancellationToken)
    {
        var items = (await connection.ExecuteAsync(cancellationToken, "HGETALL", keys.Resync)).OrThrow(connection.Endpoint, connection.User).Items;
        return [.. Enumerable.Range(0, items.Count / 2).Select(i => (items[2 * i].AsString()!, items[2 * i + 1].AsString()!))];
    }

    public async ValueTask SaveAsync(RespConnection connection, string table, string text, CancellationToken cancellationToken) =>
        (await connection.ExecuteAsync(cancellationToken, "HSET", keys.Resync, table, text)).OrThrow(connection.Endpoint, connection.User);
}
