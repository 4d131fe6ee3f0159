using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Shop;

/// <summary>The twins: what ActorSync wrote to Redis, read without PostgreSQL.</summary>
sealed class ShopCache(RedisPool redis)
{
    static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    public async Task<string> ProductAsync(int id, CancellationToken ct) =>
        await redis.CommandAsync(ct, "GET", $"product:{id}") as string ?? throw new ShopException(404, $"Redis has no product {id}.");

    /// <summary>The cheapest first, by the sorted set of prices.</summary>
    public async Task<string> ProductsAsync(int limit, CancellationToken ct)
    {
        var ids = Texts(await redis.CommandAsync(ct, "ZRANGE", "products:by-price", "0", $"{limit - 1}"));
        return $"[{string.Join(',', (await ProductsAsync(ids, ct)).OfType<string>())}]";
    }

    /// <summary>The order's hash with its lines; a hash holds texts, and no field where PostgreSQL has NULL.</summary>
    public async Task<string> OrderAsync(long id, CancellationToken ct)
    {
        var fields = Texts(await redis.CommandAsync(ct, "HGETALL", $"order:{id}"));
        if (fields.Count == 0) throw new ShopException(404, $"Redis has no order {id}.");
        var order = new JsonObject();
        for (int i = 0; i + 1 < fields.Count; i += 2) order[fields[i]] = fields[i + 1];
        var lines = Texts(await redis.CommandAsync(ct, "HVALS", $"order-items:{id}")).Select(line => JsonNode.Parse(line)!);
        order["items"] = new JsonArray([.. lines.OrderBy(line => (int)line["line"]!)]);
        return order.ToJsonString();
    }

    /// <summary>The ten products that sold most.</summary>
    public async Task<string> BestsellersAsync(CancellationToken ct)
    {
        var ranking = Texts(await redis.CommandAsync(ct, "ZRANGE", "bestsellers", "0", "9", "REV", "WITHSCORES"));
        var products = await ProductsAsync([.. ranking.Where((_, i) => i % 2 == 0)], ct);
        var list = new JsonArray();
        for (int i = 0; i < products.Count; i++)
            list.Add(new JsonObject { ["product_id"] = int.Parse(ranking[2 * i], null), ["sold"] = JsonNode.Parse(ranking[(2 * i) + 1]), ["name"] = Name(products[i]) });
        return list.ToJsonString();
    }

    /// <summary>Looks at Redis without a pause until it has this version of the product; milliseconds, or null when it never came.</summary>
    public async Task<double?> WaitForProductAsync(int id, string document, CancellationToken ct)
    {
        long begin = Stopwatch.GetTimestamp();
        string version = Version(document);
        while (Stopwatch.GetElapsedTime(begin) < Patience)
        {
            // Time stamps are fixed in length, so their order is that of the characters; a later change counts as seen, too.
            if (await redis.CommandAsync(ct, "GET", $"product:{id}") is string found && string.CompareOrdinal(Version(found), version) >= 0)
                return Stopwatch.GetElapsedTime(begin).TotalMilliseconds;
        }
        return null;
    }

    async Task<List<string?>> ProductsAsync(List<string> ids, CancellationToken ct) =>
        ids.Count == 0 ? [] : [.. ((object?[])(await redis.CommandAsync(ct, ["MGET", .. ids.Select(id => $"product:{id}")]))!).Select(document => (string?)document)];

    static string Version(string document)
    {
        using var parsed = JsonDocument.Parse(document);
        return parsed.RootElement.GetProperty("updated_at").GetString() ?? "";
    }

    static string? Name(string? document) => document is null ? null : (string?)JsonNode.Parse(document)!["name"];

    static List<string> Texts(object? reply) => [.. ((object?[])reply!).Select(item => (string)item!)];
}
