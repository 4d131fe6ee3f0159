namespace Sync.Node.Tests.Hosting;

/// <summary>Updates that change keys: Redis ends with what PostgreSQL says, whatever the way there and however many writers there are.</summary>
[Collection(ServersCollection.Name)]
public class KeysTests(Servers servers)
{
    const string Hashes = "  - t";

    /// <summary>What the default mapping makes of table t (id, a, b), computed by SQL.</summary>
    const string Expected = """
        select format('public.t:%s = {%s}', id, concat_ws(', ', 'a=' || a, 'b=' || b, 'id=' || id)) from t
        """;

    static async Task AssertSame(Pipeline pipeline)
    {
        await pipeline.CaughtUpAsync();
        (await pipeline.ContentAsync()).ShouldBe(await pipeline.LinesAsync(Expected));
        pipeline.Host.Status.DeadLetters.ShouldBe(0);
    }

    async Task<Pipeline> StartAsync(int workers, string schema, string tables)
    {
        var pipeline = await Pipeline.PrepareAsync(servers, schema);
        pipeline.Workers = workers;
        await pipeline.StartNodeAsync(tables);
        return pipeline;
    }

    [Theory]
    [InlineData(1)]
    [InlineData(8)]
    public async Task Chains_of_primary_keys_should_end_at_the_last_one(int workers)
    {
        await using var pipeline = await StartAsync(workers, "create table t(id text primary key, a int, b text)", Hashes);
        await pipeline.SqlAsync("insert into t select 'r' || i, i, 'x' from generate_series(1, 40) i");
        await pipeline.SqlAsync("update t set id = 'b' || a; update t set id = 'c' || a, b = null where a % 2 = 0; update t set id = 'd' || a where a % 4 = 0");
        await pipeline.SqlAsync("begin; update t set id = 'e' || a where a < 10; update t set id = 'f' || a where a < 10; update t set b = 'moved' where a < 10; commit");
        await AssertSame(pipeline);
        await pipeline.SqlAsync("delete from t where a = 20; update t set id = 'd20' where a = 21; insert into t values ('c21', 99, 'new'); delete from t where a = 21; insert into t values ('d20', 7, null)");
        await AssertSame(pipeline);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(8)]
    public async Task Keys_exchanged_inside_a_transaction_should_end_with_their_new_rows(int workers)
    {
        await using var pipeline = await StartAsync(workers,
            "create table t(id int, a int, b text, primary key (id) deferrable initially deferred); alter table t replica identity full", Hashes);
        await pipeline.SqlAsync("insert into t select i, i, 'row ' || i from generate_series(1, 30) i");
        await pipeline.SqlAsync("update t set id = case id when 1 then 2 when 2 then 1 else id end");
        await AssertSame(pipeline);
        await pipeline.SqlAsync("update t set id = id % 30 + 1");
        await AssertSame(pipeline);
        await pipeline.SqlAsync("begin; insert into t values (5, 500, 'newcomer'); delete from t where id = 5 and a <> 500; update t set id = 31 - id where id < 10 or id > 21; commit");
        await AssertSame(pipeline);
        await pipeline.SqlAsync("begin; update t set id = id + 100 where id <= 3; update t set id = id + 100 where id > 100; delete from t where id = 203; insert into t values (103, 1, null); commit");
        await AssertSame(pipeline);
    }

    [Theory]
    [InlineData(1, true)]
    [InlineData(8, true)]
    [InlineData(8, false)]
    public async Task Columns_in_keys_should_take_their_rows_along(int workers, bool full)
    {
        await using var pipeline = await StartAsync(workers,
            $"create table p(id int primary key, email text, city text, n int); alter table p replica identity {(full ? "full" : "default")}", $$"""
              - p:
                  commands:
                    - ["HSET", "p:{id}", "{pairs:*}"]
                    {{(full ? """- command: ["SET", "email:{email}", "{id}"]""" : "")}}
                    {{(full ? """  condition: { column: email, op: is_not_null }""" : "")}}
                    - ["SADD", "city:{city}", "{id}"]
                    - ["ZADD", "rank:{city}", "{n}", "{id}"]
            """);
        await pipeline.SqlAsync("insert into p select i, 'u' || i || '@x', 'c' || i % 4, i from generate_series(1, 60) i");
        await pipeline.SqlAsync("update p set id = id + 1000 where id % 5 = 0; update p set n = n + 1 where id % 7 = 0");
        if (full)
        {
            await pipeline.SqlAsync("update p set city = 'c' || id % 3 where id % 2 = 0; update p set email = null where id % 9 = 0; update p set email = 'back' || id where email is null and id % 2 = 0");
            await pipeline.SqlAsync("begin; update p set email = 'tmp' where id = 1; update p set email = 'u1@x' where id = 2; update p set email = 'u2@x', city = 'c0', id = 2001 where id = 1; commit");
            await pipeline.SqlAsync("delete from p where id % 11 = 0");
        }
        await pipeline.CaughtUpAsync();
        (await pipeline.ContentAsync()).ShouldBe(await pipeline.LinesAsync($$"""
            select line from (
              select format('p:%s = %s', id, '{' || concat_ws(', ', 'city=' || city, 'email=' || email, 'id=' || id, 'n=' || n) || '}') line from p
              union all select format('email:%s = %s', email, id) from p where email is not null and {{full}}
              union all select format('city:%s = (%s)', city, string_agg(id::text, ', ' order by id::text collate "C")) from p group by city
              union all select format('rank:%s = (%s)', city, string_agg(id || ':' || n, ', ' order by n, id::text collate "C")) from p group by city
            ) x
            """));
        pipeline.Host.Status.DeadLetters.ShouldBe(0);
    }

