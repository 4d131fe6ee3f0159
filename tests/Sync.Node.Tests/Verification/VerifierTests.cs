using Sync.Node.Tests.Hosting;
using Sync.Testing;

namespace Sync.Node.Tests.Verification;

/// <summary>Tables, keys and values of all kinds, and what can't be compared.</summary>
[Collection(VerificationCollection.Name)]
[Trait("Speed", "Slow")]
public class VerifierTests(Servers servers)
{
    [Fact]
    public async Task Odd_values_and_keys_should_be_clean_and_their_drift_found()
    {
        await using var pipeline = await Pipeline.StartAsync(servers, """
            create type mood as enum ('sad', 'so so');
            create table odd(k text, d timestamptz, num numeric, r real, f float8, b boolean, bin bytea, js json, a text[], iv interval, m mood, c char(5), primary key (k, d));
            insert into odd values
              ('a:b', '2024-02-29 23:59:59.000001+05:30', 'NaN', 'NaN', '-Infinity', true, '\x00ff0d0a', '{"a" :  1}', array['x,y', null], '1 mon', 'so so', 'ab'),
              (E'line\r\n*1\t', '-infinity', 1e20::numeric, 1.1, 0.1::float8 + 0.2::float8, false, '', 'null', '{}', '-1 day', 'sad', ''),
              ('', '0044-03-15 12:00:00+00 BC', -0.00, '-0', 5e-324, null, null, null, null, null, null, null),
              ('ключ {x} ''"\*?[', '10000-01-01', 12345678901234567890.12345, 1e30, 1, true, '\x5c', '[]', '{{a},{b}}', '0', 'sad', 'c');
            """, """
              - odd:
                  columns: { exclude: [k], rename: { num: number } }
                  commands:
                    - ["HSET", "h/{%pk%}", "{pairs:*}"]
                    - ["SET", "j/{d}/{k}", "{json:*}"]
                    - ["SADD", "all", "{k}|{d}"]
            """);
        await pipeline.SqlAsync("insert into odd select k || '+', d, num, r, f, b, bin, js, a, iv, m, c from odd");
        await pipeline.CaughtUpAsync();
        var report = await pipeline.VerifyAsync();
        report.ShouldBeClean();
        (report.Tables[0].Rows, report.Tables[0].Keys, report.Tables[0].Searched, report.Tables[0].Untraceable).ShouldBe((8, 24, 24, 0));

        await pipeline.RedisAsync("DEL", "h/:0044-03-15 12:00:00+00 BC");
        await pipeline.RedisAsync("HSET", "h/a:b:2024-02-29 18:29:59.000001+00", "bin", "x");
        await pipeline.RedisAsync("SET", "j/-infinity/nobody", "x");
        await pipeline.RedisAsync("SADD", "all", "nobody|2024-01-01 00:00:00+00");
        (await pipeline.VerifyAsync()).Differences().ShouldBe([
            "different \"h/a:b:2024-02-29 18:29:59.000001+00\": field bin should be \"\\\\x00ff0d0a\", is x",
            "extra all: member nobody|2024-01-01 00:00:00+00: no row leads to it",
            "extra j/-infinity/nobody: no row leads to it",
            "missing \"h/:0044-03-15 12:00:00+00 BC\": no such key",
        ]);
    }

    [PostgresFact(15)]
    public async Task Filters_should_be_those_of_publication_and_table()
    {
        await using var pipeline = await Pipeline.PrepareAsync(servers, """
            create table picked(id int primary key, secret text, live boolean, region text);
            insert into picked select i, 'secret', i % 2 = 0, 'r' || i % 3 from generate_series(1, 30) i;
            alter table picked replica identity full;
            create publication pub for table picked (id, live, region) where (region <> 'r0') with (publish_via_partition_root);
            """);
        await pipeline.StartNodeAsync("""
              - picked:
                  when: { column: live, op: "=", value: true }
            """);
        await pipeline.CaughtUpAsync();
        (await pipeline.KeysAsync()).Length.ShouldBe(10);
        var report = await pipeline.VerifyAsync();
        report.ShouldBeClean();
        (report.Tables[0].Rows, report.Tables[0].Keys).ShouldBe((20, 10));
        foreach (string id in (string[])["3", "1", "99"]) await pipeline.RedisAsync("HSET", $"public.picked:{id}", "id", id);
        (await pipeline.VerifyAsync()).Differences().ShouldBe([
            "extra public.picked:1: no row leads to it", "extra public.picked:3: no row leads to it", "extra public.picked:99: no row leads to it",
        ]);
    }

