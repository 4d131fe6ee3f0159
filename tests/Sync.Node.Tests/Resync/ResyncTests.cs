using Sync.Node.Resync;
using Sync.Node.Tests.Hosting;
using Sync.Node.Tests.Verification;

namespace Sync.Node.Tests.Resync;

[Collection(ServersCollection.Name)]
public class ResyncTests(Servers servers)
{
    const string Schema = """
        create table t(id int primary key, name text, n int, kind text);
        alter table t replica identity full;
        insert into t select i, 'n' || i, i, 'k' || i % 3 from generate_series(1, 2500) i;
        create table u(a int, b text, v text, primary key (a, b));
        insert into u select i, 'b:' || i, 'v' || i from generate_series(1, 300) i;
        """;

    const string Tables = """
          - t:
              commands:
                - ["HSET", "t:{id}", "id", "{id}", "name", "{name}"]
                - ["SADD", "kind:{kind}", "{id}"]
                - ["ZADD", "by-n", "{n}", "{id}"]
                - ["HSET", "names", "{id}", "{name}"]
          - u:
              commands: [["SET", "u:{a}:{b}", "{v}"]]
        """;

    [Fact]
    public async Task Drift_of_every_kind_should_be_mended_while_changes_stream()
    {
        await using var pipeline = await Pipeline.StartAsync(servers, Schema, Tables);
        await pipeline.CaughtUpAsync();
        await pipeline.RedisAsync("DEL", "t:1", "u:7:b:7", "by-n");
        await pipeline.RedisAsync("HSET", "t:2", "name", "wrong", "stray", "x");
        await pipeline.RedisAsync("SET", "t:3", "a string");
        await pipeline.RedisAsync("SET", "u:8:b:8", "wrong");
        await pipeline.RedisAsync("SREM", "kind:k1", "4", "7");
        await pipeline.RedisAsync("HDEL", "names", "9");
        await pipeline.RedisAsync("ZADD", "by-n", "5", "5", "77", "6");
        await pipeline.RedisAsync("HSET", "t:9999", "name", "nobody");
        await pipeline.RedisAsync("SET", "u:9999:b", "nobody");
        await pipeline.RedisAsync("HSET", "names", "9999", "nobody");
        await pipeline.RedisAsync("SET", "t:not-a-number", "mine");
        var t = await pipeline.ResyncAsync("public.t");
        var u = await pipeline.ResyncAsync("public.u");
        (t.State, t.Error, t.Rows).ShouldBe((ResyncState.Done, "", 2500));
        t.Removed.ShouldBe(2);
        t.Mended.ShouldBeGreaterThanOrEqualTo(2505);
        (u.Mended, u.Removed, u.Rows).ShouldBe((2, 1, 300));
        (await pipeline.VerifyAsync()).ShouldBeClean();
        (await pipeline.GetAsync("t:not-a-number")).ShouldBe("mine");
        (await pipeline.HashAsync("t:2")).ShouldBe("id=2 name=n2");
        (await pipeline.ResyncAsync("public.t")).Mended.ShouldBe(0, "nothing differs any more");
    }

    [Fact]
    public async Task Under_load_the_newest_row_should_win()
    {
        await using var pipeline = await Pipeline.StartAsync(servers, Schema, Tables);
        await pipeline.CaughtUpAsync();
        using var over = new CancellationTokenSource();
        var load = Task.WhenAll(Enumerable.Range(1, 3).Select(seed => new RowLoad(servers, pipeline.Database, seed).RunAsync(over.Token)));
        for (int round = 0; round < 4; round++)
        {
            // Half of it gone, some of it wrong, some of it too much.
            foreach (string key in (await pipeline.KeysAsync()).Where((_, i) => i % 2 == round % 2)) await pipeline.RedisAsync("DEL", key);
            for (int i = 0; i < 50; i++) await pipeline.RedisAsync("HSET", $"t:{5000 + i}", "name", "nobody");
            var done = await pipeline.ResyncAsync("public.t");
            (done.State, done.Error, done.Refused).ShouldBe((ResyncState.Done, "", 0));
            (await pipeline.ResyncAsync("public.u")).State.ShouldBe(ResyncState.Done);
        }
        await over.CancelAsync();
        await load;
        await pipeline.CaughtUpAsync();
        (await pipeline.VerifyAsync()).ShouldBeClean();
    }
}
