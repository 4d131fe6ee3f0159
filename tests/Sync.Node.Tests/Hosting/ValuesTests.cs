using System.Text.Json;
using Sync.Testing;

namespace Sync.Node.Tests.Hosting;

/// <summary>Values arrive as PostgreSQL prints them, whatever way they come and whatever the database's own settings are.</summary>
[Collection(ServersCollection.Name)]
public class ValuesTests(Servers servers)
{
    const string Columns = """
        num numeric, cents cents, r real, d double precision, i2 smallint, i8 bigint, b boolean, t text, vc varchar(60), ch char(5), bin bytea,
        ts timestamp, tz timestamptz, da date, ti time, tt timetz, iv interval, u uuid, js json, jb jsonb, ia int[], ta text[], na numeric[],
        ba boolean[], ja jsonb[], ma mood[], m mood, rg int4range, tr tstzrange, pt point, ip inet, bt bit(3), lb label, pr pair, mon money,
        "Odd Name" text, "with:colon" text
        """;

    const string Types = """
        create type mood as enum ('sad', 'so so', 'happy');
        create domain cents as numeric(40, 10);
        create domain label as text check (value <> 'no');
        create type pair as (a int, b text);
        """;

    /// <summary>Settings that would change the text of values if the node's sessions took them over.</summary>
    const string Confusing = """
        do $$ begin
          execute format('alter database %I set timezone = %L', current_database(), 'Asia/Kolkata');
          execute format('alter database %I set datestyle = %L', current_database(), 'German');
          execute format('alter database %I set bytea_output = escape', current_database());
          execute format('alter database %I set intervalstyle = sql_standard', current_database());
          execute format('alter database %I set extra_float_digits = -8', current_database());
          execute format('alter database %I set standard_conforming_strings = off', current_database());
        end $$;
        """;

    static readonly string[] rows =
    [
        """
        ('1', 123456789012345678901234567890.123456789012345678901234567890, 12345678901234567890.0123456789, 1.1, 0.1::float8 + 0.2::float8, -32768, 9223372036854775807, true,
         'plain', 'var', 'ab', '\x00ff0d0a7f80', '2024-02-29 23:59:59.123456', '2024-02-29 23:59:59.000001+05:30', '2024-02-29', '23:59:59.5', '10:00:00+02',
         '1 year 2 mons -3 days +04:05:06.789', 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11', '{"a" :  1, "a": 2}', '{"z": [1, 2.50, null], "y": "\u00e9\n"}', '{1,NULL,-3}',
         array['a,b', 'q"uote', 'back\slash', '', null, 'NULL', '{x}'], '{1.10,NaN}', '{t,f,NULL}', array['{"k": "v, \"w\""}'::jsonb], '{happy,"so so"}', 'so so', '[1,5)',
         '["2024-01-01 00:00:00+00",)', '(1.5,-2)', '192.168.0.1/24', B'101', 'domain', row(7, 'x,y'), 1234.5::money, 'odd', 'colon')
        """,
        """
        ('2', 'NaN', 0.0000000001, 'NaN', '-Infinity', 0, 0, false, E'line\r\nfeed\ttab \x01\x1f end', '', 'a', '', 'infinity', '-infinity', 'infinity', '24:00:00', '00:00:00+15:59',
         '-1 days +00:00:01', '00000000-0000-0000-0000-000000000000', '[]', 'null', '{}', '{}', '{Infinity}', '{}', '{}', '{}', 'sad', 'empty', 'empty', '(0,0)', '::1', B'000', '', row(null, null), '-0.01', '', '')
        """,
        """
        ('3', '-Infinity', -1, 'Infinity', 1e-300, 1, -1, null, '{id} {{braces}} {pairs:*} {', '}', null, '\x5c', '0001-01-01 00:00:00 BC', '0044-03-15 12:00:00+00 BC', '0044-03-15 BC', '00:00', '00:00+00',
         '0', null, '"text"', '"\\u0041\ud83d\ude00"', '[0:1]={1,2}', '{{a,b},{c,d}}', null, null, '{}', null, 'happy', '(,)', null, null, null, null, E'\\x41', null, null, '%s', '*1')
        """,
        """('4', 1e20::numeric, null, 1e30, 1e100, null, null, null, E'*3\r\n$3\r\nSET\r\n$1\r\nx\r\n$1\r\n1\r\n', 'ünïcödé ключ 键 😀', null, null, '10000-01-01 00:00:00', null, null, null, null, '1000000:00:00.000001', null, null, '{"deep": {"er": [{}]}}', null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null)""",
        """('5', -0.00, null, '-0', 5e-324, null, null, null, '', '', '', '', null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null)""",
        """('6', null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null)""",
        """('key with spaces', 1, null, null, null, null, null, null, 'x', null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null)""",
        """('a:b:ключ', 2, null, null, null, null, null, null, 'x', null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null)""",
        """(E'*1\r\n$4\r\nPING\r\n', 3, null, null, null, null, null, null, 'x', null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null)""",
        """('{id} ''; --"', 4, null, null, null, null, null, null, 'x', null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null)""",
    ];

