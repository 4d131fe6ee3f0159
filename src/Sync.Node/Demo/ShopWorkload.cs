using System.Globalization;
using Npgsql;

namespace Sync.Node.Demo;

/// <summary>
/// What customers and clerks do: an endless sequence of changes, each chosen by looking at the rows as they are. The same
/// seed gives the same choices as long as nobody else changes the rows.
/// </summary>
sealed class ShopWorkload(NpgsqlConnection postgres, int seed)
{
    readonly Random random = new(seed);
    int turn;

    static readonly string[] Cities = ["Berlin", "Kraków", "Ōsaka", "São Paulo", "L'Aquila", "Tromsø"];
    static readonly string[] Categories = ["kitchen", "office", "garden", "outdoor", "living", "clearance: all \"must go\""];

    /// <summary>The next change; the kinds follow each other in turns, so that a short run has seen all of them.</summary>
    public async Task<ShopChange> NextAsync(CancellationToken ct)
    {
        while (true)
        {
            var change = (turn++ % 16) switch
            {
                0 or 5 or 9 => await PriceAsync(ct),
                1 or 7 => await NewOrderAsync(ct),
                2 or 10 => await StatusAsync(ct),
                3 => await StockAsync(ct),
                4 => await CustomerCityAsync(ct),
                6 => await CategoryAsync(ct),
                8 => await CustomerNumberAsync(ct),
                11 => await OrderMovesAsync(ct),
                12 => await ItemMovesAsync(ct),
                13 => await CartAsync(ct),
                14 => await DescriptionAsync(ct),
                _ => await DeleteOrderAsync(ct),
            };
            if (change is not null) return change;
        }
    }

    async Task<ShopChange?> PriceAsync(CancellationToken ct)
    {
        if (await PickAsync("id::text, name", "products WHERE id <= 80", "id", ct) is not [var id, var name]) return null;
        string price = Number(random.Next(300, 30000) / 100m, "0.00");
        return new("price", $"{name} (product {id}) now costs", $"UPDATE products SET price = {price}, updated_at = clock_timestamp() WHERE id = {id}", ["GET", $"product:{id}"], price, "price");
    }

    async Task<ShopChange?> DescriptionAsync(CancellationToken ct)
    {
        if (await PickAsync("id::text, (description IS NULL)::text", "products WHERE id <= 80", "id", ct) is not [var id, var isNull]) return null;
        string text = $"New \"{random.Next(1000)}\"\r\n{{braces}} \\ and tabs\t€";
        return isNull == "true"
            ? new("text", $"product {id} gets a description", $"UPDATE products SET description = {Quote(text)} WHERE id = {id}", ["GET", $"product:{id}"], text, "description")
            : new("NULL", $"product {id} loses its description", $"UPDATE products SET description = NULL WHERE id = {id}", ["GET", $"product:{id}"], "null", "description");
    }

    async Task<ShopChange?> CategoryAsync(CancellationToken ct)
    {
        if (await PickAsync("id::text, category", "products WHERE id <= 80", "id", ct) is not [var id, var old]) return null;
        string category = Categories.Where(name => name != old).ElementAt(random.Next(Categories.Length - 1));
        return new(
            "key move", $"product {id} moves to {category}, its presence there is", $"UPDATE products SET category = {Quote(category)}, discontinued = NOT discontinued WHERE id = {id}",
            ["SISMEMBER", $"category:{category}", id], "1");
    }

