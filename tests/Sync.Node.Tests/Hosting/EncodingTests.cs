using Sync.Contracts;
using Sync.Node.Resync;
using Sync.Node.Tests.Resync;
using Sync.Node.Tests.Verification;

namespace Sync.Node.Tests.Hosting;

/// <summary>Databases in other encodings than UTF-8: what is copied and what is streamed is the same.</summary>
[Collection(ServersCollection.Name)]
public class EncodingTests(Servers servers)
{
    const string Schema = """
        create table t(k text primary key, v text, w text);
        alter table t alter w set storage external;
        """;

    const string Tables = """
          - t: { commands: [["HSET", "t:{k}", "{pairs:*}"]] }
        """;

    /// <summary>Bytes of LATIN1 (ä, é) and one that is in no encoding; TestRedis shows each byte as the character with its number.</summary>
    static string Insert(string key) => $@"insert into t values (E'{key}\xe4', E'\xe9\xff', repeat(E'\xe4', 3000)), (E'{key}\xff', 'plain', null), ('{key}u', convert_from('\xc3a4', 'SQL_ASCII'), null)";

    [Fact]
    public async Task Bytes_of_a_database_in_SQL_ASCII_should_come_as_they_are_in_copy_and_stream()
    {
        await using var pipeline = await Pipeline.PrepareAsync(servers, Schema, "SQL_ASCII");
        await pipeline.SqlAsync(Insert("copied"));
        await pipeline.StartNodeAsync(Tables);
        await pipeline.SqlAsync(Insert("streamed"));
        await pipeline.CaughtUpAsync();
        (await pipeline.KeysAsync()).ShouldBe(["t:copiedu", "t:copied\u00e4", "t:copied\u00ff", "t:streamedu", "t:streamed\u00e4", "t:streamed\u00ff"], ignoreOrder: true);
        (await pipeline.HashAsync("t:streamedu")).ShouldBe("k=streamedu v=\u00c3\u00a4");
        (await BytesAsync(pipeline, "copied")).ShouldBe(await BytesAsync(pipeline, "streamed"));
        (await BytesAsync(pipeline, "copied")).ShouldBe($"\u00e9\u00ff {new string('\u00e4', 3000)}");
        (await pipeline.VerifyAsync()).ShouldBeClean();

        await pipeline.SqlAsync(@"update t set v = E'\xe8' where k = E'copied\xe4'; delete from t where k = E'copied\xff'; update t set k = E'moved\xfe' where k = E'streamed\xff'");
        await pipeline.CaughtUpAsync();
        (await pipeline.KeysAsync()).ShouldBe(["t:copiedu", "t:copied\u00e4", "t:moved\u00fe", "t:streamedu", "t:streamed\u00e4"], ignoreOrder: true);
        (await BytesAsync(pipeline, "copied")).ShouldStartWith("\u00e8 ");
        pipeline.Host.Status.DeadLetters.ShouldBe(0);
    }

    /// <summary>Redis' own script language takes bytes; the fields v and w of the key that ends with E4.</summary>
    static async Task<string> BytesAsync(Pipeline pipeline, string key) =>
        (string)(await pipeline.RedisAsync("EVAL", @"local k = 't:' .. ARGV[1] .. string.char(0xe4) return redis.call('HGET', k, 'v') .. ' ' .. redis.call('HGET', k, 'w')", "0", key))!;

    [Fact]
    public async Task Verify_and_resync_should_find_keys_that_are_no_UTF_8()
    {
        await using var pipeline = await Pipeline.PrepareAsync(servers, Schema, "SQL_ASCII");
        await pipeline.SqlAsync(Insert("a"));
        await pipeline.StartNodeAsync(Tables);
        await pipeline.CaughtUpAsync();
        await pipeline.RedisAsync("EVAL", "redis.call('DEL', 't:a' .. string.char(0xff)) redis.call('HSET', 't:a' .. string.char(0xfe), 'k', 'x')", "0");
        (await pipeline.VerifyAsync()).Drift.ShouldBe(2);
        var resync = await pipeline.ResyncAsync("public.t");
        (resync.State, resync.Mended, resync.Removed).ShouldBe((ResyncState.Done, 1, 1));
        (await pipeline.KeysAsync()).ShouldBe(["t:au", "t:a\u00e4", "t:a\u00ff"], ignoreOrder: true);
        (await pipeline.VerifyAsync()).ShouldBeClean();
    }

