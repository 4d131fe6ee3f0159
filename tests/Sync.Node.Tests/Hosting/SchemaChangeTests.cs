using Sync.Node.Hosting;

namespace Sync.Node.Tests.Hosting;

/// <summary>ALTER TABLE while a node streams.</summary>
[Collection(ServersCollection.Name)]
public class SchemaChangeTests(Servers servers)
{
    const string Two = """
        create table a(id int primary key, name text, n int);
        create table b(id int primary key, name text);
        """;

    const string Strict = """
          - a:
              commands: [["HSET", "a:{id}", "name", "{name}", "n", "{n}"]]
          - b
        """;

    static Task StoppedAsync(Pipeline pipeline, string table) => pipeline.UntilAsync(
        () => Task.FromResult(pipeline.Host.Status.Tables.Single(t => t.Table == table).Error.Length > 0), $"{table} should be stopped");

    /// <summary>By the stream alone; what the watch of the schema does besides is turned off.</summary>
    [Fact]
    public async Task Columns_that_come_go_and_change_should_be_followed()
    {
        await using var pipeline = await Pipeline.PrepareAsync(servers, "create table t(id int primary key, a text, b int)");
        await pipeline.StartNodeAsync("""
              - t:
                  commands:
                    - ["HSET", "t:{id}", "{pairs:*}"]
                    - ["SET", "j:{id}", "{json:*}"]
            """, edit: yaml => yaml.Replace("postgres:\n", "postgres:\n  onSchemaChange: warn\n"));
        await pipeline.SqlAsync("insert into t values (1, 'x', 1); alter table t add column c timestamptz default '2024-01-01 00:00Z'; insert into t values (2, 'y', 2)");
        await pipeline.SqlAsync("alter table t drop column a; insert into t values (3, 3); alter table t rename column b to d; insert into t values (4, 4)");
        await pipeline.SqlAsync("alter table t alter column d type text using '<' || d || '>'; insert into t values (5, '5'); alter table t add column e int[]; insert into t values (6, '6', null, '{1,2}')");
        await pipeline.SqlAsync("update t set d = 'z' where id = 2");
        await pipeline.CaughtUpAsync();
        const string at = "2024-01-01T00:00:00.000000Z";
        (await pipeline.TextAsync("j:1")).ShouldBe("""{"id":1,"a":"x","b":1}""");
        (await pipeline.TextAsync("j:2")).ShouldBe($$"""{"id":2,"d":"z","c":"{{at}}","e":null}""");
        (await pipeline.TextAsync("j:3")).ShouldBe($$"""{"id":3,"b":3,"c":"{{at}}"}""");
        (await pipeline.TextAsync("j:4")).ShouldBe($$"""{"id":4,"d":4,"c":"{{at}}"}""");
        (await pipeline.TextAsync("j:5")).ShouldBe($$"""{"id":5,"d":"5","c":"{{at}}"}""");
        (await pipeline.TextAsync("j:6")).ShouldBe("""{"id":6,"d":"6","c":null,"e":[1,2]}""");
        (await pipeline.HashAsync("t:6")).ShouldBe("d=6 e={1,2} id=6");
        pipeline.Host.Status.Tables.ShouldAllBe(t => t.Error == "");
    }

    [Theory]
    [InlineData("full")]
    [InlineData("default")]
    public async Task A_primary_key_renamed_while_the_node_is_away_should_be_followed(string identity)
    {
        await using var pipeline = await Pipeline.StartAsync(servers, $"create table u(id int primary key, name text); alter table u replica identity {identity}; insert into u values (1, 'a'), (2, 'b')", "  - u");
        await pipeline.CaughtUpAsync();
        await pipeline.StopNodeAsync();
        await pipeline.SqlAsync("update u set name = 'c' where id = 1; delete from u where id = 2; insert into u values (3, 'd'); alter table u rename id to number; insert into u values (4, 'e')");
        await pipeline.StartNodeAsync("  - u");
        await pipeline.CaughtUpAsync();
        pipeline.Host.Status.Tables.ShouldAllBe(t => t.Error == "");
        string[] expected = ["public.u:1 = {name=c, number=1}", "public.u:3 = {name=d, number=3}", "public.u:4 = {name=e, number=4}"];
        await pipeline.UntilAsync(async () => Enumerable.SequenceEqual(expected, await pipeline.ContentAsync()), "the table should be read again, because a column has another name");
    }

    [Fact]
    public async Task Types_made_in_the_transaction_that_uses_them_should_be_known()
    {
        await using var pipeline = await Pipeline.StartAsync(servers, "create table t(id int primary key)", """
              - t:
                  commands: [["SET", "t:{id}", "{json:*}"]]
            """);
        for (int i = 0; i < 8; i++)
            await pipeline.SqlAsync($"begin; create type mood{i} as enum ('a', 'b'); create domain doc{i} as jsonb; alter table t add m{i} mood{i}[], add d{i} doc{i}; insert into t(id, m{i}, d{i}) values ({i}, '{{a,b}}', '[{i}]'); commit");
        await pipeline.CaughtUpAsync();
        for (int i = 0; i < 8; i++) (await pipeline.TextAsync($"t:{i}"))!.ShouldEndWith($"\"m{i}\":[\"a\",\"b\"],\"d{i}\":[{i}]}}");
    }