    static string Mapping(string table) => $$"""
          - {{table}}:
              columns: { exclude: [id] }
              commands:
                - ["HSET", "{%table%}/h/{id}", "{pairs:*}"]
                - ["SET", "{%table%}/j/{id}", "{json:*}"]
                - ["HSET", "{%table%}/c/{id}", "id", "{id}", "num", "{num}", "b", "{b}", "t", "{t}", "bin", "{bin}", "tz", "{tz}", "ja", "{ja}", "mix", "<{t}|{r}|{iv}>"]
        """;

    [PostgresFact(14)]
    public async Task Values_should_survive_both_ways_and_be_the_same()
    {
        string Fill(string table) => string.Concat(rows.Select(r => $"insert into {table} values {r};"));
        await using var pipeline = await Pipeline.PrepareAsync(servers, $"""
            {Types} create table copied(id text primary key, {Columns}); create table streamed(id text primary key, {Columns}); {Confusing}
            set standard_conforming_strings = on; {Fill("copied")}
            """);
        await pipeline.StartNodeAsync($"{Mapping("copied")}\n{Mapping("streamed")}");
        await pipeline.SqlAsync(Fill("streamed"));
        await pipeline.CaughtUpAsync();

        string[] copied = await ContentOf(pipeline, "copied"), streamed = await ContentOf(pipeline, "streamed");
        copied.Length.ShouldBe(3 * rows.Length - 1, "row 6 has nothing for its hash");
        streamed.ShouldBe(copied);
        await AssertPairs(pipeline);
        await AssertJson(pipeline);
        pipeline.Host.Status.DeadLetters.ShouldBe(0);
    }

    static async Task<string[]> ContentOf(Pipeline pipeline, string table) =>
        [.. (await pipeline.ContentAsync()).Where(l => l.StartsWith(table, StringComparison.Ordinal)).Select(l => l[table.Length..])];

    /// <summary>{pairs} and {col} are PostgreSQL's own text, booleans spelt out, char(n) with its blanks.</summary>
    static async Task AssertPairs(Pipeline pipeline)
    {
        await pipeline.SqlAsync("set timezone = 'UTC'; set datestyle = 'ISO'; set intervalstyle = 'postgres'; set bytea_output = 'hex'; set extra_float_digits = 1");
        string[] columns = await pipeline.ColumnAsync(
            "select attname::text from pg_attribute where attrelid = 'streamed'::regclass and attnum > 0 order by attnum");
        string list = string.Join(", ", columns.Select(c => c switch { "ch" => "textin(bpcharout(ch))", "ip" => "textin(inet_out(ip))", _ => $"\"{c}\"::text" }));
        foreach (string?[] row in await pipeline.RowsAsync($"select {list} from streamed"))
        {
            var expected = new SortedDictionary<string, string>(StringComparer.Ordinal);
            for (int i = 1; i < columns.Length; i++)
                if (row[i] is { } value) expected[columns[i]] = value;
            (await pipeline.FieldsAsync($"streamed/h/{row[0]}")).ShouldBe(expected, $"row {row[0]}");
            string Cell(string name) => row[Array.IndexOf(columns, name)] ?? "";
            var named = await pipeline.FieldsAsync($"streamed/c/{row[0]}");
            foreach (string name in new[] { "id", "num", "b", "t", "bin", "tz", "ja" }) named[name].ShouldBe(Cell(name), $"{name} of row {row[0]}");
            named["mix"].ShouldBe($"<{Cell("t")}|{Cell("r")}|{Cell("iv")}>");
        }
    }

