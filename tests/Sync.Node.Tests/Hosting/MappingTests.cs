using Sync.Testing;

namespace Sync.Node.Tests.Hosting;

/// <summary>What a row becomes, by the tables of docs/configuration.md.</summary>
[Collection(ServersCollection.Name)]
public class MappingTests(Servers servers)
{
    const string Schema = "create table o(id int primary key, status text, amount numeric(20, 2), qty int, flag boolean, at timestamptz, note text); alter table o replica identity full;";

    [Fact]
    public async Task Every_command_should_reach_Redis()
    {
        await using var pipeline = await Pipeline.StartAsync(servers, Schema, """
              - o:
                  key: one order for all rows, so that lists are predictable
                  insert:
                    commands:
                      - ["set", "set:{id}", "{status}"]
                      - ["Set", "setex:{id}", "{status}", "EX", "1000"]
                      - ["SET", "setpx:{id}", "{status}", "PX", "500000", "NX"]
                      - ["setex", "setex2:{id}", "60", "{note}"]
                      - ["SETNX", "setnx", "{id}"]
                      - ["MSET", "m1:{id}", "{qty}", "m2:{id}", "{amount}"]
                      - ["INCR", "count"]
                      - ["DECR", "down"]
                      - ["INCRBY", "qty", "{qty}"]
                      - ["DECRBY", "left", "{qty}"]
                      - ["INCRBYFLOAT", "money", "{amount}"]
                      - ["APPEND", "text", "{status}|"]
                      - ["HSET", "h:{id}", "id", "{id}", "both", "{status}/{note}"]
                      - ["HINCRBY", "stats", "{status}", "{qty}"]
                      - ["HINCRBYFLOAT", "statsf", "{status}", "{amount}"]
                      - ["HSET", "kill", "{id}", "x"]
                      - ["HDEL", "kill", "{id}", "nothing"]
                      - ["SADD", "s:{status}", "{id}", "x{id}"]
                      - ["SREM", "s:{status}", "x{id}"]
                      - ["ZADD", "z", "GT", "{qty}", "{id}"]
                      - ["ZINCRBY", "zi", "{qty}", "{status}"]
                      - ["ZADD", "zgone", "1", "{id}"]
                      - ["ZREM", "zgone", "{id}"]
                      - ["LPUSH", "l", "{id}"]
                      - ["RPUSH", "r", "{id}", "{status}"]
                      - ["RPUSH", "trimmed", "{id}"]
                      - ["LTRIM", "trimmed", "-2", "-1"]
                      - ["LREM", "r", "1", "b"]
                      - ["XADD", "x", "MAXLEN", "2", "*", "{pairs:id,status}"]
                      - ["XADD", "x2:{id}", "{id}-1", "op", "insert", "row", "{json:id,qty}"]
                      - ["XADD", "x3", "*", "id", "{id}"]
                      - ["XTRIM", "x3", "MAXLEN", "=", "1"]
                      - ["XDEL", "x2:{id}", "2-1"]
                      - ["GEOADD", "geo", "13.361389", "38.115556", "{id}"]
                      - ["SET", "short:{id}", "x"]
                      - ["EXPIRE", "short:{id}", "100"]
                      - ["PEXPIRE", "m1:{id}", "200000"]
                      - ["PERSIST", "setex:{id}"]
                      - ["SET", "del:{id}", "x"]
                      - ["DEL", "del:{id}", "other:{id}"]
                      - ["SET", "un:{id}", "x"]
                      - ["UNLINK", "un:{id}"]
                      - ["SET", "get:{id}", "x"]
                      - ["GETDEL", "get:{id}"]
                      - ["SADD", "columns", "{columns:*}"]
                      - ["SET", "meta:{id}", "{%schema%}.{%table%}/{%pk%}/{{literal}}"]
                      - ["SET", "xid:{id}", "{%xid%}"]
            """);
        await pipeline.SqlAsync("insert into o values (1, 'a', 1.50, 3, true, now(), 'one'), (2, 'b', 2.25, 4, false, now(), 'two'); insert into o values (3, 'a', -0.05, 5, null, null, null)");
        await pipeline.CaughtUpAsync();
        pipeline.Host.Status.DeadLetters.ShouldBe(0, pipeline.Host.Status.LastError);
        string xid = (string)(await pipeline.ScalarAsync("select xmin::text from o where id = 3"))!;
        (await pipeline.ContentAsync()).Where(l => !l.StartsWith("xid:1", StringComparison.Ordinal) && !l.StartsWith("xid:2", StringComparison.Ordinal)).ShouldBe([
            "columns = (amount, at, flag, id, note, qty, status)", "count = 3", "down = -3", "geo = (1:3479099956230698, 2:3479099956230698, 3:3479099956230698)",
            "h:1 = {both=a/one, id=1}", "h:2 = {both=b/two, id=2}", "h:3 = {both=a/, id=3}", "l = [3, 2, 1]", "left = -12",
            "m1:1 = 3", "m1:2 = 4", "m1:3 = 5", "m2:1 = 1.50", "m2:2 = 2.25", "m2:3 = -0.05",
            "meta:1 = public.o/1/{literal}", "meta:2 = public.o/2/{literal}", "meta:3 = public.o/3/{literal}", "money = 3.7", "qty = 12", "r = [1, a, 2, 3, a]",
            "s:a = (1, 3)", "s:b = (2)", "set:1 = a", "set:2 = b", "set:3 = a", "setex2:1 = one", "setex2:2 = two", "setex2:3 = ",
            "setex:1 = a", "setex:2 = b", "setex:3 = a", "setnx = 1", "setpx:1 = a", "setpx:2 = b", "setpx:3 = a", "short:1 = x", "short:2 = x", "short:3 = x",
            "stats = {a=8, b=4}", "statsf = {a=1.45, b=2.25}", "text = a|b|a|", "trimmed = [2, 3]", "x = stream of 2", "x2:1 = stream of 1", "x2:2 = stream of 0", "x2:3 = stream of 1", "x3 = stream of 1",
            $"xid:3 = {xid}", "z = (1:3, 2:4, 3:5)", "zi = (b:4, a:8)"]);
        (await pipeline.StreamAsync("x")).ShouldBe(["id=2 status=b", "id=3 status=a"]);
        (await pipeline.StreamAsync("x2:3")).ShouldBe(["op=insert row={\"id\":3,\"qty\":5}"]);
        async Task<long> Life(string key) => (long)(await pipeline.RedisAsync("PTTL", key))!;
        (await Life("setex:1")).ShouldBe(-1);
        (await Life("setpx:1")).ShouldBeInRange(400_000, 500_000);
        (await Life("setex2:1")).ShouldBeInRange(1, 60_000);
        (await Life("short:1")).ShouldBeInRange(1, 100_000);
        (await Life("m1:1")).ShouldBeInRange(100_001, 200_000);
    }

