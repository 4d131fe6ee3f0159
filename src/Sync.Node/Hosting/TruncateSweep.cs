using Sync.Engine.Mapping;
using Sync.Redis.Connections;
using Sync.Redis.Errors;
using Sync.Redis.Protocol;

namespace Sync.Node.Hosting;

/// <summary>
/// <c>truncate: resync</c>. At the position of a TRUNCATE the table is empty, so re-syncing it means removing every key that was made of its
/// rows; what is inserted afterwards follows in the stream. A key that another table could have written as well is left alone and counted.
/// </summary>
static class TruncateSweep
{
    const int scanCount = 1000;

    public static async ValueTask RunAsync(RespConnection connection, TableRuntime table, PumpContext context, string why, CancellationToken cancellationToken)
    {
        var own = table.Plan!.Keys;
        KeyPattern[] foreign = [.. context.Tables.All.Where(t => t != table && t.Plan is not null).SelectMany(t => t.Plan!.TouchedKeys)];
        long removed = 0, shared = 0;
        foreach (var pattern in own)
        {
            string cursor = "0";
            do
            {
                var reply = (await connection.ExecuteAsync(cancellationToken, "SCAN", cursor, "MATCH", pattern.Glob, "COUNT", scanCount))
                    .OrThrow(connection.Endpoint, connection.User);
                cursor = reply.Items[0].AsString()!;
                var unlink = new List<RedisArgument> { "UNLINK" };
                foreach (var item in reply.Items[1].Items)
                {
                    string key = item.AsString()!;
                    if (!pattern.Matches(key)) continue;
                    if (Array.Exists(foreign, f => f.Matches(key))) shared++;
                    else unlink.Add(item.Bytes);
                }
                if (unlink.Count == 1) continue;
                removed += (await connection.ExecuteAsync(cancellationToken, unlink.ToArray())).OrThrow(connection.Endpoint, connection.User).AsInt64();
            }
            while (cursor != "0");
        }
        context.Log.KeysRemoved(table.Name, why, removed);
        if (shared == 0) return;
        context.Metrics.Warnings.Add(shared, new KeyValuePair<string, object?>("kind", "truncate_shared_key"));
        context.Log.Warning($"{table.Name} {why}: {shared} keys stay, because another table's mapping could have written them as well");
    }
}