    [Fact]
    public async Task Partitions_and_unique_columns_should_be_compared()
    {
        await using var pipeline = await Pipeline.StartAsync(servers, """
            create table part(id int, day date, email text, primary key (id, day)) partition by range (day);
            create table part_1 partition of part for values from ('2024-01-01') to ('2024-02-01');
            create table part_2 partition of part for values from ('2024-02-01') to ('2024-03-01');
            create table person(id int primary key, email text unique);
            alter table person replica identity full;
            insert into part select i, '2024-01-20'::date + i, 'e' from generate_series(1, 30) i;
            insert into person select i, 'e' || i from generate_series(1, 10) i;
            """, """
              - part
              - person: { key: "{email}", commands: [["SET", "by-email:{email}", "{id}"], ["SET", "last", "{id}"]] }
            """);
        await pipeline.SqlAsync("update person set email = 'new' where id = 3; delete from person where id = 4; insert into person values (44, 'e4')");
        await pipeline.CaughtUpAsync();
        var report = await pipeline.VerifyAsync();
        report.ShouldBeClean();
        report.Tables.Select(t => t.Rows).ShouldBe([30, 10]);
        report.Tables[1].NotVerifiable.ShouldBe(["SET last {id}: several rows may write the same place"]);
        report.Tables[1].NotSearched[0].ShouldBe("SET by-email:{email} {id}: the primary key can't be read back from its keys");
        await pipeline.RedisAsync("DEL", "public.part:3:2024-01-23");
        await pipeline.RedisAsync("SET", "by-email:new", "4");
        (await pipeline.VerifyAsync()).Differences().ShouldBe([
            "different by-email:new: should be 3, is 4", "missing public.part:3:2024-01-23: no such key",
        ]);
    }

    [Fact]
    public async Task Keys_that_two_tables_write_should_be_compared_where_each_is_alone()
    {
        await using var pipeline = await Pipeline.StartAsync(servers, """
            create table account(id int primary key, name text);
            create table profile(account_id int primary key, name text, city text);
            insert into account select i, 'a' || i from generate_series(1, 5) i;
            insert into profile select i, 'p' || i, 'c' || i from generate_series(1, 5) i;
            """, """
              - account: { commands: [["HSET", "user:{id}", "id", "{id}", "name", "{name}"], ["SADD", "users", "{id}"]] }
              - profile: { commands: [["HSET", "user:{account_id}", "{pairs:name,city}"], ["SADD", "users", "{account_id}"]] }
            """);
        await pipeline.SqlAsync("update account set name = 'latest' where id = 2");
        await pipeline.CaughtUpAsync();
        var report = await pipeline.VerifyAsync();
        report.Drift.ShouldBe(0);
        report.Tables.Sum(t => t.Contested).ShouldBeGreaterThan(0);
        await pipeline.RedisAsync("HSET", "user:3", "city", "x");
        await pipeline.RedisAsync("HDEL", "user:4", "id");
        (await pipeline.VerifyAsync()).Differences().Where(d => !d.StartsWith("contested", StringComparison.Ordinal)).ShouldBe([
            "different user:3: field city should be c3, is x", "missing user:4: field id should be 4, is not there",
        ]);
    }

