using System.Globalization;
using Sync.Testing;

namespace Sync.Faults.Checking;

/// <summary>All that Redis holds, without what our node keeps for itself.</summary>
sealed class Content
{
    const int page = 5000;

    /// <summary>Key → what it holds: string, list of entries (lists and streams, in order), dictionary (hashes, sorted sets), set.</summary>
    public Dictionary<string, object> Keys { get; } = [];

    public static async Task<Content> ReadAsync(TestRedis redis)
    {
        var content = new Content();
        string cursor = "0";
        do
        {
            object?[] reply = (object?[])(await redis.CommandAsync("SCAN", cursor, "COUNT", "1000"))!;
            cursor = (string)reply[0]!;
            foreach (string key in ((object?[])reply[1]!).Cast<string>())
                if (!key.StartsWith("actorsync:", StringComparison.Ordinal) && !content.Keys.ContainsKey(key))
                    content.Keys[key] = await ValueAsync(redis, key);
        }
        while (cursor != "0");
        return content;
    }

    static async Task<object> ValueAsync(TestRedis redis, string key) => (string)(await redis.CommandAsync("TYPE", key))! switch
    {
        "string" => (string)(await redis.CommandAsync("GET", key))!,
        "hash" => Pairs(await redis.CommandAsync("HGETALL", key)),
        "zset" => Pairs(await redis.CommandAsync("ZRANGE", key, "0", "-1", "WITHSCORES")),
        "set" => ((object?[])(await redis.CommandAsync("SMEMBERS", key))!).Cast<string>().ToHashSet(),
        "list" => await ListAsync(redis, key),
        "stream" => await StreamAsync(redis, key),
        string other => other,
    };

    static Dictionary<string, string> Pairs(object? reply)
    {
        string[] flat = [.. ((object?[])reply!).Cast<string>()];
        return Enumerable.Range(0, flat.Length / 2).ToDictionary(i => flat[2 * i], i => flat[(2 * i) + 1]);
    }

    static async Task<List<string>> ListAsync(TestRedis redis, string key)
    {
        var all = new List<string>();
        while (true)
        {
            object?[] next = (object?[])(await redis.CommandAsync("LRANGE", key, Text(all.Count), Text(all.Count + page - 1)))!;
            all.AddRange(next.Cast<string>());
            if (next.Length < page) return all;
        }
    }

    static async Task<List<string>> StreamAsync(TestRedis redis, string key)
    {
        var all = new List<string>();
        for (string from = "-"; ;)
        {
            object?[] next = (object?[])(await redis.CommandAsync("XRANGE", key, from, "+", "COUNT", Text(page)))!;
            foreach (object?[] entry in next.Cast<object?[]>())
            {
                all.Add(string.Join(' ', ((object?[])entry[1]!).Cast<string>()));
                from = $"({entry[0]}";
            }
            if (next.Length < page) return all;
        }
    }

    static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
