using System.Data;
using System.Globalization;
using Npgsql;

namespace Sync.Node.Demo;

/// <summary>
/// What Redis must hold, computed from the shop's tables alone: examples/shop/config.yaml said once more, in SQL and in
/// code that shares nothing with the engine.
/// </summary>
static class ExpectedShop
{
    static readonly HashSet<string> Open = ["new", "paid", "packed"];

    /// <summary>Reads all tables in one snapshot. The connection's time zone must be UTC.</summary>
    public static async Task<Dictionary<string, ShopValue>> ComputeAsync(NpgsqlConnection connection, CancellationToken ct)
    {
        await using var transaction = await connection.BeginTransactionAsync(IsolationLevel.RepeatableRead, ct);
        var expected = new Dictionary<string, ShopValue>();
        foreach (var row in await RowsAsync(connection, "customers", ct)) expected[$"public.customers:{row["id"]}"] = Pairs(row);
        await AddProductsAsync(connection, expected, ct);
        await AddStockAsync(connection, expected, ct);
        await AddOrdersAsync(connection, expected, ct);
        await AddOrderItemsAsync(connection, expected, ct);
        await AddCartsAsync(connection, expected, ct);
        var events = await RowsAsync(connection, "order_events", ct);
        if (events.Count > 0) expected["order-events"] = new StreamValue([.. events.Select(row => Pairs(row).Fields)], "order_id");
        return expected;
    }

    static async Task AddProductsAsync(NpgsqlConnection connection, Dictionary<string, ShopValue> expected, CancellationToken ct)
    {
        const string Sql = """
            SELECT id::text, category, price::text, discontinued::text,
                   json_build_object('id', id, 'sku', sku, 'name', name, 'category', category, 'price', price, 'weight_kg', weight_kg, 'tags', tags,
                       'attributes', attributes, 'description', description, 'discontinued', discontinued,
                       'updated_at', to_char(updated_at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))::text AS json
            FROM products ORDER BY id
            """;
        var byPrice = new Dictionary<string, double>();
        var sets = new Dictionary<string, HashSet<string>>();
        foreach (var row in await QueryAsync(connection, Sql, ct))
        {
            string id = row["id"]!;
            expected[$"product:{id}"] = new JsonValue(row["json"]!);
            byPrice[id] = double.Parse(row["price"]!, CultureInfo.InvariantCulture);
            AddTo(sets, $"category:{row["category"]}", id);
            if (row["discontinued"] == "true") AddTo(sets, "products:discontinued", id);
        }
        if (byPrice.Count > 0) expected["products:by-price"] = new RankingValue(byPrice);
        AddSets(expected, sets);
    }

    static async Task AddStockAsync(NpgsqlConnection connection, Dictionary<string, ShopValue> expected, CancellationToken ct)
    {
        foreach (var row in await RowsAsync(connection, "stock", ct))
            expected[$"stock:{row["product_id"]}:{row["warehouse"]}"] = new TextValue(row["quantity"]!);
        foreach (var row in await QueryAsync(connection, "SELECT product_id::text, sum(quantity)::text FROM stock GROUP BY product_id", ct))
            expected[$"stock-total:{row["product_id"]}"] = new CounterValue(long.Parse(row["sum"]!, CultureInfo.InvariantCulture));
    }

    static async Task AddOrdersAsync(NpgsqlConnection connection, Dictionary<string, ShopValue> expected, CancellationToken ct)
    {
        var revenue = new Dictionary<string, decimal>();
        var open = new Dictionary<string, double>();
        var sets = new Dictionary<string, HashSet<string>>();
        foreach (var row in await RowsAsync(connection, "orders", ct))
        {
            string id = row["id"]!, customer = row["customer_id"]!;
            expected[$"order:{id}"] = Pairs(row);
            AddTo(sets, $"customer-orders:{customer}", id);
            revenue[customer] = revenue.GetValueOrDefault(customer) + decimal.Parse(row["total"]!, CultureInfo.InvariantCulture);
            if (Open.Contains(row["status"]!)) open[id] = long.Parse(id, CultureInfo.InvariantCulture);
        }
        expected["revenue"] = new SumsValue(revenue);
        if (open.Count > 0) expected["orders:open"] = new RankingValue(open);
        AddSets(expected, sets);
    }

