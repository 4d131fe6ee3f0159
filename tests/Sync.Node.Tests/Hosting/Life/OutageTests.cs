using Sync.Node.Hosting;
using Sync.Testing;

namespace Sync.Node.Tests.Hosting.Life;

/// <summary>Servers that stop, are killed and freeze under load; the node comes back by itself.</summary>
[Collection(BreakableCollection.Name)]
[Trait("Speed", "Slow")]
public class OutageTests(BreakableServers servers)
{
    async Task WithLoadAsync(Func<Stage, TestNode, Task> trouble, string extra = "")
    {
        await using var stage = await Stage.OpenAsync(servers, Bookings.Schema, Bookings.Tables, extra);
        await using var bookings = new Bookings(stage);
        var node = await stage.StartAsync();
        bookings.Start(pauseMs: 3);
        await FlowAsync(node);
        await trouble(stage, node);
        await FlowAsync(node);
        await bookings.StopAsync();
        await stage.CaughtUpAsync(node);
        try
        {
            await bookings.ShouldBeExactAsync();
        }
        catch (ShouldAssertException e)
        {
            throw new ShouldAssertException($"{e.Message}\nThe node said:\n{string.Join('\n', node.Log)}");
        }
        node.Status.DeadLetters.ShouldBe(0);
    }

    static async Task FlowAsync(TestNode node)
    {
        long rows = node.Status.Tables[0].Rows;
        await node.UntilAsync(() => node.Status.State == NodeState.Streaming && node.Status.Tables[0].Rows > rows + 100, "rows should flow");
    }

    [Fact]
    public Task Restarts_of_PostgreSQL_should_lose_and_repeat_nothing() => WithLoadAsync(async (stage, node) =>
    {
        await stage.Postgres.RestartAsync(StopMode.Fast);
        await FlowAsync(node);
        await stage.Postgres.RestartAsync(StopMode.Immediate);
    });

    [Fact]
    public Task Terminated_walsenders_should_lose_and_repeat_nothing() => WithLoadAsync(async (stage, node) =>
    {
        for (int i = 0; i < 6; i++)
        {
            await stage.Postgres.KillWalSendersAsync();
            await FlowAsync(node);
        }
    });

    [Fact]
    public Task Lost_sessions_of_every_kind_should_lose_and_repeat_nothing() => WithLoadAsync(async (stage, node) =>
    {
        for (int i = 0; i < 4; i++)
        {
            await stage.Postgres.ExecuteAsync("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'actorsync'");
            await FlowAsync(node);
        }
    });

    [Fact]
    public Task A_Redis_that_is_killed_should_lose_and_repeat_nothing() => WithLoadAsync(async (stage, node) =>
    {
        for (int i = 0; i < 3; i++)
        {
            stage.Redis.Kill();
            await stage.Redis.StartAgainAsync();
            await FlowAsync(node);
        }
    });

    [Fact]
    public Task Lost_connections_to_Redis_should_lose_and_repeat_nothing() => WithLoadAsync(async (stage, node) =>
    {
        for (int i = 0; i < 8; i++)
        {
            await stage.RedisAsync("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
            await FlowAsync(node);
        }
    });

    [Fact]
    public Task A_Redis_that_answers_too_late_should_lose_and_repeat_nothing() => WithLoadAsync(async (stage, node) =>
    {
        for (int i = 0; i < 2; i++)
        {
            stage.Redis.Pause();
            try { await node.UntilAsync(() => node.Status.LastError.Contains("did not answer"), "the time-out should be noticed"); }
            finally { stage.Redis.Resume(); }
            await FlowAsync(node);
        }
    }, "writeTimeout: 500ms");

    [Fact]
    public async Task A_Redis_that_is_down_should_be_waited_for_in_bounded_memory()
    {
        await using var stage = await Stage.OpenAsync(servers, Bookings.Schema, Bookings.Tables);
        await using var bookings = new Bookings(stage);
        var node = await stage.StartAsync();
        bookings.Start(pauseMs: 3);
        await FlowAsync(node);
        stage.Redis.Kill();
        try
        {
            await bookings.StopAsync();
            await bookings.BookAsync(200_000);
            await node.UntilAsync(() => node.Status.OpenCircuits > 0, "it should be noticed");
            await Task.Delay(TimeSpan.FromSeconds(2));
            node.Status.Queues.Bytes.ShouldBeLessThan(36_000_000);
            node.Status.Ready.ShouldBeFalse();
        }
        finally
        {
            await stage.Redis.StartAgainAsync();
        }
        await stage.CaughtUpAsync(node);
        await bookings.ShouldBeExactAsync();
    }

    [Fact]
    public async Task Bytes_that_are_no_pgoutput_should_end_the_connection_and_nothing_else()
    {
        await using var stage = await Stage.OpenAsync(servers, "create table t(id int primary key, word text)", "  - t");
        var node = await stage.StartAsync();
        // A tuple column is its kind, its length in four bytes, its text (PostgreSQL docs, "Logical Replication Message Formats").
        node.Postgres.Tamper("marked"u8.ToArray(), (chunk, at) => chunk[at - 5] = (byte)'?');
        await stage.SqlAsync("insert into t values (1, 'before')");
        await stage.SqlAsync("insert into t values (2, 'marked')");
        await stage.SqlAsync("insert into t values (3, 'behind')");
        await stage.CaughtUpAsync(node);
        (await stage.DifferencesAsync("t", "id, word")).ShouldBeEmpty();
        node.Log.ShouldContain(l => l.Contains("Coming back in"));
    }

    [Fact]
    public async Task A_Redis_that_forgot_everything_should_be_filled_again()
    {
        await using var stage = await Stage.OpenAsync(servers, "create table t(id int primary key, n int); insert into t select i, i from generate_series(1, 3000) i", "  - t");
        var node = await stage.StartAsync();
        await stage.SqlAsync("update t set n = 0 where id < 100; delete from t where id = 500");
        await stage.CaughtUpAsync(node);
        await stage.RedisAsync("FLUSHALL");
        await stage.SqlAsync("update t set n = -1 where id = 7");
        await node.UntilAsync(async () => await stage.HashAsync("public.t:3000") != "", "the table should be copied again");
        await stage.CaughtUpAsync(node);
        (await stage.DifferencesAsync("t", "id, n")).ShouldBeEmpty();
        node.Log.ShouldContain(l => l.Contains("has lost what ActorSync kept there"));
    }

    [Fact]
    public async Task A_slot_that_is_dropped_should_be_made_anew_with_a_copy()
    {
        await using var stage = await Stage.OpenAsync(servers, "create table t(id int primary key, n int); insert into t select i, i from generate_series(1, 300) i", "  - t");
        var node = await stage.StartAsync();
        await stage.CaughtUpAsync(node);
        node.Postgres.Cut();
        await node.ReachesAsync(NodeState.Reconnecting);
        await node.UntilAsync(async () => !await stage.ScalarAsync<bool>($"select active from pg_replication_slots where slot_name = '{stage.Slot}'"), "the slot should be free");
        await stage.SqlAsync($"update t set n = 0 where id = 1; delete from t where id = 2; select pg_drop_replication_slot('{stage.Slot}')");
        node.Postgres.Mend();
        await node.ReachesAsync(NodeState.Streaming);
        await stage.CaughtUpAsync(node);
        (await stage.DifferencesAsync("t", "id, n")).ShouldBeEmpty();
        node.Log.ShouldContain(l => l.Contains("every table is copied again"));
    }
}