    [Fact]
    public async Task Published_messages_should_arrive_once_and_in_order()
    {
        await using var pipeline = await Pipeline.StartAsync(servers, Schema, """
              - o:
                  insert: { commands: [["PUBLISH", "orders:{status}", "+{id}"]] }
                  update: { commands: [["publish", "orders:{status}", "{old:status}>{status}"]] }
                  delete: { commands: [["PUBLISH", "orders:{old:status}", "-{id}"]] }
            """);
        using var subscriber = await servers.Redis.ClientAsync();
        await subscriber.CommandAsync("PSUBSCRIBE", "orders:*");
        await pipeline.SqlAsync("insert into o values (1, 'a'); update o set status = 'b'; delete from o; insert into o values (1, '')");
        await pipeline.CaughtUpAsync();
        var heard = new List<string>();
        for (int i = 0; i < 4; i++)
        {
            object?[] message = (object?[])(await subscriber.ReadPushAsync())!;
            heard.Add($"{message[2]} {message[3]}");
        }
        heard.ShouldBe(["orders:a +1", "orders:b a>b", "orders:b -1", "orders: +1"]);
    }

    [PostgresFact(14)]
    public async Task Conditions_should_decide_as_SQL_does()
    {
        (string Name, string Yaml, string Sql)[] conditions =
        [
            ("eq", """{ column: status, op: "=", value: paid }""", "status = 'paid'"),
            ("ne", """{ column: status, op: "<>", value: paid }""", "status <> 'paid'"),
            ("lt", """{ column: amount, op: "<", value: 10 }""", "amount < 10"),
            ("gt", """{ column: amount, op: ">", value: "9.999" }""", "amount > 9.999"),
            ("le", """{ column: qty, op: "<=", value: 5 }""", "qty <= 5"),
            ("ge", """{ column: at, op: ">=", value: "2024-06-01 02:00:00+02" }""", "at >= '2024-06-01 02:00:00+02'"),
            ("in", """{ column: status, op: in, values: [paid, "sent ", ""] }""", "status in ('paid', 'sent ', '')"),
            ("notin", """{ column: qty, op: not_in, values: [1, 5] }""", "qty not in (1, 5)"),
            ("null", """{ column: note, op: is_null }""", "note is null"),
            ("notnull", """{ column: note, op: is_not_null }""", "note is not null"),
            ("distinct", """{ column: status, op: is_distinct_from, value: paid }""", "status is distinct from 'paid'"),
            ("distinctnull", """{ column: flag, op: is_distinct_from, value: null }""", "flag is distinct from null"),
            ("bool", """{ column: flag, op: "=", value: yes }""", "flag = true"),
            ("column", """{ column: status, op: "=", value: "{note}" }""", "status = note"),
            ("char", """{ column: code, op: "=", value: "x" }""", "code = 'x'"),
            ("all", """{ all: [{ column: qty, op: ">", value: 2 }, { not: { column: status, op: "=", value: paid } }] }""", "qty > 2 and not status = 'paid'"),
            ("any", """{ any: [{ column: flag, op: "=", value: "false" }, { column: amount, op: "=", value: "NaN" }] }""", "flag = false or amount = 'NaN'"),
        ];
        string commands = string.Join('\n', conditions.Select(c => $$"""
                        - { command: ["SADD", "{{c.Name}}", "{id}"], condition: {{c.Yaml}} }
            """));
        await using var pipeline = await Pipeline.StartAsync(servers, Schema + "alter table o alter amount type numeric, add code char(4)", $"""
              - o:
                  insert:
                    commands:
            {commands}
            """);
        string Any(params string[] values) => $"(array[{string.Join(',', values)}])[1 + floor(random() * {values.Length})]";
        await pipeline.SqlAsync($"""
            select setseed(0.3);
            insert into o select i, {Any("'paid'", "'sent '", "'new'", "''", "null")}, {Any("10", "9.9990", "10.0", "-5e3", "1e30", "'NaN'", "'Infinity'", "null")}::numeric, {Any("0", "1", "5", "6", "null")},
              {Any("true", "false", "null")}, {Any("'2024-06-01 00:00:00+00'::timestamptz", "'2024-05-31 23:59:59.999999+00'", "'infinity'", "'-infinity'", "null")}, {Any("'paid'", "'new'", "null")}, {Any("'x'", "'xy'", "null")}
            from generate_series(1, 300) i
            """);
        await pipeline.CaughtUpAsync();
        foreach (var (name, _, sql) in conditions)
        {
            string[] expected = await pipeline.ColumnAsync($"select id::text from o where {sql} order by id::text collate \"C\"");
            expected.Length.ShouldBeGreaterThan(0, name);
            (await pipeline.ItemsAsync("SMEMBERS", name)).Order(StringComparer.Ordinal).ToArray().ShouldBe(expected, name);
        }
    }

