using System.Net.Sockets;
using Npgsql;
using Shop;

// A shop that writes to PostgreSQL only. Every page has a twin under /cache that reads what ActorSync made of it in Redis.
// SHOP_POSTGRES is an Npgsql connection string, SHOP_REDIS is host:port, ASPNETCORE_URLS says where to listen.
var builder = WebApplication.CreateSlimBuilder(args);
builder.WebHost.ConfigureKestrel(kestrel => kestrel.Limits.MaxRequestBodySize = 64 * 1024);
builder.Logging.SetMinimumLevel(LogLevel.Warning);
string postgres = builder.Configuration["SHOP_POSTGRES"] ?? "Host=localhost;Database=shop;Username=postgres";
string[] redis = (builder.Configuration["SHOP_REDIS"] ?? "localhost:6379").Split(':');
if (redis.Length != 2 || !ushort.TryParse(redis[1], out ushort port))
{
    Console.Error.WriteLine("SHOP_REDIS has to be host:port, for example localhost:6379.");
    return 2;
}
await using var database = NpgsqlDataSource.Create(postgres + ";Options=-c timezone=UTC");
using var cache = new RedisPool(redis[0], port);
var shop = new ShopDatabase(database);
var twins = new ShopCache(cache);

var app = builder.Build();
app.Use(async (context, next) =>
{
    try { await next(context); }
    catch (ShopException e) { await Answers.Error(e.Status, e.Message).ExecuteAsync(context); }
    catch (BadHttpRequestException e) { await Answers.Error(e.StatusCode, e.Message).ExecuteAsync(context); }
    catch (NpgsqlException e) when (e is not PostgresException) { await Answers.Error(503, "PostgreSQL does not answer; try again soon.").ExecuteAsync(context); }
    catch (Exception e) when (e is IOException or SocketException) { await Answers.Error(503, "Redis does not answer; try again soon.").ExecuteAsync(context); }
});

string page = Path.Combine(AppContext.BaseDirectory, "index.html");
app.MapGet("/", () => Results.File(page, "text/html; charset=utf-8"));

app.MapGet("/products", async (string? limit, CancellationToken ct) => Answers.Json(await shop.ProductsAsync(Input.Limit(limit), ct)));
app.MapGet("/products/{id}", async (string id, CancellationToken ct) => Answers.Json(await shop.ProductAsync(Input.Id(id), ct)));
app.MapPatch("/products/{id}", async (string id, string? wait, HttpContext http, CancellationToken ct) =>
{
    if (wait is not (null or "redis")) throw new ShopException(400, "wait can only be 'redis'.");
    int number = Input.Id(id);
    string product = await shop.PatchProductAsync(number, Input.ProductPatch(await Input.BodyAsync(http.Request, ct)), ct);
    if (wait is not null)
    {
        double? lag = await twins.WaitForProductAsync(number, product, ct);
        http.Response.Headers["Redis-Lag-Ms"] = lag is { } ms ? FormattableString.Invariant($"{ms:0.00}") : "none";
    }
    return Answers.Json(product);
});
app.MapPost("/orders", async (HttpContext http, CancellationToken ct) =>
{
    long order = await shop.PlaceOrderAsync(Input.Order(await Input.BodyAsync(http.Request, ct)), ct);
    http.Response.Headers.Location = $"/orders/{order}";
    return Answers.Json(await shop.OrderAsync(order, ct), 201);
});
app.MapGet("/orders/{id}", async (string id, CancellationToken ct) => Answers.Json(await shop.OrderAsync(Input.Id(id), ct)));

app.MapGet("/cache/products", async (string? limit, CancellationToken ct) => Answers.Json(await twins.ProductsAsync(Input.Limit(limit), ct)));
app.MapGet("/cache/products/{id}", async (string id, CancellationToken ct) => Answers.Json(await twins.ProductAsync(Input.Id(id), ct)));
app.MapGet("/cache/orders/{id}", async (string id, CancellationToken ct) => Answers.Json(await twins.OrderAsync(Input.Id(id), ct)));
app.MapGet("/cache/bestsellers", async (CancellationToken ct) => Answers.Json(await twins.BestsellersAsync(ct)));

await app.RunAsync();
return 0;