    [Fact]
    public async Task Commands_whose_result_is_in_no_row_should_be_named_and_not_compared()
    {
        await using var pipeline = await Pipeline.StartAsync(servers, """
            create table t(id int primary key, n int, s text);
            alter table t replica identity full;
            insert into t select i, i, 's' from generate_series(1, 3) i;
            create table nokey(n int);
            create table gone(id int primary key);
            insert into gone values (1), (2);
            """, """
              - t:
                  insert: { commands: [["HSET", "both:{id}", "n", "{n}"], ["SET", "first:{id}", "{s}"], ["HINCRBY", "both:{id}", "count", "1"], ["SET", "x:{id}", "{%xid%}"]] }
                  update:
                    commands:
                      - ["HSET", "both:{id}", "n", "{n}"]
                      - ["SET", "x:{id}", "{%xid%}"]
                      - command: ["SET", "changed:{id}", "1"]
                        condition: { column: n, op: is_distinct_from, value: "{old:n}" }
                  delete: { commands: [["DEL", "both:{id}"]] }
              - nokey: { publishWithoutIdentity: true, commands: [["RPUSH", "list", "{n}"]] }
              - gone: { insert: { commands: [["SET", "gone:{id}", "1"]] }, update: { commands: [["SET", "gone:{id}", "1"]] } }
            """);
        await pipeline.SqlAsync("update t set n = 7, s = 'later' where id = 1; delete from gone where id = 2");
        await pipeline.CaughtUpAsync();
        var report = await pipeline.VerifyAsync();
        report.ShouldBeClean();
        report.Tables[0].NotVerifiable.ShouldBe([
            "SET first:{id} {s}: updates write otherwise", "HINCRBY both:{id} count 1: its effect depends on what was there before",
            "SET changed:{id} 1: only updates run it",
        ]);
        report.Tables[0].NotSearched.ShouldContain("HSET both:{id} n {n}: what is counted in the same key may outlive the row");
        report.Tables[1].Skipped.ShouldContain("no primary key");
        report.Tables[2].NotSearched.ShouldBe(["SET gone:{id} 1: deletes don't remove it"]);
        await pipeline.RedisAsync("HSET", "both:1", "n", "0");
        await pipeline.RedisAsync("HSET", "both:2", "count", "9");
        await pipeline.RedisAsync("DEL", "x:3");
        (await pipeline.VerifyAsync()).Differences().ShouldBe(["different both:1: field n should be 7, is 0", "missing x:3: no such key"]);
    }

    [Fact]
    public async Task Parked_rows_should_be_told_apart_from_drift()
    {
        await using var pipeline = await Pipeline.StartAsync(servers, """
            create table t(id int primary key, name text);
            insert into t select i, 'n' || i from generate_series(1, 5) i;
            """, """
              - t: { commands: [["HSET", "t:{id}", "{pairs:*}"], ["SET", "name:{name}:{id}", "1"]] }
            """);
        await pipeline.RedisAsync("DEL", "t:2");
        await pipeline.RedisAsync("RPUSH", "t:2", "x");
        await pipeline.SqlAsync("update t set name = 'two' where id = 2; insert into t values (6, null)");
        await pipeline.UntilAsync(() => Task.FromResult(pipeline.Host.Status.DeadLetters > 1), "both rows should be parked");
        await pipeline.CaughtUpAsync();
        var report = await pipeline.VerifyAsync();
        report.Drift.ShouldBe(0, string.Join('\n', report.Differences()));
        report.Tables[0].Parked.ShouldBeGreaterThanOrEqualTo(2);
        report.Differences().ShouldAllBe(d => d.StartsWith("parked "));
    }

    [Fact]
    public async Task Without_a_node_Redis_should_be_compared_as_it_is_and_the_report_should_say_so()
    {
        await using var pipeline = await Pipeline.StartAsync(servers, "create table t(id int primary key); insert into t values (1), (2)", "  - t");
        await pipeline.CaughtUpAsync();
        (await pipeline.VerifyAsync()).Node.ShouldContain("process");
        await pipeline.StopNodeAsync();
        var clean = await pipeline.VerifyAsync();
        clean.ShouldBeClean();
        clean.Node.ShouldBe("");
        clean.Note.ShouldStartWith("no node runs");
        await pipeline.SqlAsync("insert into t values (3)");
        var behind = await pipeline.VerifyAsync();
        behind.Differences().ShouldBe(["missing public.t:3: no such key"]);
        behind.Note.ShouldContain("what changed in between counts as different");
    }
}