    [Fact]
    public async Task Old_values_and_groups_should_keep_an_index()
    {
        await using var pipeline = await Pipeline.StartAsync(servers, Schema, """
              - o:
                  insert:
                    commands: [["HSET", "o:{id}", "{pairs:id,status}"], ["SADD", "status:{status}", "{id}"], ["HINCRBY", "per-status", "{status}", 1]]
                  update:
                    commands:
                      - ["HSET", "o:{id}", "{pairs:id,status}", "was", "{old:status}"]
                      - command:
                          - ["SREM", "status:{old:status}", "{id}"]
                          - ["SADD", "status:{status}", "{id}"]
                          - ["HINCRBY", "per-status", "{old:status}", -1]
                          - ["HINCRBY", "per-status", "{status}", 1]
                        condition: { column: status, op: is_distinct_from, value: "{old:status}" }
                  delete:
                    commands: [["DEL", "o:{id}"], ["SREM", "status:{old:status}", "{id}"], ["HINCRBY", "per-status", "{old:status}", -1]]
            """);
        await pipeline.SqlAsync("insert into o select i, 's' || i % 3 from generate_series(1, 30) i; update o set status = 's' || id % 4 where id > 5; update o set qty = 1; update o set id = id + 100 where id = 9; delete from o where id % 7 = 0");
        await pipeline.CaughtUpAsync();
        (await pipeline.ContentAsync()).Where(l => !l.StartsWith("o:", StringComparison.Ordinal)).ShouldBe(await pipeline.LinesAsync("""
            select line from (
              select format('status:%s = (%s)', status, string_agg(id::text, ', ' order by id::text collate "C")) line from o group by status
              union all select format('per-status = {%s}', string_agg(status || '=' || n, ', ' order by status)) from (select status, count(*) n from o group by 1) c
            ) x
            """));
        (await pipeline.HashAsync("o:6")).ShouldBe("id=6 status=s2 was=s2");
        (await pipeline.HashAsync("o:109")).ShouldBe("id=109 status=s1");
    }

