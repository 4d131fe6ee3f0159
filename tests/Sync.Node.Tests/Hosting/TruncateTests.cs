namespace Sync.Node.Tests.Hosting;

[Collection(ServersCollection.Name)]
public class TruncateTests(Servers servers)
{
    const string Schema = """
        create table a(id int primary key, kind text, n int);
        create table b(id int primary key, a int);
        alter table a replica identity full;
        insert into a select i, 'k' || i % 2, i from generate_series(1, 50) i;
        insert into b select i, i from generate_series(1, 10) i;
        """;

    static string Tables(string truncateA, string truncateB = "") => $$"""
          - a:
              commands:
                - ["HSET", "a:{id}", "{pairs:*}"]
                - ["SADD", "kind:{kind}", "{id}"]
                - ["INCRBY", "sum", "{diff:n}"]
                - ["RPUSH", "log", "{id}"]
              {{truncateA}}
          - b:
              commands: [["SET", "a:{a}:b", "{id}"]]
              {{truncateB}}
        """;

    static bool IsOfA(string line) => line.StartsWith("a:", StringComparison.Ordinal) && !line.Contains(":b ");

    [Fact]
    public async Task Commands_should_run_between_what_came_before_and_what_comes_after()
    {
        await using var pipeline = await Pipeline.StartAsync(servers, Schema, Tables("""truncate: { commands: [["DEL", "kind:k0", "kind:k1", "sum"], ["RPUSH", "log", "truncated {%table%}"]] }"""));
        await pipeline.SqlAsync("begin; insert into a values (51, 'k1', 1); truncate a; insert into a values (52, 'k1', 5); commit; insert into a values (53, 'k0', 6)");
        await pipeline.CaughtUpAsync();
        var content = await pipeline.ContentAsync();
        content.ShouldContain("kind:k0 = (53)");
        content.ShouldContain("kind:k1 = (52)");
        content.ShouldContain("sum = 11");
        string[] log = await pipeline.ItemsAsync("LRANGE", "log", "-4", "-1");
        log[..2].ShouldBe(["51", "truncated a"]);
        log[2..].ShouldBe(["52", "53"], ignoreOrder: true);
    }

    [Fact]
    public async Task Resync_should_remove_the_keys_of_the_rows_and_no_others()
    {
        await using var pipeline = await Pipeline.StartAsync(servers, Schema, Tables("truncate: resync"));
        await pipeline.RedisAsync("SET", "a:not-a-number", "mine");
        await pipeline.SqlAsync("begin; insert into a values (51, 'k1', 1); truncate a; insert into a values (52, 'k9', 5), (3, '', 1); commit; insert into a values (53, 'k0', 6)");
        await pipeline.CaughtUpAsync();
        (await pipeline.ContentAsync()).Where(l => !IsOfB(l) && !l.StartsWith("log", StringComparison.Ordinal)).ShouldBe([
            "a:3 = {id=3, kind=, n=1}", "a:52 = {id=52, kind=k9, n=5}", "a:53 = {id=53, kind=k0, n=6}", "a:not-a-number = mine", "kind: = (3)", "kind:k0 = (53)", "kind:k9 = (52)", "sum = 12"]);
        (await pipeline.ContentAsync()).Count(IsOfB).ShouldBe(10);
        (await pipeline.ItemsAsync("LRANGE", "log", "0", "-1")).Length.ShouldBe(54, "a log keeps what was told");
        await pipeline.SqlAsync("truncate a");
        await pipeline.CaughtUpAsync();
        (await pipeline.ContentAsync()).ShouldNotContain(l => l.StartsWith("kind:", StringComparison.Ordinal));
    }

    static bool IsOfB(string line) => line.Contains(":b = ", StringComparison.Ordinal);

    [Theory]
    [InlineData("", true)]
    [InlineData("truncate: ignore", false)]
    public async Task A_truncate_that_nothing_is_said_of_should_be_a_warning(string truncate, bool warns)
    {
        await using var pipeline = await Pipeline.StartAsync(servers, Schema, Tables(truncate));
        await pipeline.SqlAsync("truncate a; insert into a values (1, 'x', 9)");
        await pipeline.CaughtUpAsync();
        (await pipeline.ContentAsync()).Count(IsOfA).ShouldBe(50);
        (await pipeline.HashAsync("a:1")).ShouldBe("id=1 kind=x n=9");
        pipeline.Log.Any(l => l.StartsWith("Warning: public.a was truncated", StringComparison.Ordinal)).ShouldBe(warns);
    }

    [Fact]
    public async Task One_statement_should_empty_several_tables()
    {
        await using var pipeline = await Pipeline.StartAsync(servers, Schema + "create table c(id int); create table d(id int primary key references b(id)); insert into d values (1);",
            Tables("truncate: resync", "truncate: resync") + "\n  - d:\n      truncate: resync");
        await pipeline.SqlAsync("truncate a, b, c restart identity cascade; insert into b values (1, 7)");
        await pipeline.CaughtUpAsync();
        (await pipeline.ContentAsync()).Where(l => !l.StartsWith("log", StringComparison.Ordinal)).ShouldBe(["a:7:b = 1"]);
    }

    [Fact]
    public async Task Keys_that_another_table_writes_too_should_stay_and_be_counted()
    {
        await using var pipeline = await Pipeline.StartAsync(servers, Schema, """
              - a:
                  commands: [["HSET", "row:{id}", "{pairs:kind,n}"]]
                  truncate: resync
              - b:
                  commands: [["HINCRBY", "row:{a}", "bs", "{diff:id}"]]
            """);
        await pipeline.SqlAsync("truncate a");
        await pipeline.CaughtUpAsync();
        (await pipeline.KeysAsync()).Length.ShouldBe(50);
        pipeline.Log.ShouldContain(l => l.Contains("50 keys stay"));
    }
}