    [Fact]
    public async Task A_move_should_keep_what_other_tables_put_into_a_key_that_stays()
    {
        await using var pipeline = await StartAsync(8, "create table o(id int primary key, status text); alter table o replica identity full; create table item(id int primary key, o int)", """
              - o:
                  commands: [["HSET", "o:{id}", "{pairs:*}"], ["SADD", "status:{status}", "{id}"]]
              - item:
                  insert: { commands: [["HINCRBY", "o:{o}", "items", 1]] }
            """);
        await pipeline.SqlAsync("insert into o values (1, 'new'); insert into item values (1, 1), (2, 1)");
        await pipeline.CaughtUpAsync();
        await pipeline.SqlAsync("update o set status = 'paid'; update o set status = 'sent'");
        await pipeline.CaughtUpAsync();
        (await pipeline.ContentAsync()).ShouldBe(["o:1 = {id=1, items=2, status=sent}", "status:sent = (1)"]);
    }

    [Fact]
    public async Task Composite_keys_should_join_in_the_order_of_the_index_and_follow_every_part()
    {
        await using var pipeline = await StartAsync(8, "create table t(b text, v int, a int, c bool, primary key (a, c, b))", """
              - t:
                  commands:
                    - ["HSET", "t:{%pk%}", "{pairs:v}"]
                    - ["SET", "{%schema%}.{%table%}/{b}/{a}", "{%pk%}"]
            """);
        await pipeline.SqlAsync("insert into t values ('x', 1, 1, true), ('y:z', 2, 1, false), ('', 3, 2, true)");
        await pipeline.SqlAsync("update t set c = not c where a = 1; update t set b = 'w' where v = 3; update t set v = v * 10");
        await pipeline.CaughtUpAsync();
        (await pipeline.ContentAsync()).ShouldBe([
            "public.t/w/2 = 2:true:w", "public.t/x/1 = 1:false:x", "public.t/y:z/1 = 1:true:y:z", "t:1:false:x = {v=10}", "t:1:true:y:z = {v=20}", "t:2:true:w = {v=30}"]);
    }

    [Fact]
    public async Task NULL_in_a_key_should_go_to_the_dead_letters_and_stop_nobody_else()
    {
        await using var pipeline = await StartAsync(4, "create table p(id int primary key, email text)", """
              - p:
                  commands: [["SET", "email:{email}", "{id}"]]
            """);
        await pipeline.SqlAsync("insert into p values (1, 'a'), (2, null), (3, 'c'); update p set email = 'b' where id = 2; insert into p values (4, '')");
        await pipeline.CaughtUpAsync();
        (await pipeline.ContentAsync()).ShouldBe(["email: = 4", "email:a = 1", "email:c = 3"]);
        pipeline.Host.Status.DeadLetters.ShouldBe(2, "the row with NULL and its later change");
        pipeline.Log.ShouldContain(l => l.Contains("email:{email}") && l.Contains("NULL"));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_key_of_the_tables_own_should_keep_the_order_of_its_group(bool full)
    {
        await using var pipeline = await StartAsync(8,
            $"create table o(id int primary key, customer int, n int); alter table o replica identity {(full ? "full" : "default")}", """
              - o:
                  key: "{customer}"
                  commands:
                    - ["HSET", "o:{id}", "{pairs:*}"]
                    - ["RPUSH", "log:{customer}", "{id}/{n}"]
                  delete:
                    commands: [["DEL", "o:{id}"]]
            """);
        var random = new Random(7);
        var expected = new Dictionary<int, List<string>>();
        var sql = new List<string>();
        var live = new Dictionary<int, int>();
        for (int n = 0; n < 400; n++)
        {
            int id = random.Next(12), customer = random.Next(6);
            if (live.ContainsKey(id) && random.Next(3) == 0)
            {
                sql.Add($"delete from o where id = {id}");
                live.Remove(id);
                continue;
            }
            sql.Add($"insert into o values ({id}, {customer}, {n}) on conflict (id) do update set customer = excluded.customer, n = excluded.n");
            live[id] = customer;
            if (!expected.TryGetValue(customer, out var log)) expected[customer] = log = [];
            log.Add($"{id}/{n}");
        }
        await pipeline.SqlAsync(string.Join(';', sql));
        await pipeline.CaughtUpAsync();
        foreach (var (customer, log) in expected) (await pipeline.ItemsAsync("LRANGE", $"log:{customer}", "0", "-1")).ShouldBe([.. log]);
        (await pipeline.ContentAsync()).Where(l => l.StartsWith("o:", StringComparison.Ordinal)).ShouldBe(await pipeline.LinesAsync(
            "select format('o:%s = {customer=%s, id=%s, n=%s}', id, customer, id, n) from o"));
    }
}
