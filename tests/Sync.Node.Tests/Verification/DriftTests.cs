using Sync.Node.Tests.Hosting;

namespace Sync.Node.Tests.Verification;

/// <summary>Each kind of drift, planted by hand for each command that keeps state, beside rows that are as they should be.</summary>
[Collection(VerificationCollection.Name)]
[Trait("Speed", "Slow")]
public class DriftTests(Servers servers)
{
    const string Schema = """
        create table item(id int primary key, name text, price numeric(12, 4), lon float8, lat float8, live boolean, kind text, data jsonb);
        alter table item replica identity full;
        insert into item select i, 'n' || i, i * 1.1, i, -i, i % 2 = 0, 'k' || i % 3, jsonb_build_object('i', i) from generate_series(1, 20) i;
        """;

    const string Tables = """
          - item:
              commands:
                - ["HSET", "h:{id}", "{pairs:*}"]
                - ["HSET", "names", "{id}", "{name}"]
                - ["HSET", "part:{id}", "price", "{price}", "label", "<{name}>"]
                - ["SET", "s:{id}", "{json:*}"]
                - ["SETEX", "ex:{id}", "3600", "{name}"]
                - ["SET", "px:{id}", "{name}", "PX", "3600000"]
                - ["SETNX", "nx:{id}", "{name}"]
                - ["MSET", "m:{id}:a", "{name}", "m:{id}:b", "{price}"]
                - ["SADD", "kind:{kind}", "{id}"]
                - ["ZADD", "price", "{price}", "{id}"]
                - ["GEOADD", "map", "{lon}", "{lat}", "{id}"]
                - command: ["SET", "live:{id}", "{name}"]
                  condition: { column: live, op: "=", value: true }
                - command: ["DEL", "live:{id}"]
                  condition: { column: live, op: "<>", value: true }
                - ["INCRBYFLOAT", "total", "{diff:price}"]
                - ["XADD", "log", "*", "id", "{id}"]
                - ["PUBLISH", "news", "{id}"]
        """;

    [Fact]
    public async Task What_was_copied_and_streamed_should_be_clean()
    {
        await using var pipeline = await Pipeline.StartAsync(servers, Schema, Tables);
        await pipeline.SqlAsync("update item set name = null, kind = 'moved', live = not live where id < 5; delete from item where id = 7; update item set id = 100 where id = 8");
        await pipeline.CaughtUpAsync();
        var report = await pipeline.VerifyAsync();
        report.ShouldBeClean();
        var item = report.Tables.Single();
        item.Rows.ShouldBe(19);
        item.Keys.ShouldBe(19 * 13, "one claim for each of the writing commands, MSET has two, live or not");
        item.NotVerifiable.Select(n => n.Split(' ')[0]).ShouldBe(["INCRBYFLOAT", "XADD", "PUBLISH"]);
        item.NotSearched.ShouldBeEmpty();
    }

    [Theory]
    [InlineData("DEL h:3", "missing h:3: no such key")]
    [InlineData("HSET h:3 name x", "different h:3: field name should be n3, is x")]
    [InlineData("HDEL h:3 name", "missing h:3: field name should be n3, is not there")]
    [InlineData("HSET h:3 old 1", "extra h:3: field old is 1 and should not be there")]
    [InlineData("HSET names 3 x", "different names: field 3 should be n3, is x")]
    [InlineData("HDEL names 3", "missing names: field 3 should be n3, is not there")]
    [InlineData("HSET names 99 x", "extra names: field 99: no row leads to it")]
    [InlineData("HSET part:3 label x", "different part:3: field label should be <n3>, is x")]
    [InlineData("SET s:3 x", "different s:3: should be")]
    [InlineData("DEL s:3", "missing s:3: no such key")]
    [InlineData("SET s:99 x", "extra s:99: no row leads to it")]
    [InlineData("SET ex:3 x EX 60", "different ex:3: should be n3, is x")]
    [InlineData("PERSIST ex:3", "different ex:3: should have an end of life, lives for ever")]
    [InlineData("EXPIRE px:3 99999", "different px:3: should live 3600000 ms at most, lives 9999")]
    [InlineData("DEL nx:3", "missing nx:3: no such key")]
    [InlineData("SET m:3:b x", "different m:3:b: should be 3.3000, is x")]
    [InlineData("SREM kind:k0 3", "missing kind:k0: member 3 is not there")]
    [InlineData("SADD kind:k0 99", "extra kind:k0: member 99: no row leads to it")]
    [InlineData("SADD kind:k1 3", "extra kind:k1: member 3: no row leads to it")]
    [InlineData("ZADD price 7 3", "different price: member 3 should be 3.3000, is 7")]
    [InlineData("ZREM price 3", "missing price: member 3 should be 3.3000, is not there")]
    [InlineData("ZADD price 1 99", "extra price: member 99: no row leads to it")]
    [InlineData("GEOADD map 3.001 -3 3", "different map: member 3 should be \"3 -3\", is \"3.00")]
    [InlineData("ZREM map 3", "missing map: member 3 should be \"3 -3\", is not there")]
    [InlineData("SET live:3 x", "extra live:3: the row's condition asks for no such key")]
    [InlineData("DEL live:4", "missing live:4: no such key")]
    [InlineData("HSET h:99 id 99", "extra h:99: no row leads to it")]
    public async Task Planted_drift_should_be_found(string command, string expected)
    {
        await using var pipeline = await Pipeline.StartAsync(servers, Schema, Tables);
        await pipeline.CaughtUpAsync();
        await pipeline.RedisAsync(command.Split(' '));
        var report = await pipeline.VerifyAsync();
        report.Differences().ShouldHaveSingleItem().ShouldStartWith(expected);
        report.Drift.ShouldBe(1);
    }

    [Fact]
    public async Task Key_of_another_type_should_be_different()
    {
        await using var pipeline = await Pipeline.StartAsync(servers, Schema, Tables);
        await pipeline.CaughtUpAsync();
        await pipeline.RedisAsync("DEL", "h:3");
        await pipeline.RedisAsync("SADD", "h:3", "x");
        (await pipeline.VerifyAsync()).Differences().ShouldBe(["different h:3: the key is of another type"]);
    }

    [Fact]
    public async Task Emptied_Redis_should_be_missing_all_and_what_has_an_end_is_no_drift()
    {
        await using var pipeline = await Pipeline.StartAsync(servers, Schema, Tables);
        await pipeline.CaughtUpAsync();
        foreach (string key in await pipeline.KeysAsync()) await pipeline.RedisAsync("DEL", key);
        var report = await pipeline.VerifyAsync();
        // Of 13 places a row, two have an end of life and one depends on a condition that half of the rows fulfil.
        report.Tables.Single().Missing.ShouldBe((20 * 10) + 10);
        report.Tables.Single().Extra.ShouldBe(0);
    }
}
