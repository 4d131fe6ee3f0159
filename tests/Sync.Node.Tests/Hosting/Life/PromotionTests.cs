using System.Text.RegularExpressions;
using Sync.Node.Hosting;
using Sync.Testing;

namespace Sync.Node.Tests.Hosting.Life;

/// <summary>A physical standby that takes the place of the primary, ahead of what Redis has seen or behind it.</summary>
public sealed partial class PromotionTests : IAsyncLifetime
{
    const string Schema = "create table acc(id int primary key, n int); insert into acc select i, 0 from generate_series(1, 100) i";

    PostgresServer primary = null!;
    readonly List<PostgresServer> standbys = [];
    RedisServer redis = null!;

    public async Task InitializeAsync()
    {
        primary = await PostgresServer.StartAsync("max_replication_slots=10", "max_wal_senders=10", "wal_keep_size=128MB", "hot_standby=on", "autovacuum=off");
        redis = await RedisServer.StartAsync();
    }

    public async Task DisposeAsync()
    {
        foreach (var standby in standbys) await standby.DisposeAsync();
        await primary.DisposeAsync();
        redis.Dispose();
    }

    /// <summary>Until the stage has cleared up.</summary>
    PostgresServer Keep(PostgresServer standby)
    {
        standbys.Add(standby);
        return standby;
    }

    [GeneratedRegex(@"host: 127\.0\.0\.1, port: \d+, database")]
    private static partial Regex PostgresAddress();

    /// <summary>Nodes know both servers, the primary of the beginning first.</summary>
    static void Know(Stage stage, PostgresServer one, PostgresServer two) =>
        stage.Edit = yaml => PostgresAddress().Replace(yaml, $"host: \"127.0.0.1,127.0.0.1\", port: \"{one.Port},{two.Port}\", database");

    static async Task ReplayedAsync(Stage stage, PostgresServer standby)
    {
        string now = (await stage.ScalarAsync<string>("select pg_current_wal_lsn()::text"))!;
        for (var deadline = DateTime.UtcNow.AddSeconds(60); !await standby.ScalarAsync<bool>($"select pg_last_wal_replay_lsn() >= '{now}'"); await Task.Delay(20))
            if (DateTime.UtcNow > deadline) throw new TimeoutException("The standby does not follow.");
    }