    async Task<ShopChange?> StockAsync(CancellationToken ct)
    {
        if (await PickAsync("product_id::text, warehouse", "stock WHERE product_id <= 80", "product_id, warehouse", ct) is not [var product, var warehouse]) return null;
        int quantity = random.Next(0, 90);
        string elsewhere = warehouse == "osaka: north" ? "berlin" : "osaka: north";
        string where = $"product_id = {product} AND warehouse = {Quote(warehouse)}";
        if (random.Next(3) > 0)
            return new("stock", $"stock of product {product} in {warehouse}", $"UPDATE stock SET quantity = {quantity} WHERE {where}", ["GET", $"stock:{product}:{warehouse}"], Number(quantity));
        return new(
            "key move", $"stock of product {product} moves from {warehouse} to {elsewhere}",
            $"DELETE FROM stock WHERE product_id = {product} AND warehouse = {Quote(elsewhere)}; UPDATE stock SET warehouse = {Quote(elsewhere)}, quantity = {quantity} WHERE {where}",
            ["GET", $"stock:{product}:{elsewhere}"], Number(quantity));
    }

    async Task<ShopChange?> CustomerCityAsync(CancellationToken ct)
    {
        if (await PickAsync("id::text, name", "customers", "id", ct) is not [var id, var name]) return null;
        string? city = random.Next(4) switch { 0 => null, 1 => "", _ => Cities[random.Next(Cities.Length)] };
        return new(
            city is null ? "NULL" : "text", $"{name} (customer {id}) lives in", $"UPDATE customers SET city = {Quote(city)}, vip = NOT vip WHERE id = {id}",
            ["HGET", $"public.customers:{id}", "city"], city);
    }

    async Task<ShopChange?> CustomerNumberAsync(CancellationToken ct)
    {
        if (await PickAsync("id::text, name", "customers", "id", ct) is not [var id, var name]) return null;
        string next = Number(await ScalarAsync("SELECT nextval(pg_get_serial_sequence('customers', 'id'))", ct));
        return new("key move", $"customer {id} becomes customer {next}, named", $"UPDATE customers SET id = {next} WHERE id = {id}", ["HGET", $"public.customers:{next}", "name"], name);
    }

    async Task<ShopChange?> NewOrderAsync(CancellationToken ct)
    {
        if (await PickAsync("id::text", "customers", "id", ct) is not [var customer]) return null;
        if (await PickAsync("id::text, price::text", "products WHERE id <= 80", "id", ct) is not [var first, var firstPrice]) return null;
        if (await PickAsync("id::text, price::text", "products WHERE id <= 80", "id", ct) is not [var second, var secondPrice]) return null;
        string id = Number(await ScalarAsync("SELECT nextval(pg_get_serial_sequence('orders', 'id'))", ct));
        int count = random.Next(1, 5);
        string total = Number((count * Money(firstPrice)) + Money(secondPrice), "0.00");
        string sql = $"""
            INSERT INTO orders (id, customer_id, total, note) VALUES ({id}, {customer}, {total}, {(count == 1 ? "NULL" : "'Leave it at No. ' || " + count)});
            INSERT INTO order_items (order_id, line, product_id, quantity, unit_price) VALUES ({id}, 1, {first}, {count}, {firstPrice}), ({id}, 2, {second}, 1, {secondPrice})
            """;
        return new("new order", $"order {id} of customer {customer} over", sql, ["HGET", $"order:{id}", "total"], total);
    }

    async Task<ShopChange?> StatusAsync(CancellationToken ct)
    {
        const string Next = "CASE status WHEN 'new' THEN 'paid' WHEN 'paid' THEN 'packed' WHEN 'packed' THEN 'shipped' ELSE 'delivered' END";
        if (await PickAsync($"id::text, status::text, {Next}", "orders WHERE status NOT IN ('delivered', 'cancelled')", "id", ct) is not [var id, var status, var next]) return null;
        string shipped = next == "shipped" ? ", shipped_at = clock_timestamp()" : "";
        return new("status", $"order {id} was {status} and is", $"UPDATE orders SET status = '{next}', note = NULLIF(note, ''){shipped} WHERE id = {id}", ["HGET", $"order:{id}", "status"], next);
    }

