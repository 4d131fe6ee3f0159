using System.Globalization;
using Sync.Node.Tests.Verification;
using Xunit.Abstractions;

namespace Sync.Node.Tests.Hosting;

/// <summary>Random changes over three tables; afterwards everything in Redis is what SQL computes from the tables.</summary>
[Collection(ServersCollection.Name)]
public class MappingRandomTests(Servers servers, ITestOutputHelper output)
{
    const string Schema = """
        create table customer(id int primary key, name text, city text, vip boolean);
        create table orders(region text, id int, customer int, status text, amount numeric(12, 2), items int[], primary key (region, id));
        create table slotted(pos int, label text, primary key (pos) deferrable initially deferred);
        alter table orders replica identity full;
        alter table slotted replica identity full;
        insert into customer select i, 'n' || i, 'c' || i % 3, i % 2 = 0 from generate_series(1, 20) i;
        insert into orders select 'r' || i % 2, i, i % 7, 'new', i, array[i] from generate_series(1, 30) i;
        insert into slotted select i, 'p' || i from generate_series(1, 12) i;
        """;

    const string Tables = """
          - customer
          - orders:
              commands:
                - ["HSET", "order:{%pk%}", "{pairs:*}"]
                - ["SET", "json:{region}/{id}", "{json:id,amount,items}"]
                - command: ["SADD", "status:{status}", "{region}/{id}"]
                  condition: { column: status, op: is_not_null }
                - ["ZADD", "rank:{region}", "{id}", "{id}"]
                - ["INCRBYFLOAT", "amount", "{diff:amount}"]
          - slotted:
              commands: [["HSET", "slot:{pos}", "{pairs:*}"]]
        """;

    const string Expected = """
        select format('public.customer:%s = {%s}', id, concat_ws(', ', 'city=' || city, 'id=' || id, 'name=' || name, 'vip=' || vip)) from customer
        union all select format('order:%s:%s = {%s}', region, id, concat_ws(', ', 'amount=' || amount, 'customer=' || customer, 'id=' || id, 'items=' || items::text, 'region=' || region, 'status=' || status)) from orders
        union all select format('json:%s/%s = {"id":%s,"amount":%s,"items":%s}', region, id, id, coalesce(amount::text, 'null'), coalesce(array_to_json(items)::text, 'null')) from orders
        union all select format('status:%s = (%s)', status, string_agg(region || '/' || id, ', ' order by (region || '/' || id) collate "C")) from orders where status is not null group by status
        union all select format('rank:%s = (%s)', region, string_agg(id || ':' || id, ', ' order by id)) from orders group by region
        union all select format('slot:%s = {label=%s, pos=%s}', pos, label, pos) from slotted
        """;

    [Theory]
    [InlineData(1)]
    [InlineData(8)]
    public async Task Random_changes_should_leave_what_SQL_computes(int workers)
    {
        int seed = Environment.GetEnvironmentVariable("ACTORSYNC_TEST_SEED") is { Length: > 0 } given ? int.Parse(given, CultureInfo.InvariantCulture) : Random.Shared.Next();
        output.WriteLine($"ACTORSYNC_TEST_SEED={seed}");
        var random = new Random(seed);
        await using var pipeline = await Pipeline.PrepareAsync(servers, Schema);
        pipeline.Workers = workers;
        await pipeline.StartNodeAsync(Tables);
        for (int round = 0; round < 4; round++)
        {
            for (int transaction = 0; transaction < 60; transaction++)
            {
                int size = random.Next(10) == 0 ? 40 : random.Next(1, 5);
                string body = string.Concat(Enumerable.Range(0, size).Select(_ => Statement(random) + ";\n"));
                // An exchange of keys that does not work out undoes its whole transaction, as an application's would.
                await pipeline.SqlAsync($"do $$ begin {body} set constraints all immediate; exception when unique_violation then null; end $$");
            }
            await pipeline.CaughtUpAsync();
            await AssertSame(pipeline, seed);
        }
    }

    static async Task AssertSame(Pipeline pipeline, int seed)
    {
        string[] content = [.. (await pipeline.ContentAsync()).Where(l => !l.StartsWith("amount ", StringComparison.Ordinal))];
        string[] expected = await pipeline.LinesAsync(Expected);
        string.Join('\n', content.Except(expected)).ShouldBe(string.Join('\n', expected.Except(content)), $"seed {seed}");
        decimal amount = decimal.Parse((await pipeline.GetAsync("amount"))!, CultureInfo.InvariantCulture);
        decimal.Round(amount, 6).ShouldBe((decimal)(await pipeline.ScalarAsync("select coalesce(sum(amount), 0) from orders"))!, $"seed {seed}");
        pipeline.Host.Status.DeadLetters.ShouldBe(0, $"seed {seed}: {pipeline.Host.Status.LastError}");
        string.Join('\n', (await pipeline.VerifyAsync()).Differences()).ShouldBe("", $"seed {seed}");
    }

    static string Statement(Random random)
    {
        int id = random.Next(1, 40), other = random.Next(1, 40);
        string region = $"'r{random.Next(3)}'";
        string text = random.Next(4) switch { 0 => "null", 1 => "''", _ => $"'v{random.Next(5)}'" };
        string amount = random.Next(5) == 0 ? "null" : (random.Next(-9999, 9999) / 100m).ToString(CultureInfo.InvariantCulture);
        return random.Next(15) switch
        {
            0 => $"insert into customer values ({id}, {text}, {text}, {(id % 3 == 0 ? "null" : "true")}) on conflict do nothing",
            1 => $"update customer set name = {text}, city = {text} where id = {id}",
            2 => $"update customer set id = {other}, vip = not vip where id = {id} and not exists (select from customer where id = {other})",
            3 => $"delete from customer where id = {id}",
            4 => $"delete from customer where id = {id}; insert into customer values ({id}, {text}, 'again', null)",
            5 => $"insert into orders values ({region}, {id}, {other}, {text}, {amount}, array[{id}, null]) on conflict (region, id) do update set amount = excluded.amount, items = null",
            6 => $"update orders set status = {text}, amount = {amount} where id = {id}",
            7 => $"update orders set amount = amount * 2 where id % 7 = {id % 7} and abs(amount) < 1000",
            8 => $"update orders set region = {region} where id = {id} and region <> {region} and not exists (select from orders where id = {id} and region = {region})",
            9 => $"update orders set id = {other}, status = {text}, amount = {amount} where id = {id} and not exists (select from orders where id = {other}) and region = {region}",
            10 => $"delete from orders where id = {id} and region = {region}",
            11 => $"update slotted set pos = case pos when {id % 12} then {other % 12} when {other % 12} then {id % 12} else pos end, label = label || '.' where pos in ({id % 12}, {other % 12})",
            12 => $"update slotted set pos = (pos + {id}) % 13, label = right(label, 9) where {id} < 20",
            13 => $"delete from slotted where pos = {id % 13}",
            _ => $"insert into slotted select {id % 13}, {(text == "null" ? "'x'" : text)} where not exists (select from slotted where pos = {id % 13})",
        };
    }
}