    [Fact]
    public async Task Large_value_that_was_left_alone_should_be_read_again_by_a_key_of_bytes()
    {
        await using var pipeline = await Pipeline.PrepareAsync(servers, Schema, "SQL_ASCII");
        await pipeline.StartNodeAsync("""
              - t: { commands: [["SET", "w:{v}", "{w}"]] }
            """);
        await pipeline.SqlAsync(@"insert into t values (E'\xe4\\''', 'one', repeat(E'\xe4', 3000)), (E'\xe5', 'other', repeat('b', 3000))");
        await pipeline.SqlAsync(@"update t set v = 'two' where k = E'\xe4\\'''");
        await pipeline.CaughtUpAsync();
        (await pipeline.GetAsync("w:two")).ShouldBe(new string('\u00e4', 3000));
    }

    [Fact]
    public async Task Row_whose_JSON_would_be_no_text_should_be_parked_with_a_sentence()
    {
        await using var pipeline = await Pipeline.PrepareAsync(servers, Schema, "SQL_ASCII");
        await pipeline.SqlAsync(Insert("c"));
        await pipeline.StartNodeAsync("""
              - t: { commands: [["SET", "j:{k}", "{json:v}"]] }
            """);
        await pipeline.SqlAsync(Insert("s"));
        await pipeline.CaughtUpAsync();
        pipeline.Host.Status.DeadLetters.ShouldBe(2);
        (await pipeline.KeysAsync()).Length.ShouldBe(4);
        (await pipeline.GetAsync("j:su")).ShouldBe("{\"v\":\"\u00c3\u00a4\"}");
        pipeline.Log.ShouldContain(line => line.Contains("holds bytes that are no UTF-8, which JSON can't carry", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("LATIN1", "ä é")]
    [InlineData("EUC_JP", "日本 カナ")]
    [InlineData("WIN1251", "ключ Я")]
    public async Task Texts_in_other_encodings_should_be_UTF_8_in_copy_and_stream(string encoding, string text)
    {
        await using var pipeline = await Pipeline.PrepareAsync(servers, Schema, encoding);
        await pipeline.SqlAsync($"insert into t values ('c{text}', '{text}', null)");
        await pipeline.StartNodeAsync(Tables);
        await pipeline.SqlAsync($"insert into t values ('s{text}', '{text}', null)");
        await pipeline.CaughtUpAsync();
        string utf8 = System.Text.Encoding.Latin1.GetString(System.Text.Encoding.UTF8.GetBytes(text));
        foreach (string key in new[] { "c", "s" }) (await pipeline.HashAsync($"t:{key}{text}")).ShouldBe($"k={key}{utf8} v={utf8}");
        (await pipeline.VerifyAsync()).ShouldBeClean();
    }

    [Fact]
    public async Task Value_without_a_form_in_UTF_8_should_end_the_node_with_a_code_and_a_way_out()
    {
        await using var pipeline = await Pipeline.PrepareAsync(servers, Schema, "WIN1252");
        await pipeline.StartNodeAsync(Tables);
        // 81 is a byte that WIN1252 has no character for, and that PostgreSQL takes all the same.
        await pipeline.SqlAsync(@"insert into t values (E'\x81', null, null)");
        var error = await pipeline.FailureAsync();
        error.Code.ShouldBe(ExitCode.Encoding);
        error.Message.ShouldContain("drop the slot");
    }
}
