using Npgsql;

namespace Shop;

/// <summary>The shop's statements. Documents come as PostgreSQL builds them, in the shape their twins have in Redis.</summary>
sealed class ShopDatabase(NpgsqlDataSource database)
{
    const string Product = """
        json_build_object('id', id, 'sku', sku, 'name', name, 'category', category, 'price', price, 'weight_kg', weight_kg, 'tags', tags, 'attributes', attributes,
            'description', description, 'discontinued', discontinued, 'updated_at', to_char(updated_at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))
        """;

    /// <summary>The cheapest first; the same price in the order a sorted set of Redis has.</summary>
    public async Task<string> ProductsAsync(int limit, CancellationToken ct) => (await DocumentAsync(
        $"SELECT coalesce(json_agg(product), '[]')::text FROM (SELECT {Product} AS product FROM products ORDER BY price, id::text COLLATE \"C\" LIMIT $1) AS list", ct, limit))!;

    public async Task<string> ProductAsync(int id, CancellationToken ct) =>
        await DocumentAsync($"SELECT {Product}::text FROM products WHERE id = $1", ct, id) ?? throw new ShopException(404, $"There is no product {id}.");

    public async Task<string> PatchProductAsync(int id, ProductPatch patch, CancellationToken ct) => await DocumentAsync(
        $"""
        UPDATE products SET price = coalesce($2::numeric, price), name = coalesce($3::text, name), category = coalesce($4::text, category),
            discontinued = coalesce($5::boolean, discontinued), updated_at = clock_timestamp()
        WHERE id = $1 RETURNING {Product}::text
        """, ct, id, patch.Price, patch.Name, patch.Category, patch.Discontinued) ?? throw new ShopException(404, $"There is no product {id}.");

    /// <summary>Writes the order and its lines in one transaction, at the prices of this moment, and returns its number.</summary>
    public async Task<long> PlaceOrderAsync(NewOrder order, CancellationToken ct)
    {
        await using var connection = await database.OpenConnectionAsync(ct);
        await using var transaction = await connection.BeginTransactionAsync(ct);
        int[] products = [.. order.Lines.Select(line => line.ProductId)], quantities = [.. order.Lines.Select(line => line.Quantity)];
        // The rows are locked in the order of their numbers, so that two orders of the same products can't block each other.
        await using (var known = new NpgsqlCommand("SELECT id, name, discontinued FROM products WHERE id = ANY ($1) ORDER BY id FOR SHARE", connection, transaction) { Parameters = { new() { Value = products } } })
        {
            var found = new HashSet<int>();
            await using var reader = await known.ExecuteReaderAsync(ct);
            while (await reader.ReadAsync(ct))
            {
                if (reader.GetBoolean(2)) throw new ShopException(400, $"Product {reader.GetInt32(0)} ({reader.GetString(1)}) is no longer sold.");
                found.Add(reader.GetInt32(0));
            }
            if (products.FirstOrDefault(id => !found.Contains(id)) is var missing and not 0) throw new ShopException(400, $"There is no product {missing}.");
        }
        const string Insert = """
            WITH lines AS (SELECT l.line, l.product_id, l.quantity, p.price FROM unnest($3::integer[], $4::integer[]) WITH ORDINALITY AS l (product_id, quantity, line) JOIN products p ON p.id = l.product_id),
                 placed AS (INSERT INTO orders (customer_id, note, total) SELECT $1, $2, sum(quantity * price) FROM lines RETURNING id),
                 written AS (INSERT INTO order_items (order_id, line, product_id, quantity, unit_price) SELECT placed.id, line, product_id, quantity, price FROM placed, lines)
            SELECT id FROM placed
            """;
        await using var insert = new NpgsqlCommand(Insert, connection, transaction);
        foreach (object? value in (object?[])[order.CustomerId, order.Note, products, quantities]) insert.Parameters.Add(Parameter(value));
        try
        {
            long id = (long)(await insert.ExecuteScalarAsync(ct))!;
            await transaction.CommitAsync(ct);
            return id;
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.ForeignKeyViolation) { throw new ShopException(400, $"There is no customer {order.CustomerId}."); }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.NumericValueOutOfRange) { throw new ShopException(400, "The order's total is too large."); }
    }

    public async Task<string> OrderAsync(long id, CancellationToken ct) => await DocumentAsync(
        """
        SELECT json_build_object('id', id, 'customer_id', customer_id, 'status', status, 'total', total, 'note', note,
            'placed_at', to_char(placed_at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), 'shipped_at', to_char(shipped_at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
            'items', (SELECT coalesce(json_agg(json_build_object('line', line, 'product_id', product_id, 'quantity', quantity, 'unit_price', unit_price) ORDER BY line), '[]') FROM order_items WHERE order_id = o.id))::text
        FROM orders o WHERE id = $1
        """, ct, id) ?? throw new ShopException(404, $"There is no order {id}.");

    async Task<string?> DocumentAsync(string sql, CancellationToken ct, params object?[] values)
    {
        await using var command = database.CreateCommand(sql);
        foreach (object? value in values) command.Parameters.Add(Parameter(value));
        return (string?)await command.ExecuteScalarAsync(ct);
    }

    static NpgsqlParameter Parameter(object? value) => new() { Value = value ?? DBNull.Value };
}