    [Fact]
    public async Task Counters_by_difference_should_equal_the_sums()
    {
        await using var pipeline = await Pipeline.PrepareAsync(servers, Schema + "insert into o select i, 's' || i % 3, i * 1.1, i from generate_series(1, 50) i");
        pipeline.Workers = 8;
        await pipeline.StartNodeAsync("""
              - o:
                  commands:
                    - ["INCRBY", "qty", "{diff:qty}"]
                    - ["HINCRBYFLOAT", "amount", "all", "{diff:amount}"]
                    - ["ZINCRBY", "rank", "{diff:qty}", "{status}"]
                    - ["INCRBY", "qty:{status}", "{diff:qty}"]
            """);
        await pipeline.SqlAsync("""
            do $$ begin
              perform setseed(0.7);
              for i in 1..3000 loop
                case floor(random() * 5)
                  when 0 then insert into o values (100 + i, 's' || i % 3, (random() * 1000)::numeric(20,2), (random() * 100)::int);
                  when 1 then delete from o where id = (select id from o order by random() limit 1);
                  when 2 then update o set qty = case when random() < 0.1 then null else (random() * 100 - 50)::int end where id % 10 = i % 10;
                  when 3 then update o set amount = (random() * 10 - 5)::numeric(20,2) where id = (select id from o order by random() limit 1);
                  else update o set id = id + 100000, note = 'moved' where id = (select min(id) from o);
                end case;
                if i % 7 = 0 then commit; end if;
              end loop;
            end $$
            """);
        await pipeline.CaughtUpAsync();
        (await pipeline.GetAsync("qty")).ShouldBe((string)(await pipeline.ScalarAsync("select coalesce(sum(qty), 0)::text from o"))!);
        decimal amount = decimal.Parse((await pipeline.FieldsAsync("amount"))["all"], System.Globalization.CultureInfo.InvariantCulture);
        // Redis adds floating-point numbers in long double.
        decimal.Round(amount, 9).ShouldBe((decimal)(await pipeline.ScalarAsync("select coalesce(sum(amount), 0) from o"))!);
        foreach (string status in new[] { "s0", "s1", "s2" })
        {
            string sum = (string)(await pipeline.ScalarAsync($"select coalesce(sum(qty), 0)::text from o where status = '{status}'"))!;
            (await pipeline.GetAsync($"qty:{status}")).ShouldBe(sum);
        }
        pipeline.Host.Status.DeadLetters.ShouldBe(0);
    }

