using Sync.Engine.DeadLetters;
using Sync.Node.Hosting;
using Sync.Node.Http;
using Sync.Testing;

namespace Sync.Node.Tests.Hosting.Life;

/// <summary>
/// Rows that Redis can't take for their size. It closed the connection over them, and the node sent them again for ever, with everything behind them waiting;
/// the copy never ended.
/// </summary>
[Collection(LimitsCollection.Name)]
[Trait("Speed", "Slow")]
public class LimitsTests(Servers servers)
{
    const string Schema = "create table t(id int primary key, k text, body text, more text, rest text)";

    /// <summary>A stage whose client is StackExchange.Redis if it is the second, and whose user may ask Redis for its limits or not.</summary>
    async Task<Stage> OpenAsync(RedisServer redis, string tables, bool second, bool isTold)
    {
        var stage = await Stage.OpenAsync(servers.Postgres, redis, Schema, tables);
        if (!isTold) await stage.RedisAsync("ACL", "SETUSER", "limited", "on", ">pass", "~*", "&*", "+@all", "-config");
        stage.Edit = yaml =>
        {
            if (!isTold) yaml = yaml.Replace("redis:\n  conn: { ", "redis:\n  conn: { user: limited, password: pass, ", StringComparison.Ordinal);
            return second ? SecondClientTests.WithSecond(yaml) : yaml;
        };
        return stage;
    }

    static async Task<DeadLetter[]> LettersAsync(Stage stage) =>
        [.. await new RedisDeadLetterReader(Pipeline.Load(stage.Config(1, stage.Postgres.Port, stage.Redis.Port)), TimeProvider.System).ListAsync(null, 100, default)];

