using System.Text.Json;
using Sync.Testing;

namespace Sync.Node.Tests.Hosting;

/// <summary>Large values that an update leaves alone are not sent by PostgreSQL, and still Redis has to hold them.</summary>
[Collection(ServersCollection.Name)]
public class ToastTests(Servers servers)
{
    /// <summary>Random text is not compressed away, so it is stored out of line.</summary>
    const string Schema = """
        create function large(seed int) returns text language sql as $$ select string_agg(md5((seed * 1000 + i)::text), '') from generate_series(1, 300) i $$;
        create table doc(id int primary key, title text, body text, data jsonb);
        """;

    const string Mapping = """
          - doc:
              commands:
                - ["HSET", "doc:{id}", "{pairs:*}"]
                - ["SET", "json:{id}", "{json:*}"]
                - ["SET", "body:{id}", "{title}/{body}"]
        """;

    async Task<Pipeline> StartAsync(bool full, string mapping = Mapping)
    {
        var pipeline = await Pipeline.PrepareAsync(servers, Schema + (full ? "alter table doc replica identity full;" : ""));
        await pipeline.StartNodeAsync(mapping);
        return pipeline;
    }

    static async Task AssertSame(Pipeline pipeline)
    {
        await pipeline.CaughtUpAsync();
        foreach (string?[] row in await pipeline.RowsAsync("select id::text, title, body, data::text from doc"))
        {
            var fields = await pipeline.FieldsAsync($"doc:{row[0]}");
            fields.GetValueOrDefault("title").ShouldBe(row[1]);
            fields.GetValueOrDefault("body").ShouldBe(row[2]);
            fields.GetValueOrDefault("data").ShouldBe(row[3]);
            using var json = JsonDocument.Parse((await pipeline.TextAsync($"json:{row[0]}"))!);
            json.RootElement.GetProperty("body").GetString().ShouldBe(row[2]);
            json.RootElement.GetProperty("data").GetRawText().ShouldBe(row[3] ?? "null");
            (await pipeline.TextAsync($"body:{row[0]}")).ShouldBe($"{row[1]}/{row[2]}");
        }
        (await pipeline.KeysAsync()).Length.ShouldBe(3 * int.Parse((string)(await pipeline.ScalarAsync("select count(*)::text from doc"))!));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Values_left_alone_should_stay_whole(bool full)
    {
        await using var pipeline = await StartAsync(full);
        await pipeline.SqlAsync("insert into doc select i, 't' || i, large(i), jsonb_build_object('l', large(i + 100)) from generate_series(1, 6) i");
        await AssertSame(pipeline);
        await pipeline.SqlAsync("update doc set title = title || '!' where id < 4; update doc set body = null where id = 2; update doc set title = 'again', body = large(50) where id = 3");
        await AssertSame(pipeline);
        await pipeline.SqlAsync("update doc set id = id + 10, title = 'moved' where id < 3; update doc set id = 100 where id = 11; update doc set title = title where id = 100");
        await AssertSame(pipeline);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_row_that_is_gone_before_it_is_read_again_should_leave_nothing(bool full)
    {
        await using var pipeline = await StartAsync(full);
        await pipeline.SqlAsync("insert into doc select i, 't', large(i), jsonb_build_object('l', large(i)) from generate_series(1, 8) i");
        await pipeline.SqlAsync("begin; update doc set title = 'last words'; delete from doc where id < 7; update doc set id = 70 where id = 7; commit");
        await AssertSame(pipeline);
        pipeline.Host.Status.DeadLetters.ShouldBe(0);
    }

    [Fact]
    public async Task A_condition_on_a_value_left_alone_should_see_it()
    {
        await using var pipeline = await StartAsync(full: false, """
              - doc:
                  when: { column: body, op: "<>", value: draft }
                  update:
                    commands:
                      - command: ["INCR", "touched"]
                        condition: { column: data, op: "<>", value: "{{}}" }
                      - command: ["INCR", "body-changed"]
                        condition: { column: body, op: is_distinct_from, value: "{old:body}" }
            """);
        await pipeline.SqlAsync("insert into doc values (1, 't', large(1), jsonb_build_object('l', large(2))), (2, 't', 'draft', '{}')");
        await pipeline.SqlAsync("update doc set title = 'x'; update doc set title = 'y'");
        await pipeline.CaughtUpAsync();
        (await pipeline.ContentAsync()).ShouldBe(["touched = 2"]);
        await pipeline.SqlAsync("update doc set title = 'z', data = '{}'");
        await pipeline.CaughtUpAsync();
        (await pipeline.ContentAsync()).ShouldBe(["touched = 2"]);
    }

    /// <summary>The key had expired or was deleted, and an update of another column brought back a hash without the large value.</summary>
    [Theory]
    [InlineData("expired")]
    [InlineData("deleted")]
    [InlineData("there")]
    public async Task A_hash_that_is_there_should_be_whole(string key)
    {
        await using var pipeline = await StartAsync(full: false, "  - doc: { ttl: 1h }");
        await pipeline.SqlAsync("insert into doc values (1, 'one', large(1), '{\"a\": 1}')");
        await pipeline.CaughtUpAsync();
        if (key == "deleted") await pipeline.RedisAsync("DEL", "public.doc:1");
        if (key == "expired") await pipeline.RedisAsync("PEXPIRE", "public.doc:1", "1");
        await pipeline.UntilAsync(async () => (await pipeline.KeysAsync()).Contains("public.doc:1") == (key == "there"), "the key should be gone");
        await pipeline.SqlAsync("update doc set title = 'two'");
        await pipeline.CaughtUpAsync();
        var fields = await pipeline.FieldsAsync("public.doc:1");
        fields["title"].ShouldBe("two");
        fields["body"].ShouldBe((string)(await pipeline.ScalarAsync("select body from doc"))!);
        fields["data"].ShouldBe("{\"a\": 1}");
    }

    [PostgresFact(14)]
    public async Task A_row_that_cannot_be_read_again_should_be_parked_alone()
    {
        const string ByKey = "  - doc:\n      commands: [[\"SET\", \"doc:{%pk%}\", \"{json:title,body}\"]]";
        await using var pipeline = await StartAsync(full: false, ByKey);
        await pipeline.SqlAsync("insert into doc values (1, 'one', large(1)), (2, 'two', 'short')");
        await pipeline.CaughtUpAsync();
        await pipeline.StopNodeAsync();
        await pipeline.SqlAsync("update doc set title = title || '!'; alter table doc rename id to number; update doc set title = title || '?' where number = 2");
        await pipeline.StartNodeAsync(ByKey);
        await pipeline.CaughtUpAsync();
        (await pipeline.TextAsync("doc:2")).ShouldBe("""{"title":"two!?","body":"short"}""");
        pipeline.Host.Status.DeadLetters.ShouldBe(1);
        pipeline.Log.ShouldContain(l => l.StartsWith("Error: public.doc: the change", StringComparison.Ordinal) && l.Contains("can't be read again"));
    }
}
