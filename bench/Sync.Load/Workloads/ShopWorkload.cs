namespace Sync.Load.Workloads;

/// <summary>
/// The mapping of examples/shop, four to six commands a row: products become documents, members of sets and scores, and some move to another
/// category; orders become hashes, members, sums and messages. All rows are sent with their old values.
/// </summary>
sealed class ShopWorkload : Workload
{
    const int perTransaction = 20, customers = 5000;

    readonly int products, moved, orders, changed, deleted;

    /// <param name="rows">About how many row changes; rounded down to whole transactions.</param>
    public ShopWorkload(int rows)
    {
        int unit = rows / 100 / perTransaction * perTransaction;
        if (unit == 0) throw LoadOptions.Wrong($"{rows} rows are too few for this workload");
        (products, moved, orders, changed, deleted) = (20 * unit, 10 * unit, 25 * unit, 20 * unit, 5 * unit);
    }

    public override string Name => "shop";

    public override int Rows => products + products + moved + orders + changed + deleted;

    public override int ChangeSets => Rows + moved;

    public override string Publication => "shop_pub";

    public override IReadOnlyList<string> Schema =>
    [
        File.ReadAllText(Repository.At("examples", "shop", "schema.sql")),
        "alter table orders disable trigger order_event",
        $"insert into customers(id, email, name, country) select g, 'user'||g||'@example.com', 'User Name '||g, 'DE' from generate_series(1, {customers}) g",
        $"create publication {Publication} for table customers, products, stock, orders, order_items, carts, order_events",
    ];

    public override IReadOnlyList<string> Changes =>
    [
        Loop(products, """
            insert into products(id, sku, name, category, price, weight_kg, tags, attributes, description, updated_at)
              select g, 'SKU-'||g, 'Product '||g, (array['kitchen','office','garden','outdoor','living'])[1+g%5], 1+(g::bigint*7919%100000)/100.0, g%90/10.0,
                array['everyday'], jsonb_build_object('color', 'walnut', 'warrantyMonths', 12*(1+g%3)), 'Made to last.',
                '2026-01-01 00:00:00.123456+00'::timestamptz + g*interval '1 second'
              from generate_series(first, last) g
            """),
        Loop(products, "update products set price=price+1.5, updated_at=updated_at+interval '1 day' where id between first and last"),
        Loop(moved, "update products set category='outlet', updated_at=updated_at+interval '1 day' where id between first and last"),
        Loop(orders, $"""
            insert into orders(id, customer_id, status, total, placed_at)
              select g, 1+g%{customers}, 'new', (g::bigint*7919%100000)/100.0, '2026-02-01 00:00:00.654321+00'::timestamptz + g*interval '1 second'
              from generate_series(first, last) g
            """),
        Loop(changed, "update orders set status=case when id%2=0 then 'paid' else 'shipped' end::order_status where id between first and last"),
        Loop(deleted, "delete from orders where id between first and last"),
    ];

    static string Loop(int rows, string statement) => $"""
        do $$ declare first bigint; last bigint; begin for i in 0..{rows / perTransaction - 1} loop
          first := i*{perTransaction}+1; last := (i+1)*{perTransaction};
          {statement};
          commit; end loop; end $$
        """;

    // Besides a key per row: a set per category, the prices, the sums, a set per customer who has orders, the open orders. Nothing is discontinued.
    public override string KeyCount => """
        select (select count(*) + count(distinct category) from products) + 1 + (select count(*) + count(distinct customer_id) from orders) + 1 + 1
        """;

    public override string Sample => $"""
        select 'order:'||i, case when o.id is not null then array['id', o.id::text, 'customer_id', o.customer_id::text, 'status', o.status::text,
          'total', o.total::text, 'placed_at', o.placed_at::text] end
        from generate_series(1, {orders}, {Math.Max(1, orders / 500)}) i left join orders o on o.id = i
        """;

    public override string Tables
    {
        get
        {
            string config = File.ReadAllText(Repository.At("examples", "shop", "config.yaml")).ReplaceLineEndings("\n");
            const string head = "\ntables:\n";
            return config[(config.IndexOf(head, StringComparison.Ordinal) + head.Length)..];
        }
    }
}