    [Fact]
    public async Task Changes_that_a_copy_shows_already_should_count_for_nothing()
    {
        const string Counting = """
              - o:
                  commands: [["HSET", "o:{id}", "{pairs:id,status}"], ["SADD", "status:{status}", "{id}"], ["INCRBY", "qty", "{diff:qty}"], ["RPUSH", "log", "{id}"]]
              - c
            """;
        await using var pipeline = await Pipeline.PrepareAsync(servers, Schema + "create table c(id int primary key)");
        await pipeline.StartNodeAsync("  - c");
        await pipeline.StopNodeAsync();
        await pipeline.SqlAsync("alter publication pub add table o; insert into o(id, status, qty) select i, 'a', i from generate_series(1, 5) i; delete from o where id = 1; update o set id = 20, qty = 7 where id = 2; update o set status = 'b', qty = 1 where id = 3; insert into c values (1)");
        await pipeline.RedisAsync("SADD", "status:a", "1");
        await pipeline.StartNodeAsync(Counting);
        await pipeline.SqlAsync("update o set qty = qty + 1 where id = 4");
        await pipeline.CaughtUpAsync();
        (await pipeline.ItemsAsync("LRANGE", "log", "0", "-1")).Order().ShouldBe(["20", "3", "4", "4", "5"]);
        (await pipeline.ContentAsync()).Where(l => !l.StartsWith("log", StringComparison.Ordinal)).ShouldBe([
            "o:20 = {id=20, status=a}", "o:3 = {id=3, status=b}", "o:4 = {id=4, status=a}", "o:5 = {id=5, status=a}",
            "public.c:1 = {id=1}", "qty = 18", "status:a = (20, 4, 5)", "status:b = (3)"]);
    }

    [Fact]
    public async Task Logs_should_keep_the_order_of_commits_per_row()
    {
        await using var pipeline = await Pipeline.PrepareAsync(servers, "create table e(id int primary key, n int)");
        pipeline.Workers = 8;
        await pipeline.StartNodeAsync("""
              - e:
                  insert: { commands: [["RPUSH", "log:{id}", "{n}"]] }
                  update: { commands: [["RPUSH", "log:{id}", "{n}"]] }
            """);
        await pipeline.SqlAsync("insert into e select i, 0 from generate_series(1, 40) i");
        // Alone: a block that commits must not be part of a longer statement (PostgreSQL 18 insists).
        await pipeline.SqlAsync("do $$ begin for n in 1..150 loop update e set n = e.n + 1; commit; end loop; end $$");
        await pipeline.CaughtUpAsync();
        string[] all = [.. Enumerable.Range(0, 151).Select(n => $"{n}")];
        for (int id = 1; id <= 40; id++) (await pipeline.ItemsAsync("LRANGE", $"log:{id}", "0", "-1")).ShouldBe(all);
    }

    [Fact]
    public async Task Life_tags_columns_filter_and_invalidation_should_work_together()
    {
        await using var pipeline = await Pipeline.StartAsync(servers, Schema + "create table c(id int primary key, v text);", """
              - o:
                  commands: [["HSET", "o:{id}", "{pairs:*}"], ["SET", "j:{id}", "{json:*}"]]
                  ttl: 1h
                  ttlJitter: 10m
                  tags: ["status:{status}", "all"]
                  when: { column: flag, op: "=", value: true }
                  columns: { exclude: [note, at, flag], rename: { qty: quantity } }
              - c:
                  commands: [["SET", "cache:{id}", "x"], ["SET", "page:{id}", "x"]]
                  action: invalidate
            """);
        foreach (string key in new[] { "cache:1", "page:1", "cache:2", "cache:3" }) await pipeline.RedisAsync("SET", key, "cached");
        await pipeline.SqlAsync("insert into o values (1, 'a', 1, 10, true), (2, 'a', 2, 20, false), (3, 'b', 3, null, true), (4, 'b', 4, 40, null), (5, 'b', 5, 50, true)");
        await pipeline.SqlAsync("update o set status = 'c' where id = 1; update o set flag = true where id = 2; update o set flag = false where id = 3; update o set qty = null where id = 2; delete from o where id = 5");
        await pipeline.SqlAsync("insert into c values (1, 'x'); insert into c values (2, 'y'); update c set id = 3 where id = 2");
        await pipeline.CaughtUpAsync();
        (await pipeline.ContentAsync()).ShouldBe([
            "all = (j:1, j:2, o:1, o:2)", """j:1 = {"id":1,"status":"c","amount":1.00,"quantity":10}""", """j:2 = {"id":2,"status":"a","amount":2.00,"quantity":null}""",
            "o:1 = {amount=1.00, id=1, quantity=10, status=c}", "o:2 = {amount=2.00, id=2, status=a}", "status:a = (j:2, o:2)", "status:c = (j:1, o:1)"]);
        foreach (string key in new[] { "o:1", "j:1", "o:2", "j:2" }) ((long)(await pipeline.RedisAsync("PTTL", key))!).ShouldBeInRange(3_500_000, 4_200_000);
        ((long)(await pipeline.RedisAsync("PTTL", "all"))!).ShouldBe(-1);
    }