    static async Task ShouldBeRightAsync(Stage stage, TestNode node)
    {
        await stage.SqlAsync("update acc set n = 1000 + id");
        await stage.CaughtUpAsync(node);
        (await stage.HashAsync("public.acc:7")).ShouldBe("id=7 n=1007");
        (await stage.DifferencesAsync("acc", "id, n")).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_standby_that_has_all_should_be_followed_exactly_and_the_former_primary_left_alone()
    {
        await using var stage = await Stage.OpenAsync(primary, redis, Bookings.Schema, Bookings.Tables);
        await using var bookings = new Bookings(stage);
        await bookings.BookAsync(100);
        var first = await stage.StartAsync();
        await stage.CaughtUpAsync(first);
        await first.StopAsync();
        var standby = Keep(await PostgresServer.StartStandbyAsync(primary, await primary.CopyAsync(), keepsSlots: true));
        Know(stage, primary, standby);
        var node = await stage.StartAsync();
        await bookings.BookAsync(300);
        await bookings.BookAsync(5);
        await stage.CaughtUpAsync(node);
        await ReplayedAsync(stage, standby);
        await primary.StopAsync(StopMode.Immediate);
        await standby.PromoteAsync();
        stage.Postgres = standby;
        await bookings.BookAsync(50);
        await node.UntilAsync(() => node.Log.Any(l => l.Contains("PostgreSQL is on timeline 2 now")), "the new primary should be followed");
        await stage.CaughtUpAsync(node);
        await bookings.ShouldBeExactAsync();
        node.Log.ShouldNotContain(l => l.Contains("read again") || l.Contains("copied again"));
        await node.StopAsync();

        // The former primary takes writes again and stands first in the configuration.
        await primary.StartAgainAsync();
        await primary.ExecuteAsync("insert into booking(account, amount) values (1, 777)", stage.Database);
        var next = await stage.StartAsync();
        await bookings.BookAsync(50);
        await stage.CaughtUpAsync(next);
        await bookings.ShouldBeExactAsync();

        await standby.StopAsync();
        await next.UntilAsync(() => next.Status.LastError.Contains("was promoted since and can't be reached"), "it should wait for the server that it followed");
        next.Status.Ready.ShouldBeFalse();
        await standby.StartAgainAsync();
        await bookings.BookAsync(50);
        await stage.CaughtUpAsync(next);
        await bookings.ShouldBeExactAsync();
        next.Log.ShouldNotContain(l => l.Contains("read again") || l.Contains("copied again"));
        await primary.ExecuteAsync($"select pg_drop_replication_slot(slot_name) from pg_replication_slots where not active");
    }

    /// <summary>Failover slots came with 17.</summary>
    [PostgresFact(17)]
    public async Task A_slot_that_PostgreSQL_keeps_on_the_standby_should_be_followed_exactly_under_load()
    {
        await using var stage = await Stage.OpenAsync(primary, redis, Bookings.Schema, Bookings.Tables);
        await using var bookings = new Bookings(stage);
        var first = await stage.StartAsync();
        await bookings.BookAsync(100);
        await stage.CaughtUpAsync(first);
        await first.StopAsync();
        await primary.ExecuteAsync("select pg_create_physical_replication_slot('standby', true)");
        var standby = Keep(await PostgresServer.StartStandbyAsync(
            primary, await primary.CopyAsync(), keepsSlots: false, "sync_replication_slots = on", "hot_standby_feedback = on", "primary_slot_name = 'standby'"));
        await primary.ExecuteAsync("alter system set synchronized_standby_slots = 'standby'");
        await primary.ReloadAsync();
        Know(stage, primary, standby);
        var node = await stage.StartAsync();
        bookings.Start();
        await node.UntilAsync(
            () => standby.ScalarAsync<bool>($"select synced and not temporary from pg_replication_slots where slot_name = '{stage.Slot}'"), "the standby should keep the slot");
        long rows = node.Status.Tables[0].Rows;
        await node.UntilAsync(() => node.Status.Tables[0].Rows > rows + 500, "rows should flow");
        await primary.StopAsync(StopMode.Immediate);
        await standby.ExecuteAsync("alter system set synchronized_standby_slots = ''");
        await standby.PromoteAsync();
        await standby.ReloadAsync();
        stage.Postgres = standby;
        await node.UntilAsync(() => node.Log.Any(l => l.Contains("PostgreSQL is on timeline 2 now")), "the new primary should be followed");
        rows = node.Status.Tables[0].Rows;
        await node.UntilAsync(() => node.Status.Tables[0].Rows > rows + 500, "rows should flow again");
        await bookings.StopAsync();
        await stage.CaughtUpAsync(node);
        await bookings.ShouldBeExactAsync();
        node.Log.ShouldNotContain(l => l.Contains("read again") || l.Contains("copied again"));
    }

    [Fact]
    public async Task A_standby_that_lagged_should_be_told_and_read_again()
    {
        await using var stage = await Stage.OpenAsync(primary, redis, Schema, "  - acc");
        var first = await stage.StartAsync();
        await stage.CaughtUpAsync(first);
        await first.StopAsync();
        var standby = Keep(await PostgresServer.StartStandbyAsync(primary, await primary.CopyAsync(), keepsSlots: true));
        await ReplayedAsync(stage, standby);
        await standby.StopAsync();
        Know(stage, primary, standby);
        var node = await stage.StartAsync();
        await stage.SqlAsync("update acc set n = n + 1; insert into acc select i, 1 from generate_series(101, 150) i; delete from acc where id = 3");
        await stage.CaughtUpAsync(node);
        await primary.StopAsync(StopMode.Immediate);
        await standby.StartAgainAsync();
        await standby.PromoteAsync();
        stage.Postgres = standby;
        await node.UntilAsync(() => node.Log.Any(l => l.Contains("forked: its timeline 2 left the log at")), "the fork should be told");
        await node.ReachesAsync(NodeState.Streaming);
        await stage.CaughtUpAsync(node);
        (await stage.DifferencesAsync("acc", "id, n")).ShouldBeEmpty();
        await ShouldBeRightAsync(stage, node);
        node.Status.History.ShouldNotBeNull().Change.ShouldContain("forked");
    }

    [Fact]
    public async Task A_standby_without_the_slot_should_be_read_again()
    {
        await using var stage = await Stage.OpenAsync(primary, redis, Schema, "  - acc");
        var standby = Keep(await PostgresServer.StartStandbyAsync(primary));
        Know(stage, primary, standby);
        var node = await stage.StartAsync();
        await stage.SqlAsync("update acc set n = n + 1");
        await stage.CaughtUpAsync(node);
        await ReplayedAsync(stage, standby);
        await primary.StopAsync(StopMode.Immediate);
        await standby.PromoteAsync();
        stage.Postgres = standby;
        await stage.SqlAsync("delete from acc where id < 10; insert into acc values (7, 1), (700, 1)");
        await node.UntilAsync(() => node.Log.Any(l => l.Contains("every table is copied again")), "the gap should be told");
        await node.ReachesAsync(NodeState.Streaming);
        await ShouldBeRightAsync(stage, node);
    }
}