    static async Task AddOrderItemsAsync(NpgsqlConnection connection, Dictionary<string, ShopValue> expected, CancellationToken ct)
    {
        const string Sql = """
            SELECT order_id::text, line::text, product_id::text, quantity::text,
                   json_build_object('line', line, 'product_id', product_id, 'quantity', quantity, 'unit_price', unit_price)::text AS json
            FROM order_items
            """;
        var lines = new Dictionary<string, Dictionary<string, string>>();
        var sold = new Dictionary<string, double>();
        foreach (var row in await QueryAsync(connection, Sql, ct))
        {
            string key = $"order-items:{row["order_id"]}", product = row["product_id"]!;
            if (!lines.TryGetValue(key, out var fields)) lines[key] = fields = [];
            fields[row["line"]!] = row["json"]!;
            sold[product] = sold.GetValueOrDefault(product) + long.Parse(row["quantity"]!, CultureInfo.InvariantCulture);
        }
        foreach (var (key, fields) in lines) expected[key] = new JsonHashValue(fields);
        foreach (var (product, count) in sold) expected[$"sold:{product}"] = new CounterValue((long)count);
        expected["bestsellers"] = new RankingValue(sold, IsSum: true);
    }

    static async Task AddCartsAsync(NpgsqlConnection connection, Dictionary<string, ShopValue> expected, CancellationToken ct)
    {
        const string Sql = """
            SELECT id::text, json_build_object('id', id, 'customer_id', customer_id, 'items', items, 'coupon', coupon,
                       'updated_at', to_char(updated_at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))::text AS json
            FROM carts
            """;
        foreach (var row in await QueryAsync(connection, Sql, ct))
            expected[$"cart:{row["id"]}"] = new JsonValue(row["json"]!) { MaxTtl = TimeSpan.FromMinutes(35) };
    }

    /// <summary>All rows of a table, each column as PostgreSQL's text, booleans as true and false.</summary>
    static async Task<List<Dictionary<string, string?>>> RowsAsync(NpgsqlConnection connection, string table, CancellationToken ct)
    {
        string columns = (await QueryAsync(
            connection, $"SELECT string_agg(format('%1$I::text AS %1$I', attname), ', ' ORDER BY attnum) AS list FROM pg_attribute WHERE attrelid = '{table}'::regclass AND attnum > 0 AND NOT attisdropped", ct))[0]["list"]!;
        // The stream's order is that of the rows' numbers.
        return await QueryAsync(connection, $"SELECT {columns} FROM {table} ORDER BY {table}.{(table is "stock" ? "product_id" : "id")}", ct);
    }

    static async Task<List<Dictionary<string, string?>>> QueryAsync(NpgsqlConnection connection, string sql, CancellationToken ct)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        await using var reader = await command.ExecuteReaderAsync(ct);
        var rows = new List<Dictionary<string, string?>>();
        while (await reader.ReadAsync(ct))
        {
            var row = new Dictionary<string, string?>();
            for (int i = 0; i < reader.FieldCount; i++) row[reader.GetName(i)] = reader.IsDBNull(i) ? null : reader.GetString(i);
            rows.Add(row);
        }
        return rows;
    }

    static HashValue Pairs(Dictionary<string, string?> row) =>
        new(row.Where(column => column.Value is not null).ToDictionary(column => column.Key, column => column.Value!));

    static void AddTo(Dictionary<string, HashSet<string>> sets, string key, string member)
    {
        if (!sets.TryGetValue(key, out var members)) sets[key] = members = [];
        members.Add(member);
    }

    static void AddSets(Dictionary<string, ShopValue> expected, Dictionary<string, HashSet<string>> sets)
    {
        foreach (var (key, members) in sets) expected[key] = new SetValue(members);
    }
}
