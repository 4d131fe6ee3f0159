using System.Globalization;
using Shop;

namespace Sync.Node.Demo;

/// <summary>A key as Redis holds it: its type, its content as raw replies, and how long it still lives (null for ever).</summary>
sealed record FoundKey(string Type, object? Content, TimeSpan? Ttl);

/// <summary>Reads all that Redis holds, but the keys ActorSync keeps for itself.</summary>
static class ShopKeyspace
{
    /// <summary>Prefix of ActorSync's own keys: progress, snapshot marks, dead letters.</summary>
    public const string OwnPrefix = "actorsync:";

    const int Chunk = 1000;

    public static async Task<Dictionary<string, FoundKey>> ReadAsync(RespClient redis, CancellationToken ct)
    {
        var keys = new HashSet<string>();
        string cursor = "0";
        do
        {
            object?[] page = (object?[])(await redis.CommandAsync(ct, "SCAN", cursor, "COUNT", $"{Chunk}"))!;
            cursor = (string)page[0]!;
            foreach (object? key in (object?[])page[1]!)
                if (!((string)key!).StartsWith(OwnPrefix, StringComparison.Ordinal)) keys.Add((string)key);
        } while (cursor != "0");

        var found = new Dictionary<string, FoundKey>();
        foreach (string[] chunk in keys.Chunk(Chunk))
        {
            object?[] types = await redis.PipelineAsync([.. chunk.Select(key => (string[])["TYPE", key])], ct);
            object?[] lives = await redis.PipelineAsync([.. chunk.Select(key => (string[])["PTTL", key])], ct);
            object?[] contents = await redis.PipelineAsync([.. chunk.Select((key, i) => Read((string)types[i]!, key))], ct);
            for (int i = 0; i < chunk.Length; i++)
                found[chunk[i]] = new FoundKey((string)types[i]!, contents[i], lives[i] is long ms and >= 0 ? TimeSpan.FromMilliseconds(ms) : null);
        }
        return found;
    }

    /// <summary>A reply of names and values in turns, as HGETALL, ZRANGE … WITHSCORES and stream entries have it.</summary>
    public static Dictionary<string, string> Pairs(object? reply)
    {
        object?[] flat = (object?[])reply!;
        var pairs = new Dictionary<string, string>();
        for (int i = 0; i + 1 < flat.Length; i += 2) pairs[(string)flat[i]!] = (string)flat[i + 1]!;
        return pairs;
    }

    public static double Score(string text) => double.Parse(text, CultureInfo.InvariantCulture);

    static string[] Read(string type, string key) => type switch
    {
        "hash" => ["HGETALL", key],
        "set" => ["SMEMBERS", key],
        "zset" => ["ZRANGE", key, "0", "-1", "WITHSCORES"],
        "stream" => ["XRANGE", key, "-", "+"],
        "list" => ["LRANGE", key, "0", "-1"],
        "string" => ["GET", key],
        // The key expired or was deleted between two questions.
        _ => ["EXISTS", key],
    };
}