    [Fact]
    public async Task A_table_that_only_says_what_updates_do_should_do_it_for_every_update()
    {
        await using var pipeline = await Pipeline.StartAsync(servers, Schema, """
              - o:
                  update: { commands: [["SADD", "touched:{status}", "{id}"], ["HSET", "was:{id}", "status", "{old:status}", "pk", "{old:id}"]] }
            """);
        await pipeline.SqlAsync("insert into o values (1, 'a'), (2, 'a'); update o set status = 'b' where id = 1; update o set qty = 1 where id = 2; update o set id = 3 where id = 2; delete from o");
        await pipeline.CaughtUpAsync();
        (await pipeline.ContentAsync()).ShouldBe(["touched:a = (2, 3)", "touched:b = (1)", "was:1 = {pk=1, status=a}", "was:2 = {pk=2, status=a}", "was:3 = {pk=2, status=a}"]);
    }

    [Fact]
    public async Task Fields_beside_an_empty_list_should_still_be_written_and_a_hash_keep_its_life()
    {
        await using var pipeline = await Pipeline.StartAsync(servers, Schema, """
              - o:
                  insert: { commands: [["HSET", "k:{id}", "type", "order", "{pairs:note}"], ["XADD", "log", "MAXLEN", "~", "100", "*", "op", "i", "{pairs:note}"], ["HSET", "n:{id}", "{pairs:note,status}"], ["EXPIRE", "n:{id}", 1000]] }
                  update: { commands: [["HSET", "n:{id}", "{pairs:note,status}"], ["XADD", "log", "*", "{pairs:note}"]] }
            """);
        await pipeline.SqlAsync("insert into o(id, status) values (1, 'a'); update o set status = null, note = 'x'");
        await pipeline.CaughtUpAsync();
        (await pipeline.ContentAsync()).ShouldBe(["k:1 = {type=order}", "log = stream of 2", "n:1 = {note=x}"]);
        (await pipeline.StreamAsync("log")).ShouldBe(["op=i", "note=x"]);
        ((long)(await pipeline.RedisAsync("PTTL", "n:1"))!).ShouldBeGreaterThan(0);
        await pipeline.SqlAsync("update o set note = null");
        await pipeline.CaughtUpAsync();
        (await pipeline.ContentAsync()).ShouldBe(["k:1 = {type=order}", "log = stream of 3"]);
        (await pipeline.StreamAsync("log")).ShouldBe(["op=i", "note=x", "note="]);
    }

    [Fact]
    public async Task A_table_without_primary_key_should_keep_the_order_of_all_its_rows()
    {
        await using var pipeline = await Pipeline.PrepareAsync(servers, "create table l(line text, n int); alter table l replica identity full");
        pipeline.Workers = 8;
        await pipeline.StartNodeAsync("""
              - l:
                  insert: { commands: [["RPUSH", "lines", "{line}"]] }
                  update: { commands: [["RPUSH", "lines", "{old:line}>{line}"]] }
                  delete: { commands: [["RPUSH", "lines", "-{line}"]] }
            """);
        await pipeline.SqlAsync("insert into l select 'l' || i from generate_series(1, 500) i; update l set line = 'x' where line = 'l7'; delete from l where line = 'x'; insert into l values (null, 1)");
        await pipeline.CaughtUpAsync();
        (await pipeline.ItemsAsync("LRANGE", "lines", "0", "-1")).ShouldBe([.. Enumerable.Range(1, 500).Select(i => $"l{i}"), "l7>x", "-x", ""]);
    }
}