    static async Task AssertJson(Pipeline pipeline)
    {
        string first = (await pipeline.TextAsync("streamed/j/1"))!;
        JsonDocument.Parse(first);
        first.ShouldBe("""
            {"num":123456789012345678901234567890.123456789012345678901234567890,"cents":12345678901234567890.0123456789,"r":1.1,"d":0.30000000000000004,"i2":-32768,
            "i8":9223372036854775807,"b":true,"t":"plain","vc":"var","ch":"ab   ","bin":"AP8NCn+A","ts":"2024-02-29T23:59:59.123456","tz":"2024-02-29T18:29:59.000001Z",
            "da":"2024-02-29","ti":"23:59:59.5","tt":"10:00:00+02","iv":"P1Y2M-3DT4H5M6.789S","u":"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11","js":{"a" :  1, "a": 2},
            "jb":{"y": "é\n", "z": [1, 2.50, null]},"ia":[1,null,-3],"ta":["a,b","q\"uote","back\\slash","",null,"NULL","{x}"],"na":[1.10,"NaN"],"ba":[true,false,null],
            "ja":[{"k": "v, \"w\""}],"ma":["happy","so so"],"m":"so so","rg":"[1,5)","tr":"[\"2024-01-01 00:00:00+00\",)","pt":"(1.5,-2)","ip":"192.168.0.1/24","bt":"101",
            "lb":"domain","pr":"(7,\"x,y\")","mon":"$1,234.50","Odd Name":"odd","with:colon":"colon"}
            """.ReplaceLineEndings(""));
        for (int row = 2; row <= 6; row++) JsonDocument.Parse((await pipeline.TextAsync($"streamed/j/{row}"))!);
        using var second = JsonDocument.Parse((await pipeline.TextAsync("streamed/j/2"))!);
        string Of(string name) => second.RootElement.GetProperty(name).ToString();
        second.RootElement.GetProperty("num").GetString().ShouldBe("NaN");
        second.RootElement.GetProperty("d").GetString().ShouldBe("-Infinity");
        Of("t").ShouldBe("line\r\nfeed\ttab \u0001\u001f end");
        Of("ts").ShouldBe("infinity");
        Of("iv").ShouldBe("P-1DT1S");
        second.RootElement.GetProperty("jb").ValueKind.ShouldBe(JsonValueKind.Null);
        second.RootElement.GetProperty("vc").GetString().ShouldBe("");
        using var third = JsonDocument.Parse((await pipeline.TextAsync("streamed/j/3"))!);
        third.RootElement.GetProperty("ia").GetRawText().ShouldBe("[1,2]");
        third.RootElement.GetProperty("ta").GetRawText().ShouldBe("""[["a","b"],["c","d"]]""");
        third.RootElement.GetProperty("iv").GetString().ShouldBe("PT0S");
        third.RootElement.GetProperty("b").ValueKind.ShouldBe(JsonValueKind.Null);
        (await pipeline.TextAsync("streamed/j/6"))!.ShouldStartWith("""{"num":null,"cents":null,""");
    }

    [Fact]
    public async Task Megabytes_should_survive_both_ways()
    {
        string schema = "create table big(id int primary key, body text, data bytea); insert into big select 1, repeat('äbc\r\n', 150000), decode(repeat('00ff10', 400000), 'hex')";
        await using var pipeline = await Pipeline.StartAsync(servers, schema, """
              - big:
                  commands:
                    - ["HSET", "big:{id}", "{pairs:*}"]
                    - ["SET", "body:{id}", "{body}"]
                    - ["SET", "json:{id}", "{json:*}"]
            """);
        await pipeline.SqlAsync("insert into big select id + 1, body, data from big");
        await pipeline.CaughtUpAsync();
        string body = string.Concat(Enumerable.Repeat("äbc\r\n", 150000));
        foreach (string id in new[] { "1", "2" })
        {
            (await pipeline.TextAsync($"body:{id}") == body).ShouldBeTrue($"body {id}");
            var fields = await pipeline.FieldsAsync($"big:{id}");
            (fields["body"] == body).ShouldBeTrue($"field body {id}");
            (fields["data"] == "\\x" + string.Concat(Enumerable.Repeat("00ff10", 400000))).ShouldBeTrue($"field data {id}");
            using var json = JsonDocument.Parse((await pipeline.TextAsync($"json:{id}"))!);
            (json.RootElement.GetProperty("body").GetString() == body).ShouldBeTrue($"json body {id}");
            json.RootElement.GetProperty("data").GetBytesFromBase64().Length.ShouldBe(1_200_000);
        }
    }

    [Fact]
    public async Task Numbers_should_be_strings_in_string_mode_and_the_commit_time_stand_in_the_star_forms()
    {
        await using var pipeline = await Pipeline.PrepareAsync(servers, "create table n(id bigint primary key, a numeric(20, 4), f real, i int); insert into n values (1, 1.5, 2.5, 3)");
        await pipeline.StartNodeAsync("""
              - n:
                  commands:
                    - ["SET", "n:{id}", "{json:*}"]
                    - ["SET", "named:{id}", "{json:a,i}"]
                    - ["HSET", "h:{id}", "{pairs:*}"]
            """, edit: yaml => yaml.Replace("postgres:\n", "postgres:\n  numericMode: string\n").Replace("redis:\n", "redis:\n  commitTimeColumn: at\n"));
        const string Now = "select to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')";
        string before = (string)(await pipeline.ScalarAsync(Now))!;
        await pipeline.SqlAsync("insert into n values (9223372036854775807, -0.1, 'NaN', -2147483648)");
        string after = (string)(await pipeline.ScalarAsync(Now))!;
        await pipeline.CaughtUpAsync();
        (await pipeline.TextAsync("n:1"))!.ShouldStartWith("""{"id":1,"a":"1.5000","f":"2.5","i":3,"at":"20""");
        (await pipeline.TextAsync("named:9223372036854775807")).ShouldBe("""{"a":"-0.1000","i":-2147483648}""");
        string at = (await pipeline.FieldsAsync("h:9223372036854775807"))["at"];
        at.Length.ShouldBe(before.Length);
        at.ShouldBeGreaterThanOrEqualTo(before);
        at.ShouldBeLessThanOrEqualTo(after);
        (await pipeline.FieldsAsync("h:9223372036854775807"))["f"].ShouldBe("NaN");
    }
}