    [Fact]
    public async Task A_placeholder_whose_column_is_gone_should_stop_its_table_alone_until_it_is_copied_anew()
    {
        await using var pipeline = await Pipeline.StartAsync(servers, Two, Strict);
        await pipeline.SqlAsync("insert into a values (1, 'one', 1), (2, 'two', 2), (3, 'three', 3); alter table a rename column name to title; insert into b values (1, 'b')");
        await pipeline.CaughtUpAsync();
        pipeline.Host.Status.Tables.ShouldAllBe(t => t.Error == "", "nothing is lost before a row comes");
        await pipeline.SqlAsync("insert into a values (4, 'four', 4); insert into b values (2, 'b'); delete from a where id = 2; update a set title = 'drei' where id = 3");
        await StoppedAsync(pipeline, "public.a");
        await pipeline.CaughtUpAsync();
        string error = pipeline.Host.Status.Tables.Single(t => t.Table == "public.a").Error;
        error.ShouldContain("'name'");
        error.ShouldContain("public.a");
        pipeline.Host.Status.Tables.Single(t => t.Table == "public.b").Error.ShouldBe("");
        pipeline.Log.Count(l => l.StartsWith("Error: public.a is stopped", StringComparison.Ordinal)).ShouldBe(1);
        (await pipeline.ContentAsync()).ShouldBe(["a:1 = {n=1, name=one}", "a:2 = {n=2, name=two}", "a:3 = {n=3, name=three}", "public.b:1 = {id=1, name=b}", "public.b:2 = {id=2, name=b}"]);

        await pipeline.SqlAsync("alter table a rename column title to name; insert into a values (5, 'five', 5); alter table a rename column name to title; insert into b values (3, null)");
        await pipeline.CaughtUpAsync();
        (await pipeline.HashAsync("a:5")).ShouldBe("", "rows were left out, so later ones must not be written on top");

        await servers.Postgres.KillWalSendersAsync();
        await pipeline.SqlAsync("insert into b values (4, 'after')");
        await pipeline.UntilAsync(async () => await pipeline.HashAsync("public.b:4") != "", "the other table should go on after a lost connection");
        await pipeline.StopNodeAsync();

        await pipeline.StartNodeAsync(Strict.Replace("\"{name}\"", "\"{title}\"", StringComparison.Ordinal));
        await pipeline.SqlAsync("update a set n = 40 where id = 4");
        await pipeline.CaughtUpAsync();
        (await pipeline.ContentAsync()).Where(l => l.StartsWith('a')).ShouldBe(
            ["a:1 = {n=1, name=one}", "a:3 = {n=3, name=drei}", "a:4 = {n=40, name=four}", "a:5 = {n=5, name=five}"], "row 2 was deleted meanwhile");
        pipeline.Host.Status.Tables.ShouldAllBe(t => t.Error == "");
    }

    [Fact]
    public async Task Rows_of_an_earlier_shape_should_be_no_harm_when_the_copy_shows_them_already()
    {
        await using var pipeline = await Pipeline.PrepareAsync(servers, Two);
        await pipeline.StartNodeAsync("  - b");
        await pipeline.StopNodeAsync();
        await pipeline.SqlAsync("alter publication pub add table a; insert into a values (1, 'one', 1); alter table a rename column name to title; insert into a values (2, 'two', 2)");
        await pipeline.StartNodeAsync(Strict.Replace("{name}", "{title}", StringComparison.Ordinal));
        await pipeline.SqlAsync("insert into a values (3, 'three', 3)");
        await pipeline.CaughtUpAsync();
        (await pipeline.ContentAsync()).ShouldBe(["a:1 = {n=1, name=one}", "a:2 = {n=2, name=two}", "a:3 = {n=3, name=three}"]);
        pipeline.Host.Status.Tables.ShouldAllBe(t => t.Error == "");
    }

    [Fact]
    public async Task A_table_that_is_renamed_should_be_stopped_and_not_be_forgotten()
    {
        await using var pipeline = await Pipeline.StartAsync(servers, Two, Strict);
        await pipeline.SqlAsync("insert into a values (1, 'one', 1); alter table a rename to c; insert into c values (2, 'two', 2); insert into b values (1, 'b')");
        await StoppedAsync(pipeline, "public.a");
        await pipeline.CaughtUpAsync();
        pipeline.Host.Status.Tables.Single(t => t.Table == "public.a").Error.ShouldContain("public.c");
        (await pipeline.HashAsync("public.b:1")).ShouldBe("id=1 name=b");
    }

    [Fact]
    public async Task A_thinner_replica_identity_should_be_named_in_the_log()
    {
        await using var pipeline = await Pipeline.StartAsync(servers, Two + "alter table a replica identity full", """
              - a:
                  update:
                    commands: [["PUBLISH", "a", "{old:name}"]]
            """);
        pipeline.Log.ShouldNotContain(l => l.Contains("REPLICA IDENTITY FULL"));
        await pipeline.SqlAsync("alter table a replica identity default; insert into a values (1, 'x', 1)");
        await pipeline.CaughtUpAsync();
        pipeline.Log.ShouldContain(l => l.StartsWith("Warning", StringComparison.Ordinal) && l.Contains("ALTER TABLE public.a REPLICA IDENTITY FULL"));
    }

    [Fact]
    public async Task Tables_that_are_not_configured_should_be_left_alone_in_a_publication_of_all()
    {
        await using var pipeline = await Pipeline.PrepareAsync(servers, Two + "create publication pub for all tables; create table noise(x int)");
        await pipeline.StartNodeAsync("  - b");
        await pipeline.SqlAsync("insert into a values (1, 'x', 1); insert into noise values (1); create table later(id int primary key); insert into later values (1); truncate noise, a; insert into b values (1, 'b'); create temp table tt(i int)");
        await pipeline.CaughtUpAsync();
        (await pipeline.ContentAsync()).ShouldBe(["public.b:1 = {id=1, name=b}"]);
        pipeline.Host.Status.State.ShouldBe(NodeState.Streaming);
    }
}
