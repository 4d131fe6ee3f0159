using Sync.Contracts.Configuration;

namespace Sync.Node.Tests.Hosting;

/// <summary>Configuration files as users of pg2redis write them, run unchanged, their content in Redis checked to the last key.</summary>
[Collection(ServersCollection.Name)]
public class ReferenceFilesTests(Servers servers)
{
    async Task RunAsync(Pipeline pipeline, string yaml, params (string Name, string Value)[] environment)
    {
        var variables = environment.ToDictionary(v => v.Name, v => v.Value);
        variables["PG2REDIS_POSTGRES_CONN_HOST"] = "127.0.0.1";
        variables["PG2REDIS_POSTGRES_CONN_PORT"] = $"{servers.Postgres.Port}";
        variables["PG2REDIS_POSTGRES_CONN_DATABASE"] = pipeline.Database;
        variables["PG2REDIS_POSTGRES_REPL_SLOT"] = pipeline.Slot;
        variables["PG2REDIS_REDIS_CONN_HOST"] = "127.0.0.1";
        variables["PG2REDIS_REDIS_CONN_PORT"] = $"{servers.Redis.Port}";
        await pipeline.StartNodeAsync(ConfigLoader.Load(null, variables, "/app", path => path == "/app/config.yaml" ? yaml : null));
    }

    [Fact]
    public async Task A_webshop_should_find_its_caches_indexes_and_events()
    {
        await using var pipeline = await Pipeline.PrepareAsync(servers, """
            create table products(id bigserial primary key, sku text not null unique, name text, category text, price numeric(10, 2), stock int, active boolean not null default true, attributes jsonb);
            create table order_items(order_id bigint, line int, product_id bigint, quantity int, unit_price numeric(10, 2), primary key (order_id, line));
            alter table products replica identity full;
            alter table order_items replica identity full;
            insert into products(sku, name, category, price, stock, attributes) values ('A-1', 'Anvil', 'tools', 99.90, 3, '{"kg": 50}'), ('B-2', 'Book', 'media', 12.00, 0, null), ('C-3', 'Cup', 'home', 4.5, 7, '[]');
            """);
        await RunAsync(pipeline, """
            flushInterval: 100ms
            flushBufferSize: 500
            flushWorkers: 2
            writeTimeout: 5s
            shutdownTimeout: 10s
            statsInterval: 30s
            retryPolicy:
              maxRetries: 5
              initialBackoff: 100ms
              multiplier: 2
              jitter: 0.1
              maxBackoff: 5s
            postgres:
              conn:
                host: will-be-overridden
                port: 5432
                database: shop
                user: postgres
              repl:
                pub: shop_pub
                slot: shop_slot
                owner: app
              numericMode: string
            redis:
              conn:
                host: will-be-overridden
                port: 6379
                database: 0
            snapshot:
              mode: onetime
              batchSize: 100
              parallelWorkers: 2
              config:
                - name: public.products
                  type: query
                  query: active
            tables:
              - public.products:
                  insert:
                    commands:
                      - ["HSET", "product:{id}", "{pairs:sku,name,category,price,stock}"]
                      - ["SET", "product:sku:{sku}", "{id}"]
                      - ["SADD", "category:{category}", "{id}"]
                      - command: ["SADD", "products:available", "{id}"]
                        condition:
                          column: stock
                          op: ">"
                          value: 0
                  update:
                    commands:
                      - ["HSET", "product:{id}", "{pairs:sku,name,category,price,stock}"]
                      - command:
                          - ["SREM", "category:{old:category}", "{id}"]
                          - ["SADD", "category:{category}", "{id}"]
                        condition: { column: category, op: is_distinct_from, value: "{old:category}" }
                      - command: ["SADD", "products:available", "{id}"]
                        condition: { column: stock, op: ">", value: "0" }
                      - command: ["SREM", "products:available", "{id}"]
                        condition: { column: stock, op: "<=", value: "0" }
                      - command:
                          - ["XADD", "price-changes", "MAXLEN", "~", "10000", "*", "id", "{id}", "from", "{old:price}", "to", "{price}", "by", "{diff:price}"]
                          - ["PUBLISH", "prices", "{json:id,price}"]
                        condition: { column: price, op: "<>", value: "{old:price}" }
                  delete:
                    commands:
                      - ["DEL", "product:{id}", "product:sku:{sku}"]
                      - ["SREM", "category:{category}", "{id}"]
                      - ["SREM", "products:available", "{id}"]
              - public.order_items:
                  insert:
                    commands:
                      - ["HSET", "order:{order_id}:{line}", "product", "{product_id}", "quantity", "{quantity}"]
                      - ["ZINCRBY", "bestsellers", "{quantity}", "{product_id}"]
                  update:
                    commands:
                      - ["HSET", "order:{order_id}:{line}", "quantity", "{quantity}"]
                      - ["ZINCRBY", "bestsellers", "{diff:quantity}", "{product_id}"]
                  delete:
                    commands:
                      - ["DEL", "order:{order_id}:{line}"]
            """);
        await pipeline.SqlAsync("insert into products(sku, name, category, price, stock) values ('D-4', 'Drum', 'media', 250, 1); update products set stock = 0 where sku = 'A-1'; update products set stock = 5, price = 10 where sku = 'B-2'");
        await pipeline.SqlAsync("update products set category = 'music' where sku = 'D-4'; delete from products where sku = 'C-3'; update products set name = null where sku = 'A-1'");
        await pipeline.SqlAsync("insert into order_items values (1, 1, 4, 2, 250), (1, 2, 2, 5, 10), (2, 1, 2, 1, 10); update order_items set quantity = 3 where order_id = 1 and line = 1; delete from order_items where order_id = 2");
        await pipeline.CaughtUpAsync();
        (await pipeline.ContentAsync()).ShouldBe([
            "bestsellers = (4:3, 2:6)", "category:media = (2)", "category:music = (4)", "category:tools = (1)",
            "order:1:1 = {product=4, quantity=3}", "order:1:2 = {product=2, quantity=5}", "price-changes = stream of 1",
            "product:1 = {category=tools, price=99.90, sku=A-1, stock=0}", "product:2 = {category=media, name=Book, price=10.00, sku=B-2, stock=5}",
            "product:4 = {category=music, name=Drum, price=250.00, sku=D-4, stock=1}", "product:sku:A-1 = 1", "product:sku:B-2 = 2", "product:sku:D-4 = 4", "products:available = (2, 4)"]);
        (await pipeline.StreamAsync("price-changes")).ShouldBe(["id=2 from=12.00 to=10.00 by=-2.00"]);
    }

