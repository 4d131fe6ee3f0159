using System.Text;
using Sync.Contracts;
using Sync.Engine.DeadLetters;
using Sync.Engine.Verification;
using Sync.Redis;
using Sync.Redis.Cluster;
using Sync.Redis.Connections;
using Sync.Redis.Errors;
using Sync.Redis.Protocol;

namespace Sync.Node.Verification;

/// <summary>A place in Redis: a key, or a field or member of it.</summary>
/// <param name="Probe">How it was found.</param>
/// <param name="Key">The key.</param>
/// <param name="Part">Field or member; null for the key itself.</param>
sealed record FoundPlace(ExtraProbe Probe, byte[] Key, byte[]? Part)
{
    public string KeyText => LosslessText.GetString(Key);
    public string? PartText => Part is null ? null : LosslessText.GetString(Part);
}

/// <summary>Asks Redis what it holds; changes nothing. Not thread-safe.</summary>
/// <param name="connection">To the server; in a Cluster to the master of our own keys.</param>
/// <param name="keys">Our own keys.</param>
/// <param name="cluster">Reads everything else of a Cluster; null for a single server.</param>
sealed class RedisState(RespConnection connection, RedisKeys keys, ClusterReader? cluster = null)
{
    const int ScanCount = 1000;

    /// <summary>Runs commands of one key each, the key being the first argument.</summary>
    async Task<RespValue[]> AskAsync(List<RedisArgument[]> commands, CancellationToken cancellationToken)
    {
        if (commands.Count == 0) return [];
        if (cluster is not null)
            return await cluster.ExecuteAsync([.. commands.Select(c => (HashSlots.Of(c[1].Bytes.Span), new RespCommands().Add(c)))], cancellationToken);
        var pipeline = new RespCommands();
        foreach (var command in commands) pipeline.Add(command);
        return await connection.ExecutePipelineAsync(pipeline, cancellationToken);
    }

    /// <summary>What differs from what rows ask for; one list for each expectation.</summary>
    public async Task<IReadOnlyList<StateDifference>[]> CompareAsync(IReadOnlyList<RowExpectation> expectations, CancellationToken cancellationToken)
    {
        var ofKeys = await CompareAsync([.. expectations.SelectMany(e => e.Keys)], cancellationToken);
        int at = 0;
        var found = new IReadOnlyList<StateDifference>[expectations.Count];
        for (int i = 0; i < found.Length; i++)
        {
            int count = expectations[i].Keys.Count;
            found[i] = [.. ofKeys.AsSpan(at, count).ToArray().SelectMany(d => d)];
            at += count;
        }
        return found;
    }

    /// <summary>The same for single keys.</summary>
    public async Task<IReadOnlyList<StateDifference>[]> CompareAsync(IReadOnlyList<ExpectedKey> expected, CancellationToken cancellationToken)
    {
        var commands = new List<RedisArgument[]>();
        int[] counts = new int[expected.Count];
        for (int i = 0; i < counts.Length; i++)
            foreach (byte[][] command in StateReads.Commands(expected[i]))
            {
                commands.Add([.. command.Select(a => (RedisArgument)a)]);
                counts[i]++;
            }
        var replies = await AskAsync(commands, cancellationToken);
        int at = 0;
        var found = new IReadOnlyList<StateDifference>[expected.Count];
        for (int i = 0; i < found.Length; i++)
        {
            found[i] = StateReads.Compare(expected[i], [.. replies.AsSpan(at, counts[i]).ToArray().Select(Read)]);
            at += counts[i];
        }
        return found;
    }

    /// <summary>Which ordering keys have dead letters.</summary>
    public async Task<bool[]> AreParkedAsync(IReadOnlyList<byte[]> orderingKeys, CancellationToken cancellationToken)
    {
        if (orderingKeys.Count == 0) return [];
        var reply = (await connection.ExecuteAsync(cancellationToken, ["HMGET", keys.ParkedKeys, .. orderingKeys.Select(k => (RedisArgument)k)])).OrThrow(connection.Endpoint, connection.User);
        return [.. reply.Items.Select(i => !i.IsNull)];
    }

