namespace Sync.Shop.Tests;

public class VerifierTests(ShopServers shop) : IClassFixture<ShopServers>
{
    [Fact]
    public async Task Verifier_should_find_nothing_wrong_with_what_PostgreSQL_calls_for()
    {
        await shop.ProjectAsync();
        (await shop.CompareAsync()).ShouldBeEmpty();
    }

    [Theory]
    [InlineData("SET actorsync:{shop}:anything 1", "a key of ActorSync itself")]
    [InlineData("SET sold:4711 0", "a count that went back to 0")]
    [InlineData("SET stock-total:4711 0", "a count that went back to 0")]
    [InlineData("HINCRBYFLOAT revenue 4711 0", "a sum that went back to 0")]
    [InlineData("ZADD bestsellers 0 4711", "a rank that went back to 0")]
    [InlineData("HINCRBYFLOAT revenue 3 0.0000000001", "a rounding error of binary sums")]
    public async Task Verifier_should_accept(string command, string because)
    {
        await shop.ProjectAsync();
        await shop.Redis.CommandAsync(CancellationToken.None, command.Split(' '));
        (await shop.CompareAsync()).ShouldBeEmpty(because);
    }

    [Theory]
    [InlineData("DEL product:7", "product:7 is missing")]
    [InlineData("DEL stock-total:7", "stock-total:7 is missing")]
    [InlineData("SET product:4711 {}", "product:4711 should not be there")]
    [InlineData("SET sold:4711 1", "sold:4711 should not be there")]
    [InlineData("HSET public.customers:11 city Berlin", "public.customers:11: the field city should not be there")]
    [InlineData("HDEL public.customers:13 city", "public.customers:13: the field city is missing")]
    [InlineData("HSET order:9 status lost", "order:9: in the field status expected")]
    [InlineData("SADD category:kitchen 4711", "category:kitchen: the member 4711 should not be there")]
    [InlineData("SREM category:kitchen 5", "category:kitchen: the member 5 is missing")]
    [InlineData("ZADD products:by-price 1.5 3", "products:by-price: the score of 3 should be")]
    [InlineData("ZADD products:by-price 0 4711", "products:by-price: the score of 4711 should be none")]
    [InlineData("ZINCRBY bestsellers 1 12", "bestsellers: the score of 12 should be")]
    [InlineData("INCR sold:12", "sold:12: expected")]
    [InlineData("HINCRBYFLOAT revenue 8 0.01", "revenue: the sum of 8 should be")]
    [InlineData("HSET order-items:9 77 {}", "order-items:9: the field 77 should not be there")]
    [InlineData("EXPIRE product:7 100", "product:7: it expires in")]
    [InlineData("XADD order-events * id 1", "order-events: expected 150 entries, found 151")]
    [InlineData("LPUSH order:4711 x", "order:4711 should not be there; it is a list")]
    public async Task Verifier_should_report(string command, string complaint)
    {
        await shop.ProjectAsync();
        await shop.Redis.CommandAsync(CancellationToken.None, command.Split(' '));
        (await shop.CompareAsync()).ShouldHaveSingleItem().ShouldStartWith(complaint);
    }

    [Fact]
    public async Task Verifier_should_report_a_document_whose_number_lost_its_digits()
    {
        await shop.ProjectAsync();
        await ExecuteAsync("UPDATE products SET price = 12.50 WHERE id = 20");
        await shop.ProjectAsync();
        string json = (string)(await shop.Redis.CommandAsync(CancellationToken.None, "GET", "product:20"))!;
        await shop.Redis.CommandAsync(CancellationToken.None, "SET", "product:20", json.Replace("12.50", "12.5", StringComparison.Ordinal));
        (await shop.CompareAsync()).ShouldHaveSingleItem().ShouldStartWith("product:20: expected");
    }

    [Fact]
    public async Task Verifier_should_report_an_expiring_key_that_lost_its_end()
    {
        await shop.ProjectAsync();
        string cart = (await ScalarAsync("SELECT min(id::text) FROM carts"))!;
        await shop.Redis.CommandAsync(CancellationToken.None, "PERSIST", $"cart:{cart}");
        (await shop.CompareAsync()).ShouldHaveSingleItem().ShouldStartWith($"cart:{cart}: it should expire within");
    }

    [Fact]
    public async Task Verifier_should_report_two_events_of_one_order_that_changed_places()
    {
        await ExecuteAsync("UPDATE orders SET status = 'paid' WHERE id = 7; UPDATE orders SET status = 'packed' WHERE id = 7");
        await shop.ProjectAsync();
        var found = (await Node.Demo.ShopKeyspace.ReadAsync(shop.Redis, CancellationToken.None))["order-events"];
        object?[] entries = (object?[])found.Content!;
        await shop.Redis.CommandAsync(CancellationToken.None, "DEL", "order-events");
        foreach (object? entry in entries.Reverse())
            await shop.Redis.CommandAsync(CancellationToken.None, ["XADD", "order-events", "*", .. ((object?[])((object?[])entry!)[1]!).Cast<string>()]);
        (await shop.CompareAsync()).ShouldHaveSingleItem().ShouldStartWith("order-events: among the entries of order_id 7");
        await ExecuteAsync("DELETE FROM order_events WHERE id > 150");
    }

    async Task ExecuteAsync(string sql)
    {
        await using var command = new Npgsql.NpgsqlCommand(sql, shop.Postgres);
        await command.ExecuteNonQueryAsync();
    }

    async Task<string?> ScalarAsync(string sql)
    {
        await using var command = new Npgsql.NpgsqlCommand(sql, shop.Postgres);
        return (string?)await command.ExecuteScalarAsync();
    }
}
