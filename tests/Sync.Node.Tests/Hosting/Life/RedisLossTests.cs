using Sync.Contracts;
using Sync.Node.Hosting;
using Sync.Testing;

namespace Sync.Node.Tests.Hosting.Life;

/// <summary>A Redis that comes back with less than it had acknowledged, and what the policy makes of it.</summary>
[Collection(BreakableCollection.Name)]
[Trait("Speed", "Slow")]
public sealed class RedisLossTests(BreakableServers servers) : IAsyncLifetime
{
    const string Rows = "create table t(id int primary key, n int); insert into t select i, i from generate_series(1, 300) i";

    RedisServer redis = null!;

    // Saves only when it is told to, so that a kill brings back the state of that moment.
    public async Task InitializeAsync() => redis = await RedisServer.StartAsync();

    public Task DisposeAsync()
    {
        redis.Dispose();
        return Task.CompletedTask;
    }

    Task<Stage> OpenAsync(string schema, string tables, string extra = "") => Stage.OpenAsync(servers.Postgres, redis, schema, tables, extra);

    async Task FallBackAsync()
    {
        redis.Kill();
        await redis.StartAgainAsync();
    }

    static Task ConfirmedBehindAsync(Stage stage, TestNode node, Lsn lsn) =>
        node.UntilAsync(async () => Lsn.Parse((await stage.ConfirmedAsync())!) > lsn, $"PostgreSQL should be told of more than {lsn}");

    [Fact]
    public async Task A_Redis_that_fell_back_a_little_should_be_caught_up_from_the_slot_exactly()
    {
        await using var stage = await OpenAsync(Bookings.Schema, Bookings.Tables, "rewindWindow: 10m");
        await using var bookings = new Bookings(stage);
        var node = await stage.StartAsync();
        bookings.Start(pauseMs: 3);
        await node.UntilAsync(() => node.Status.Tables[0].Rows > 300, "rows should flow");
        await stage.RedisAsync("SAVE");
        long rows = node.Status.Tables[0].Rows;
        await node.UntilAsync(() => node.Status.Tables[0].Rows > rows + 300, "rows should flow behind the saved state");
        await FallBackAsync();
        await node.UntilAsync(() => node.Log.Any(l => l.Contains("Redis fell back to")), "the loss should be noticed");
        await bookings.StopAsync();
        await stage.CaughtUpAsync(node);
        await bookings.ShouldBeExactAsync();
        node.Log.ShouldNotContain(l => l.Contains("every table is copied again"));
    }

    [Fact]
    public async Task A_Redis_that_fell_back_behind_the_slot_should_be_filled_again()
    {
        await using var stage = await OpenAsync(Rows, "  - t", "rewindWindow: 0s");
        var node = await stage.StartAsync();
        await stage.CaughtUpAsync(node);
        await stage.RedisAsync("SAVE");
        var saved = Lsn.Parse(node.Status.Lsn.Applied);
        await stage.SqlAsync("update t set n = -1 where id < 50; delete from t where id > 290; insert into t values (1000, 1)");
        await stage.CaughtUpAsync(node);
        await ConfirmedBehindAsync(stage, node, saved);
        await FallBackAsync();
        await node.UntilAsync(() => node.Log.Any(l => l.Contains("every table is copied again")), "the loss should be noticed");
        await node.ReachesAsync(NodeState.Streaming);
        await stage.CaughtUpAsync(node);
        (await stage.DifferencesAsync("t", "id, n")).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_lost_Redis_should_end_the_node_when_the_policy_says_so()
    {
        await using var stage = await OpenAsync(Rows, "  - t", "onRedisLoss: stop");
        var node = await stage.StartAsync();
        await stage.SqlAsync("update t set n = 0 where id < 100");
        await stage.CaughtUpAsync(node);
        await stage.RedisAsync("FLUSHALL");
        await stage.SqlAsync("update t set n = 1 where id = 7");
        var failure = await node.FailureAsync();
        failure.Code.ShouldBe(ExitCode.RedisLoss);
        failure.Message.ShouldContain("onRedisLoss: resync");
        (await stage.KeysAsync()).ShouldBeEmpty();

        var next = stage.Begin();
        (await next.FailureAsync()).Code.ShouldBe(ExitCode.RedisLoss);
        stage.Extra = "onRedisLoss: resync";
        var willing = await stage.StartAsync();
        await stage.CaughtUpAsync(willing);
        (await stage.DifferencesAsync("t", "id, n")).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_policy_of_stopping_should_not_stop_what_the_slot_can_mend()
    {
        await using var stage = await OpenAsync(Bookings.Schema, Bookings.Tables, "onRedisLoss: stop\nrewindWindow: 10m");
        await using var bookings = new Bookings(stage);
        var node = await stage.StartAsync();
        await bookings.BookAsync(100);
        await stage.CaughtUpAsync(node);
        await stage.RedisAsync("SAVE");
        await bookings.BookAsync(100);
        await stage.CaughtUpAsync(node);
        await FallBackAsync();
        await bookings.BookAsync(100);
        await stage.CaughtUpAsync(node);
        await bookings.ShouldBeExactAsync();
    }

    [Fact]
    public async Task A_first_start_should_be_no_loss()
    {
        await using var stage = await OpenAsync(Rows, "  - t", "onRedisLoss: stop");
        var node = await stage.StartAsync();
        await stage.CaughtUpAsync(node);
        await node.StopAsync();
        var again = await stage.StartAsync();
        await stage.CaughtUpAsync(again);
        (await stage.DifferencesAsync("t", "id, n")).ShouldBeEmpty();
    }
}
