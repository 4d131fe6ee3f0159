using System.Net;
using System.Text;
using System.Text.Json;
using Sync.Node.Demo;

namespace Sync.Shop.Tests;

/// <summary>The shop's web program on servers of its own, whose Redis holds what PostgreSQL calls for.</summary>
public sealed class ShopApi : IAsyncLifetime
{
    ChildProcess? program;

    public ShopServers Shop { get; } = new();
    public HttpClient Http { get; } = new();

    public async Task InitializeAsync()
    {
        await Shop.InitializeAsync();
        await Shop.ProjectAsync();
        string url = $"http://127.0.0.1:{Shop.Servers.ShopPort}";
        var environment = new Dictionary<string, string>
        {
            ["SHOP_POSTGRES"] = Shop.Servers.ConnectionString[..Shop.Servers.ConnectionString.IndexOf(";Options", StringComparison.Ordinal)],
            ["SHOP_REDIS"] = $"127.0.0.1:{Shop.Servers.RedisPort}",
            ["ASPNETCORE_URLS"] = url,
        };
        Http.BaseAddress = new Uri(url);
        program = ChildProcess.Start("shop", ["dotnet", ShopFiles.FindApi()!], Path.Combine(Shop.Servers.Folder, "shop.log"), environment);
        await Waiting.UntilAsync("the shop answers", program, async () =>
        {
            try { return (await Http.GetAsync("/")).IsSuccessStatusCode; }
            catch (HttpRequestException) { return false; }
        }, TimeSpan.FromSeconds(30), CancellationToken.None);
    }

    public async Task DisposeAsync()
    {
        Http.Dispose();
        if (program is not null) await program.DisposeAsync();
        await Shop.DisposeAsync();
    }
}

public sealed class ApiTests(ShopApi api) : IClassFixture<ShopApi>
{
    readonly ShopServers shop = api.Shop;
    readonly HttpClient http = api.Http;

    [Theory]
    [InlineData("/products/1")]
    [InlineData("/products/8")]
    [InlineData("/products?limit=30")]
    public async Task Twin_should_show_what_PostgreSQL_shows(string path)
    {
        using JsonDocument source = JsonDocument.Parse(await http.GetStringAsync(path)), twin = JsonDocument.Parse(await http.GetStringAsync("/cache" + path));
        JsonElement.DeepEquals(source.RootElement, twin.RootElement).ShouldBeTrue($"{source.RootElement} against {twin.RootElement}");
    }

    [Fact]
    public async Task New_order_should_be_readable_on_both_sides_at_the_prices_of_the_moment()
    {
        using var price = JsonDocument.Parse(await http.GetStringAsync("/products/3"));
        using var placed = await SendAsync(HttpMethod.Post, "/orders", """{"customer_id":5,"note":"Büro, 2. Stock","items":[{"product_id":3,"quantity":2},{"product_id":3,"quantity":1}]}""");
        placed.StatusCode.ShouldBe(HttpStatusCode.Created);
        string location = placed.Headers.Location!.ToString();
        await shop.ProjectAsync();
        using JsonDocument source = JsonDocument.Parse(await http.GetStringAsync(location)), twin = JsonDocument.Parse(await http.GetStringAsync("/cache" + location));
        source.RootElement.GetProperty("total").GetDecimal().ShouldBe(3 * price.RootElement.GetProperty("price").GetDecimal());
        twin.RootElement.GetProperty("total").GetString().ShouldBe(source.RootElement.GetProperty("total").GetRawText());
        twin.RootElement.GetProperty("note").GetString().ShouldBe("Büro, 2. Stock");
        JsonElement.DeepEquals(source.RootElement.GetProperty("items"), twin.RootElement.GetProperty("items")).ShouldBeTrue();
        using var bestsellers = JsonDocument.Parse(await http.GetStringAsync("/cache/bestsellers"));
        bestsellers.RootElement.GetArrayLength().ShouldBe(10);
        await ResetAsync();
    }

    [Fact]
    public async Task Price_change_should_tell_when_Redis_had_it()
    {
        var changing = SendAsync(HttpMethod.Patch, "/products/2?wait=redis", """{"price":77.70}""");
        while (!changing.IsCompleted)
        {
            // The projector of this test stands in for ActorSync.
            await shop.ProjectAsync();
        }
        using var changed = await changing;
        changed.StatusCode.ShouldBe(HttpStatusCode.OK);
        (await changed.Content.ReadAsStringAsync()).ShouldContain("77.70");
        double.Parse(changed.Headers.GetValues("Redis-Lag-Ms").Single(), System.Globalization.CultureInfo.InvariantCulture).ShouldBeInRange(0, 5000);
    }

