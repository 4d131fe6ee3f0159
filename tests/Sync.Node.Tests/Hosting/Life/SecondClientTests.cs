using Sync.Node.Hosting;

namespace Sync.Node.Tests.Hosting.Life;

/// <summary>A node whose client is StackExchange.Redis, over the same troubles as one with our own.</summary>
[Collection(BreakableCollection.Name)]
[Trait("Speed", "Slow")]
public class SecondClientTests(BreakableServers servers)
{
    /// <summary>Chooses the second client.</summary>
    public static string WithSecond(string yaml) => yaml.Replace("redis:\n", "redis:\n  client: stackexchange\n", StringComparison.Ordinal);

    async Task<Stage> StageAsync(string extra = "")
    {
        var stage = await Stage.OpenAsync(servers, Bookings.Schema, Bookings.Tables, extra);
        stage.Edit = WithSecond;
        return stage;
    }

    static async Task FlowAsync(TestNode node)
    {
        long rows = node.Status.Tables[0].Rows;
        await node.UntilAsync(() => node.Status.State == NodeState.Streaming && node.Status.Tables[0].Rows > rows + 100, "rows should flow");
    }

    static async Task ShouldBeExactAsync(Stage stage, Bookings bookings, TestNode node)
    {
        await bookings.StopAsync();
        await stage.CaughtUpAsync(node);
        await bookings.ShouldBeExactAsync();
        node.Status.DeadLetters.ShouldBe(0);
    }

    [Fact]
    public async Task Copies_streams_stops_and_crashes_should_apply_every_change_once()
    {
        await using var stage = await StageAsync();
        await using var bookings = new Bookings(stage);
        await bookings.BookAsync(3000);
        var node = await stage.StartAsync(3);
        (await stage.RedisAsync("CLIENT", "LIST")).ShouldBeOfType<string>().ShouldContain("name=actorsync");
        bookings.Start();
        for (int round = 0; round < 4; round++)
        {
            await FlowAsync(node);
            if (round % 2 == 0) node.Crash();
            else await node.StopAsync();
            node = await stage.StartAsync(1 + round);
        }
        await ShouldBeExactAsync(stage, bookings, node);
    }

    [Fact]
    public async Task A_Redis_that_is_killed_and_connections_that_are_cut_should_lose_and_repeat_nothing()
    {
        await using var stage = await StageAsync();
        await using var bookings = new Bookings(stage);
        var node = await stage.StartAsync();
        bookings.Start(pauseMs: 3);
        await FlowAsync(node);
        for (int i = 0; i < 2; i++)
        {
            stage.Redis.Kill();
            await stage.Redis.StartAgainAsync();
            await FlowAsync(node);
        }
        for (int i = 0; i < 6; i++)
        {
            await stage.RedisAsync("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
            await FlowAsync(node);
        }
        await ShouldBeExactAsync(stage, bookings, node);
    }

    [Fact]
    public async Task A_node_that_was_cut_off_and_replaced_should_write_nothing_when_it_is_back()
    {
        await using var stage = await StageAsync();
        await using var bookings = new Bookings(stage);
        var first = await stage.StartAsync();
        bookings.Start(pauseMs: 3);
        await FlowAsync(first);
        var second = stage.Begin();
        // It is cut off in the middle of flights, whose bytes arrive when the other one has written for long.
        first.Redis.Freeze();
        first.Postgres.Cut();
        await second.ReachesAsync(NodeState.Streaming);
        await FlowAsync(second);
        first.Redis.Thaw();
        await FlowAsync(second);
        await ShouldBeExactAsync(stage, bookings, second);
    }

    [Fact]
    public async Task A_refused_change_should_be_parked_and_be_retried()
    {
        await using var stage = await Stage.OpenAsync(servers, "create table t(id int primary key, k text)", """
              - t:
                  key: "k:{k}"
                  insert: { commands: [["RPUSH", "list:{k}", "{id}"], ["INCRBY", "rows", "1"]] }
            """);
        stage.Edit = WithSecond;
        var node = await stage.StartAsync();
        await stage.RedisAsync("SET", "list:a", "in the way");
        await stage.SqlAsync("insert into t values (1, 'a'), (2, 'b'), (3, 'a')");
        await stage.CaughtUpAsync(node);
        node.Status.DeadLetters.ShouldBe(2);
        node.Status.LastError.ShouldContain("WRONGTYPE");
        await stage.RedisAsync("DEL", "list:a");
        (await node.Host.RetryDeadLettersAsync(null, false, default)).ShouldBe(new RetryOutcome(2, 0));
        (await stage.ItemsAsync("LRANGE", "list:a", "0", "-1")).ShouldBe(["1", "3"]);
        (await stage.NumberAsync("rows")).ShouldBe(3, "the neighbour of the refused command stands and is not repeated");
    }
}