    [Fact]
    public async Task Defaults_and_a_tenant_table_with_composite_keys_should_work_with_overrides()
    {
        await using var pipeline = await Pipeline.PrepareAsync(servers, """
            create schema crm;
            create table crm.contact(tenant uuid, id int, email text, tags text[], created timestamptz, primary key (tenant, id));
            create table settings(key text primary key, value text);
            create table audit(at timestamptz, who text, what text);
            create publication app for table crm.contact, settings, audit;
            insert into settings values ('theme', 'dark');
            """);
        await RunAsync(pipeline, """
            postgres: { conn: { user: postgres }, repl: { pub: app, slot: nope } }
            redis: { conn: { host: x }, commitTimeColumn: _committed }
            snapshot: { mode: never }
            tables:
              - crm.contact
              - settings:
                  commands:
                    - ["SET", "overridden", "{key}"]
              - audit:
                  insert:
                    commands:
                      - ["XADD", "audit:{who}", "*", "{pairs:*}"]
            """,
            ("PG2REDIS_T_0_NAME", "settings"),
            ("PG2REDIS_T_0_COMMANDS_0", @"SET/setting\/{key}/{value}"),
            ("PG2REDIS_T_0_COMMANDS_1_COMMAND_0", "HSET/settings/{key}/{json:key,value}"),
            ("PG2REDIS_T_0_COMMANDS_1_CONDITION_COLUMN", "value"),
            ("PG2REDIS_T_0_COMMANDS_1_CONDITION_OP", "is_not_null"),
            ("PG2REDIS_SNAPSHOT_MODE", "onetime"),
            ("PG2REDIS_FLUSHWORKERS", "3"));
        await pipeline.SqlAsync("""
            insert into crm.contact values ('a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 7, 'x@y', '{a,"b c"}', '2024-01-01 00:00Z');
            insert into settings values ('lang', 'de'), ('empty', null);
            update settings set value = 'light' where key = 'theme';
            delete from settings where key = 'lang';
            insert into audit values ('2024-01-02 00:00Z', 'bob', 'login'), (null, 'bob', null);
            """);
        await pipeline.CaughtUpAsync();
        string[] content = await pipeline.ContentAsync();
        content.Length.ShouldBe(5, string.Join('\n', content));
        content[0].ShouldBe("audit:bob = stream of 2");
        content[1].ShouldStartWith("crm.contact:a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11:7 = {_committed=20");
        content[1].ShouldEndWith("created=2024-01-01 00:00:00+00, email=x@y, id=7, tags={a,\"b c\"}, tenant=a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}");
        content[2..].ShouldBe(["setting/empty = ", "setting/theme = light", """settings = {theme={"key":"theme","value":"light"}}"""]);
        string[] audit = await pipeline.StreamAsync("audit:bob");
        audit[0].ShouldStartWith("at=2024-01-02 00:00:00+00 who=bob what=login _committed=20");
        audit[1].ShouldStartWith("who=bob _committed=20");
    }