    /// <summary>Whether each place is still there.</summary>
    public async Task<bool[]> AreThereAsync(IReadOnlyList<FoundPlace> places, CancellationToken cancellationToken)
    {
        if (places.Count == 0) return [];
        var commands = new List<RedisArgument[]>();
        foreach (var place in places)
        {
            if (place.Probe.Kind == PlaceKind.Key) commands.Add(["EXISTS", place.Key]);
            else commands.Add([place.Probe.Kind switch { PlaceKind.HashField => "HEXISTS", PlaceKind.SetMember => "SISMEMBER", _ => "ZSCORE" }, place.Key, place.Part!]);
        }
        var replies = await AskAsync(commands, cancellationToken);
        return [.. replies.Select(r => !r.IsError && !r.IsNull && (r.Kind != RespKind.Integer || r.AsInt64() > 0))];
    }

    /// <summary>Places where a probe's commands may have written, some at a time; one may come twice (Redis docs, SCAN).</summary>
    public async IAsyncEnumerable<IReadOnlyList<FoundPlace>> PlacesAsync(
        ExtraProbe probe, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        foreach (var server in cluster is null ? [connection] : await cluster.MastersAsync(cancellationToken))
            await foreach (var places in PlacesAsync(server, probe, cancellationToken)) yield return places;
    }

    async IAsyncEnumerable<IReadOnlyList<FoundPlace>> PlacesAsync(
        RespConnection server, ExtraProbe probe, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        string cursor = "0";
        do
        {
            var reply = (await server.ExecuteAsync(cancellationToken, "SCAN", cursor, "MATCH", probe.Key.Pattern.Glob, "COUNT", ScanCount)).OrThrow(server.Endpoint, server.User);
            cursor = reply.Items[0].AsString()!;
            byte[][] matching = [.. reply.Items[1].Items.Select(i => i.Bytes.ToArray()).Where(k => Matches(probe, k)).Distinct(KeyBytesComparer.Instance)];
            if (probe.Part is null) yield return [.. matching.Select(k => new FoundPlace(probe, k, null))];
            else
                foreach (byte[] key in matching)
                    await foreach (var parts in PartsAsync(probe, key, cancellationToken)) yield return parts;
        }
        while (cursor != "0");
    }

    async IAsyncEnumerable<IReadOnlyList<FoundPlace>> PartsAsync(
        ExtraProbe probe, byte[] key, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        string scan = probe.Kind switch { PlaceKind.HashField => "HSCAN", PlaceKind.SetMember => "SSCAN", _ => "ZSCAN" };
        int stride = probe.Kind == PlaceKind.SetMember ? 1 : 2;
        string cursor = "0";
        do
        {
            var reply = (await AskAsync([[scan, key, cursor, "COUNT", ScanCount]], cancellationToken))[0];
            // A key of another type is found where its rows are compared.
            if (reply.ErrorText.StartsWith("WRONGTYPE", StringComparison.Ordinal)) yield break;
            reply = reply.OrThrow(connection.Endpoint, connection.User);
            cursor = reply.Items[0].AsString()!;
            var items = reply.Items[1].Items;
            yield return [.. Enumerable.Range(0, items.Count / stride).Select(i => new FoundPlace(probe, key, items[i * stride].Bytes.ToArray()))];
        }
        while (cursor != "0");
    }

    static bool Matches(ExtraProbe probe, byte[] key)
    {
        string text = LosslessText.GetString(key);
        return probe.Key.Pattern.Matches(text) && !text.StartsWith(RedisKeys.Prefix, StringComparison.Ordinal);
    }

    static ReadReply Read(RespValue reply) => reply.Kind switch
    {
        RespKind.Error => new ReadReply(RedisErrors.Cause(reply.ErrorText), []),
        RespKind.Array => new ReadReply(null, [.. reply.Items.Select(Item)]),
        _ => new ReadReply(null, [Item(reply)]),
    };

    static byte[]? Item(RespValue value) => value.Kind switch
    {
        RespKind.Null => null,
        RespKind.Bulk or RespKind.Simple => value.Bytes.ToArray(),
        RespKind.Array => Encoding.UTF8.GetBytes(string.Join(' ', value.Items.Select(i => i.AsString()))),
        _ => Encoding.UTF8.GetBytes(value.AsString()!),
    };
}