    [Theory]
    [InlineData(false, true)]
    [InlineData(false, false)]
    [InlineData(true, true)]
    [InlineData(true, false)]
    public async Task A_value_that_is_too_large_should_be_parked_by_reference_and_hold_up_nothing(bool second, bool isTold)
    {
        using var redis = await RedisServer.StartAsync("--proto-max-bulk-len", "1mb");
        await using var stage = await OpenAsync(redis, "  - t", second, isTold);
        await stage.SqlAsync("insert into t(id, k) select i, 'copied' from generate_series(1, 20) i; update t set body = repeat('x', 2000000) where id = 7");
        var node = await stage.StartAsync(2);
        await stage.CaughtUpAsync(node);
        node.Status.DeadLetters.ShouldBe(1, "the row of the copy");
        node.Status.Ready.ShouldBeTrue();

        await stage.SqlAsync("insert into t(id, k) values (30, 'before'); insert into t(id, k, body) values (31, 'large', repeat('y', 1500000)); insert into t(id, k) values (32, 'behind')");
        await stage.SqlAsync("update t set k = 'waits' where id = 31; update t set k = 'changed' where id = 1");
        await stage.CaughtUpAsync(node);
        (await stage.KeysAsync()).Length.ShouldBe(21, "all rows but the two that are too large");
        (await stage.RedisAsync("HGET", "public.t:32", "k")).ShouldBe("behind");
        (await stage.RedisAsync("HGET", "public.t:1", "k")).ShouldBe("changed");

        var letters = await LettersAsync(stage);
        letters.Select(l => l.Attempts).ShouldBe([1, 1, 0]);
        letters.Select(l => l.Reference?.Row).ShouldBe(["id = 7", "id = 31", "id = 31"]);
        letters[1].Reference!.Commands.ShouldStartWith("HSET");
        letters[1].Reference!.Setting.ShouldBe(isTold || !second ? "proto-max-bulk-len" : "client-query-buffer-limit or proto-max-bulk-len");
        letters[1].Commands.Length.ShouldBe(0);
        letters[1].Position.ShouldNotBe(Contracts.Position.None);
        node.Log.ShouldContain(l => l.Contains("public.t") && l.Contains(isTold || !second ? "1,500,000 bytes" : " bytes together") && l.Contains("proto-max-bulk-len"));
        if (!isTold && !second) node.Log.ShouldContain(l => l.Contains("invalid bulk length"), "Redis' own words");
        if (isTold) node.Status.Retries.ShouldBe(0, "what is known to be too large is not sent");

        var retried = await node.Host.RetryDeadLettersAsync(null, false, default);
        (retried.Applied, retried.Failed, retried.NotTried).ShouldBe((0, 0, 2));
        retried.Reason.ShouldContain("verify --repair");
        (await stage.RedisAsync("PING")).ShouldBe("PONG");
        await node.Host.DropDeadLettersAsync(null, null, default);
        await stage.SqlAsync("update t set body = 'short' where id = 31");
        await stage.CaughtUpAsync(node);
        (await stage.RedisAsync("HGET", "public.t:31", "body")).ShouldBe("short", "the key is free again");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_value_over_which_Redis_closes_the_connection_without_a_word_should_be_found_and_parked(bool isTold)
    {
        using var redis = await RedisServer.StartAsync("--client-query-buffer-limit", "1mb");
        await using var stage = await OpenAsync(redis, "  - t", second: false, isTold);
        var node = await stage.StartAsync(1);
        await stage.SqlAsync("insert into t(id, body) select i, repeat('x', 200000) from generate_series(1, 12) i");
        await stage.CaughtUpAsync(node);
        node.Status.DeadLetters.ShouldBe(0, node.Status.LastError);
        (await stage.KeysAsync()).Length.ShouldBe(12);

        await stage.SqlAsync("begin; insert into t(id, k) values (20, 'before'); insert into t(id, body) values (21, repeat('x', 1500000)); "
            + "insert into t(id, body) select i, repeat('x', 400000) from generate_series(22, 25) i; commit");
        await stage.CaughtUpAsync(node);
        (await stage.KeysAsync()).Length.ShouldBe(17);
        var letter = (await LettersAsync(stage)).ShouldHaveSingleItem();
        letter.Reference!.Row.ShouldBe("id = 21");
        letter.Reference.Setting.ShouldStartWith("client-query-buffer-limit");
        node.Log.ShouldContain(l => l.Contains("client-query-buffer-limit"));
        node.Status.Ready.ShouldBeTrue();
    }

    [Theory]
    [InlineData(false, true)]
    [InlineData(false, false)]
    [InlineData(true, true)]
    [InlineData(true, false)]
    public async Task What_Redis_refuses_for_another_reason_should_be_parked_by_reference_when_it_is_too_large_to_be_kept(bool second, bool isTold)
    {
        using var redis = await RedisServer.StartAsync("--proto-max-bulk-len", "1mb");
        await using var stage = await OpenAsync(redis, """
              - t:
                  commands: [["RPUSH", "list:{k}", "{body}", "{more}"]]
            """, second, isTold);
        var node = await stage.StartAsync(1);
        await stage.RedisAsync("SET", "list:a", "in the way");
        await stage.SqlAsync("insert into t values (1, 'a', repeat('x', 700000), repeat('y', 700000)), (2, 'b', 'x', 'y')");
        await stage.CaughtUpAsync(node);
        (await stage.ItemsAsync("LRANGE", "list:b", "0", "-1")).ShouldBe(["x", "y"]);
        var letter = (await LettersAsync(stage)).ShouldHaveSingleItem();
        if (!second) letter.Error.ShouldContain("WRONGTYPE");
        letter.Reference!.Row.ShouldBe("id = 1");
        letter.Reference.Commands.ShouldBe("RPUSH");
    }

    [Fact]
    public async Task A_string_that_would_grow_too_long_should_be_parked_with_its_command()
    {
        using var redis = await RedisServer.StartAsync("--proto-max-bulk-len", "1mb");
        await using var stage = await OpenAsync(redis, """
              - t:
                  key: "k:{k}"
                  commands: [["APPEND", "log:{k}", "{body}"]]
            """, second: false, isTold: true);
        var node = await stage.StartAsync(1);
        await stage.SqlAsync("insert into t values (1, 'a', repeat('x', 700000)); insert into t values (2, 'a', repeat('y', 700000)); insert into t values (3, 'b', 'z')");
        await stage.CaughtUpAsync(node);
        (await stage.RedisAsync("GET", "log:b")).ShouldBe("z");
        (await stage.CountAsync("STRLEN", "log:a")).ShouldBe(700000);
        var letter = (await LettersAsync(stage)).ShouldHaveSingleItem();
        letter.Error.ShouldContain("maximum allowed size");
        letter.Reference.ShouldBeNull();
        await stage.RedisAsync("DEL", "log:a");
        (await node.Host.RetryDeadLettersAsync(null, false, default)).ShouldBe(new RetryOutcome(1, 0));
        (await stage.CountAsync("STRLEN", "log:a")).ShouldBe(700000);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_limit_that_is_changed_should_hold_at_once(bool second)
    {
        using var redis = await RedisServer.StartAsync("--proto-max-bulk-len", "1mb");
        await using var stage = await OpenAsync(redis, "  - t", second, isTold: true);
        var node = await stage.StartAsync(1);
        await stage.SqlAsync("insert into t(id, k) values (1, 'a'); insert into t(id, body) values (2, repeat('x', 2000000)), (3, repeat('x', 2000000))");
        await stage.CaughtUpAsync(node);
        node.Status.DeadLetters.ShouldBe(2);
        await stage.RedisAsync("CONFIG", "SET", "proto-max-bulk-len", "4mb");
        // What was parked is given up, and the row read again.
        await node.Host.DropDeadLettersAsync(null, null, default);
        await node.Host.StartResyncAsync("public.t", 100_000, default);
        await node.UntilAsync(() => node.Status.Resyncs.All(r => r.IsOver), "the re-sync should end");
        (await stage.CountAsync("HSTRLEN", "public.t:2", "body")).ShouldBe(2_000_000, string.Join('\n', node.Log));
        await stage.SqlAsync("update t set body = body || 'y' where id = 3");
        await stage.CaughtUpAsync(node);
        (await stage.CountAsync("HSTRLEN", "public.t:3", "body")).ShouldBe(2_000_001);

        await stage.RedisAsync("CONFIG", "SET", "proto-max-bulk-len", "1mb");
        await stage.SqlAsync("update t set body = body || 'z' where id = 3; update t set k = 'b' where id = 1");
        await stage.CaughtUpAsync(node);
        node.Status.DeadLetters.ShouldBe(1);
        (await stage.RedisAsync("HGET", "public.t:1", "k")).ShouldBe("b");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_Redis_with_too_many_clients_should_be_quoted_and_the_node_not_be_ready_soon(bool second)
    {
        using var redis = await RedisServer.StartAsync();
        await using var stage = await OpenAsync(redis, "  - t", second, isTold: true);
        stage.Extra = "retryPolicy: { initialBackoff: 500ms, maxBackoff: 30s }";
        stage.Edit = Compose(stage.Edit, yaml => yaml.Replace("retryPolicy: { initialBackoff: 20ms, maxBackoff: 200ms }\n", "", StringComparison.Ordinal));
        var node = await stage.StartAsync(1);
        using (var admin = await redis.ClientAsync())
        {
            await admin.CommandAsync("CONFIG", "SET", "maxclients", "1");
            await admin.CommandAsync("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
            await stage.SqlAsync("insert into t(id, k) values (1, 'late')");
            await node.UntilAsync(() => node.Status.LastError.Length > 0, "the refusal should be noticed");
            var since = System.Diagnostics.Stopwatch.StartNew();
            await node.UntilAsync(() => !node.Status.Ready, "the node should not be ready");
            since.Elapsed.ShouldBeLessThan(TimeSpan.FromSeconds(2));
            await node.UntilAsync(() => node.Status.LastError.Contains("ERR max number of clients reached"), "Redis should be quoted");
            node.Log.ShouldContain(l => l.Contains("ERR max number of clients reached"));
            StatusEndpoints.Readiness(node.Status).Text.ShouldContain("ERR max number of clients reached");
            await admin.CommandAsync("CONFIG", "SET", "maxclients", "1000");
        }
        await stage.CaughtUpAsync(node);
        await node.UntilAsync(() => node.Status.Ready, "the node should be ready again");
        (await stage.RedisAsync("HGET", "public.t:1", "k")).ShouldBe("late");
    }

    static Func<string, string> Compose(Func<string, string> first, Func<string, string> then) => yaml => then(first(yaml));
}

/// <summary>Nodes whose Redis, each of its own, takes less than rows may hold.</summary>
[CollectionDefinition(Name)]
public sealed class LimitsCollection : ICollectionFixture<Servers>
{
    public const string Name = "limits";
}
