using System.Text;

namespace Sync.Node.Tests.Hosting;

/// <summary>What is in Redis, as texts that can be compared with what SQL says.</summary>
static class RedisContent
{
    static readonly UTF8Encoding utf8 = new(false, throwOnInvalidBytes: true);

    /// <summary>A reply's bytes as the UTF-8 text they must be.</summary>
    public static string Text(object? reply) => utf8.GetString(Encoding.Latin1.GetBytes((string)reply!));

    public static async Task<string?> TextAsync(this Pipeline pipeline, string key) =>
        await pipeline.RedisAsync("GET", key) is { } reply ? Text(reply) : null;

    public static async Task<string[]> ItemsAsync(this Pipeline pipeline, params string[] command) =>
        [.. ((object?[])(await pipeline.RedisAsync(command))!).Select(Text)];

    public static async Task<SortedDictionary<string, string>> FieldsAsync(this Pipeline pipeline, string key)
    {
        var fields = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (string[] pair in (await pipeline.ItemsAsync("HGETALL", key)).Chunk(2)) fields.Add(pair[0], pair[1]);
        return fields;
    }

    /// <summary>
    /// Everything but ActorSync's own keys, a line a key, sorted: <c>key = text</c>, <c>key = {field=value, …}</c>, <c>key = (member, …)</c> for sets,
    /// <c>key = (member:score, …)</c>, <c>key = [item, …]</c>, and <c>key = stream of n</c>.
    /// </summary>
    public static async Task<string[]> ContentAsync(this Pipeline pipeline)
    {
        var lines = new List<string>();
        foreach (string raw in await pipeline.KeysAsync())
        {
            string key = Text(raw);
            lines.Add($"{key} = {await ValueAsync(pipeline, key)}");
        }
        return [.. lines.Order(StringComparer.Ordinal)];
    }

    static async Task<string> ValueAsync(Pipeline pipeline, string key)
    {
        switch ((string)(await pipeline.RedisAsync("TYPE", key))!)
        {
            case "string": return (await pipeline.TextAsync(key))!;
            case "hash": return $"{{{string.Join(", ", (await pipeline.FieldsAsync(key)).Select(f => $"{f.Key}={f.Value}"))}}}";
            case "set": return $"({string.Join(", ", (await pipeline.ItemsAsync("SMEMBERS", key)).Order(StringComparer.Ordinal))})";
            case "zset": return $"({string.Join(", ", (await pipeline.ItemsAsync("ZRANGE", key, "0", "-1", "WITHSCORES")).Chunk(2).Select(p => $"{p[0]}:{p[1]}"))})";
            case "list": return $"[{string.Join(", ", await pipeline.ItemsAsync("LRANGE", key, "0", "-1"))}]";
            case "stream": return $"stream of {await pipeline.RedisAsync("XLEN", key)}";
            case var type: throw new InvalidOperationException($"{key} is a {type}");
        }
    }

    /// <summary>The entries of a stream in order, each as <c>field=value …</c>.</summary>
    public static async Task<string[]> StreamAsync(this Pipeline pipeline, string key) =>
        [.. ((object?[])(await pipeline.RedisAsync("XRANGE", key, "-", "+"))!)
            .Select(entry => ((object?[])((object?[])entry!)[1]!).Select(Text).Chunk(2))
            .Select(pairs => string.Join(' ', pairs.Select(p => $"{p[0]}={p[1]}")))];

    /// <summary>A query's rows, the columns as PostgreSQL's text, NULL as null.</summary>
    public static async Task<string?[][]> RowsAsync(this Pipeline pipeline, string query)
    {
        var rows = new List<string?[]>();
        foreach (object?[] row in await pipeline.QueryAsync(query)) rows.Add([.. row.Select(v => v is null ? null : (string)v)]);
        return [.. rows];
    }

    /// <summary>A query of one text column, sorted as <see cref="ContentAsync"/> is.</summary>
    public static async Task<string[]> LinesAsync(this Pipeline pipeline, string query) => [.. (await pipeline.ColumnAsync(query)).Order(StringComparer.Ordinal)];

    /// <summary>A query of one text column.</summary>
    public static async Task<string[]> ColumnAsync(this Pipeline pipeline, string query) => [.. (await pipeline.RowsAsync(query)).Select(r => r[0]!)];
}