    [Fact]
    public async Task Counters_conditions_and_sorted_sets_of_a_game_should_be_right()
    {
        await using var pipeline = await Pipeline.PrepareAsync(servers, """
            create type rank as enum ('bronze', 'silver', 'gold');
            create table players(id int primary key, nick text, country char(2), score bigint, rank rank, banned boolean, last_seen timestamp);
            alter table players replica identity full;
            insert into players select i, 'p' || i, case when i % 2 = 0 then 'de' else 'fr' end, i * 10, 'bronze', false, '2024-01-01' from generate_series(1, 4) i;
            """);
        await RunAsync(pipeline, """
            postgres: { conn: { user: postgres, database: x }, repl: { pub: game, slot: s, owner: app } }
            redis: { conn: { host: x } }
            tables:
              - players:
                  commands:
                    - command: ["ZADD", "leaders:{country}", "{score}", "{id}"]
                      condition: { column: banned, op: "=", value: "false" }
                    - ["HINCRBY", "totals", "score", "{diff:score}"]
                  update:
                    commands:
                      - command: ["ZREM", "leaders:{country}", "{id}"]
                        condition: { column: banned, op: "=", value: true }
                      - command: ["ZADD", "leaders:{country}", "{score}", "{id}"]
                        condition: { column: banned, op: "<>", value: "true" }
                      - ["HINCRBY", "totals", "score", "{diff:score}"]
                      - command: ["INCR", "promotions:{rank}"]
                        condition: { column: rank, op: not_in, values: ["bronze", "{old:rank}"] }
                      - command: ["APPEND", "sightings:{id}", "."]
                        condition: { column: last_seen, op: ">", value: "{old:last_seen}" }
                      - command: ["SETEX", "online:{id}", "300", "{nick}"]
                        condition: { column: last_seen, op: ">=", value: "2024-02-01" }
            """);
        await pipeline.SqlAsync("update players set score = score + 5 where id < 3; update players set banned = true where id = 2; update players set rank = 'gold' where id = 3; update players set rank = 'silver' where id in (3, 4); update players set rank = 'bronze' where id = 4");
        await pipeline.SqlAsync("update players set last_seen = '2024-01-02' where id = 1; update players set last_seen = '2024-02-01 00:00:00' where id = 1; update players set country = 'at', score = 1 where id = 4; delete from players where id = 3; insert into players values (5, 'p5', 'fr', -3, null, false, null), (6, 'p6', 'fr', 8, null, true, null)");
        await pipeline.CaughtUpAsync();
        (await pipeline.ContentAsync()).ShouldBe([
            "leaders:at = (4:1)", "leaders:fr = (5:-3, 1:15)", "online:1 = p1", "promotions:gold = 1", "promotions:silver = 2", "sightings:1 = ..", "totals = {score=46}"]);
        ((long)(await pipeline.ScalarAsync("select sum(score)::bigint from players"))!).ShouldBe(46);
    }
}
