using Sync.Engine.Mapping;
using Sync.Redis.Cluster;
using Sync.Redis.Connections;
using Sync.Redis.Errors;
using Sync.Redis.Protocol;
using Sync.Redis.Sink;

namespace Sync.Node.Hosting;

/// <summary>
/// <c>truncate: resync</c>. At the position of a TRUNCATE the table is empty, so re-syncing it means removing every key that was made of its
/// rows; what is inserted afterwards follows in the stream. A key that another table could have written as well is left alone and counted.
/// In a Cluster every master is searched.
/// </summary>
static class TruncateSweep
{
    const int scanCount = 1000;

    /// <summary>Runs as an action (<see cref="IBatchOutput.ActAsync"/>).</summary>
    public static ValueTask RunAsync(SinkSession session, TableRuntime table, PumpContext context, string why, CancellationToken cancellationToken) =>
        RunAsync(session, table, table.Plan!.Keys, context, why, cancellationToken);

    /// <summary>The same for some keys of the table.</summary>
    public static async ValueTask RunAsync(
        SinkSession session, TableRuntime table, IReadOnlyList<KeyPattern> own, PumpContext context, string why, CancellationToken cancellationToken)
    {
        KeyPattern[] foreign = [.. context.Tables.All.Where(t => t != table && t.Plan is not null).SelectMany(t => t.Plan!.TouchedKeys)];
        var nodes = context.Output.Nodes;
        long removed = 0, shared = 0;
        foreach (var connection in nodes is null ? [session.Connection] : await MastersAsync(nodes, session, cancellationToken))
            foreach (var pattern in own)
            {
                string cursor = "0";
                do
                {
                    var reply = (await connection.ExecuteAsync(cancellationToken, "SCAN", cursor, "MATCH", pattern.Glob, "COUNT", scanCount))
                        .OrThrow(connection.Endpoint, connection.User);
                    cursor = reply.Items[0].AsString()!;
                    var gone = new List<ReadOnlyMemory<byte>>();
                    foreach (var item in reply.Items[1].Items)
                    {
                        string key = item.AsString()!;
                        if (!pattern.Matches(key)) continue;
                        if (Array.Exists(foreign, f => f.Matches(key))) shared++;
                        else gone.Add(item.Bytes);
                    }
                    removed += nodes is null ? await UnlinkAsync(connection, gone, cancellationToken) : await UnlinkAsync(nodes, session, gone, cancellationToken);
                }
                while (cursor != "0");
            }
        context.Log.KeysRemoved(table.Name, why, removed);
        if (shared == 0) return;
        context.Metrics.Warnings.Add(shared, new KeyValuePair<string, object?>("kind", "truncate_shared_key"));
        context.Log.Warning($"{table.Name} {why}: {shared} keys stay, because another table's mapping could have written them as well");
    }

    static async ValueTask<List<RespConnection>> MastersAsync(ClusterConnections nodes, SinkSession session, CancellationToken cancellationToken)
    {
        await nodes.View.RefreshAsync(cancellationToken);
        var masters = new List<RespConnection>();
        foreach (var master in nodes.View.Map.Masters) masters.Add(await nodes.ToAsync(master, session, cancellationToken));
        return masters;
    }

    static async ValueTask<long> UnlinkAsync(RespConnection connection, List<ReadOnlyMemory<byte>> keys, CancellationToken cancellationToken)
    {
        if (keys.Count == 0) return 0;
        return (await connection.ExecuteAsync(cancellationToken, ["UNLINK", .. keys.Select(k => (RedisArgument)k)])).OrThrow(connection.Endpoint, connection.User).AsInt64();
    }

    static async ValueTask<long> UnlinkAsync(ClusterConnections nodes, SinkSession session, List<ReadOnlyMemory<byte>> keys, CancellationToken cancellationToken)
    {
        long removed = 0;
        foreach (var key in keys)
            removed += (await nodes.ExecuteAsync(HashSlots.Of(key.Span), new RespCommands().Add("UNLINK", key), session, cancellationToken)).OrThrow("the Cluster", null).AsInt64();
        return removed;
    }
}