    [Theory]
    [InlineData("GET", "/products/0", null, 400, "whole number")]
    [InlineData("GET", "/products/abc", null, 400, "whole number")]
    [InlineData("GET", "/products/4711", null, 404, "no product 4711")]
    [InlineData("GET", "/cache/products/4711", null, 404, "no product 4711")]
    [InlineData("GET", "/orders/99999", null, 404, "no order 99999")]
    [InlineData("GET", "/cache/orders/99999", null, 404, "no order 99999")]
    [InlineData("GET", "/products?limit=0", null, 400, "limit")]
    [InlineData("PATCH", "/products/1", "not json", 400, "not valid JSON")]
    [InlineData("PATCH", "/products/1", "[]", 400, "JSON object")]
    [InlineData("PATCH", "/products/1", "{}", 400, "Nothing to change")]
    [InlineData("PATCH", "/products/1", """{"price":-1}""", 400, "price")]
    [InlineData("PATCH", "/products/1", """{"price":1.005}""", 400, "price")]
    [InlineData("PATCH", "/products/1", """{"price":"9"}""", 400, "price")]
    [InlineData("PATCH", "/products/1", """{"price":1e30}""", 400, "price")]
    [InlineData("PATCH", "/products/1", """{"name":"  "}""", 400, "name")]
    [InlineData("PATCH", "/products/1", """{"name":"a\u0000b"}""", 400, "name")]
    [InlineData("PATCH", "/products/1", """{"name":"\ud800"}""", 400, "name")]
    [InlineData("PATCH", "/products/1", """{"stock":1}""", 400, "'stock' can't be changed")]
    [InlineData("PATCH", "/products/1?wait=long", """{"price":1}""", 400, "wait")]
    [InlineData("PATCH", "/products/4711", """{"price":1}""", 404, "no product 4711")]
    [InlineData("POST", "/orders", """{"customer_id":1}""", 400, "items is missing")]
    [InlineData("POST", "/orders", """{"customer_id":1,"items":[]}""", 400, "1 to 50")]
    [InlineData("POST", "/orders", """{"customer_id":1,"items":[{"product_id":1,"quantity":0}]}""", 400, "quantity")]
    [InlineData("POST", "/orders", """{"customer_id":1,"items":[{"product_id":1}]}""", 400, "lacks its quantity")]
    [InlineData("POST", "/orders", """{"customer_id":1,"items":[{"product_id":4711,"quantity":1}]}""", 400, "no product 4711")]
    [InlineData("POST", "/orders", """{"customer_id":1,"items":[{"product_id":29,"quantity":1}]}""", 400, "no longer sold")]
    [InlineData("POST", "/orders", """{"customer_id":4711,"items":[{"product_id":1,"quantity":1}]}""", 400, "no customer 4711")]
    public async Task Bad_request_should_be_answered_with_one_clear_sentence(string method, string path, string? body, int status, string words)
    {
        using var answer = await SendAsync(new HttpMethod(method), path, body);
        ((int)answer.StatusCode).ShouldBe(status);
        using var document = JsonDocument.Parse(await answer.Content.ReadAsStringAsync());
        document.RootElement.GetProperty("error").GetString()!.ShouldContain(words);
    }

    [Fact]
    public async Task Page_should_come_from_one_file_without_foreign_assets()
    {
        string page = await http.GetStringAsync("/");
        page.ShouldContain("<title>");
        page.ShouldNotContain("http://");
        page.ShouldNotContain("https://");
    }

    Task<HttpResponseMessage> SendAsync(HttpMethod method, string path, string? body) =>
        http.SendAsync(new HttpRequestMessage(method, path) { Content = body is null ? null : new StringContent(body, Encoding.UTF8, "application/json") });

    async Task ResetAsync()
    {
        await using var command = new Npgsql.NpgsqlCommand("DELETE FROM orders WHERE id > 150", shop.Postgres);
        await command.ExecuteNonQueryAsync();
        await shop.ProjectAsync();
    }
}