    async Task<ShopChange?> OrderMovesAsync(CancellationToken ct)
    {
        if (await PickAsync("id::text, customer_id::text", "orders", "id", ct) is not [var id, var owner]) return null;
        if (await PickAsync("id::text", $"customers WHERE id <> {owner}", "id", ct) is not [var customer]) return null;
        return new(
            "key move", $"order {id} goes to customer {customer}, its presence there is", $"UPDATE orders SET customer_id = {customer}, total = total + 1.25 WHERE id = {id}",
            ["SISMEMBER", $"customer-orders:{customer}", id], "1");
    }

    async Task<ShopChange?> ItemMovesAsync(CancellationToken ct)
    {
        if (await PickAsync("order_id::text, line::text, product_id::text", "order_items WHERE line < 30000", "order_id, line", ct) is not [var order, var line, var old]) return null;
        if (await PickAsync("id::text", $"products WHERE id <= 80 AND id <> {old}", "id", ct) is not [var product]) return null;
        int next = int.Parse(line, CultureInfo.InvariantCulture) + 50;
        return new(
            "key move", $"line {line} of order {order} becomes {next}, with product",
            $"UPDATE order_items SET line = {next}, product_id = {product}, quantity = quantity + 1 WHERE order_id = {order} AND line = {line}",
            ["HGET", $"order-items:{order}", Number(next)], product, "product_id");
    }

    async Task<ShopChange?> CartAsync(CancellationToken ct)
    {
        if (await PickAsync("id::text", "carts", "id", ct) is not [var id]) return null;
        if (random.Next(4) == 0) return new("delete", $"cart {id[..8]}… is", $"DELETE FROM carts WHERE id = '{id}'", ["GET", $"cart:{id}"], null);
        string coupon = $"SAVE-{random.Next(100)}";
        string sql = $$"""
            UPDATE carts SET coupon = '{{coupon}}', items = items || jsonb_build_array(jsonb_build_object('product', {{random.Next(1, 81)}}, 'quantity', 1)), updated_at = clock_timestamp() WHERE id = '{{id}}';
            INSERT INTO carts (id, coupon) VALUES (gen_random_uuid(), NULL)
            """;
        return new("cart", $"cart {id[..8]}… has the coupon", sql, ["GET", $"cart:{id}"], coupon, "coupon");
    }

    async Task<ShopChange?> DeleteOrderAsync(CancellationToken ct)
    {
        if (await PickAsync("id::text", "orders WHERE status IN ('delivered', 'cancelled')", "id", ct) is not [var id]) return null;
        return new("delete", $"order {id} and its lines are", $"DELETE FROM orders WHERE id = {id}", ["HGET", $"order:{id}", "total"], null);
    }

    /// <summary>The columns of one row, drawn here and not by the server, so that a seed repeats a run; null when there is none.</summary>
    async Task<string[]?> PickAsync(string columns, string from, string order, CancellationToken ct)
    {
        long count = await ScalarAsync($"SELECT count(*) FROM {from}", ct);
        if (count == 0) return null;
        await using var command = new NpgsqlCommand($"SELECT {columns} FROM {from} ORDER BY {order} OFFSET {random.NextInt64(count)} LIMIT 1", postgres);
        await using var reader = await command.ExecuteReaderAsync(ct);
        if (!await reader.ReadAsync(ct)) return null;
        return [.. Enumerable.Range(0, reader.FieldCount).Select(reader.GetString)];
    }

    async Task<long> ScalarAsync(string sql, CancellationToken ct)
    {
        await using var command = new NpgsqlCommand(sql, postgres);
        return (long)(await command.ExecuteScalarAsync(ct))!;
    }

    static string Quote(string? text) => text is null ? "NULL" : "'" + text.Replace("'", "''", StringComparison.Ordinal) + "'";

    static string Number(decimal value, string format = "0") => value.ToString(format, CultureInfo.InvariantCulture);

    static decimal Money(string text) => decimal.Parse(text, CultureInfo.InvariantCulture);
}
