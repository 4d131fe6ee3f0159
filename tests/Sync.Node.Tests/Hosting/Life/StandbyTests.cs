using Sync.Node.Hosting;

namespace Sync.Node.Tests.Hosting.Life;

/// <summary>Two nodes on one slot.</summary>
[Collection(ServersCollection.Name)]
[Trait("Speed", "Slow")]
public class StandbyTests(Servers servers)
{
    [Fact]
    public async Task A_second_node_should_stand_by_and_take_over()
    {
        await using var stage = await Stage.OpenAsync(servers, Bookings.Schema, Bookings.Tables);
        await using var bookings = new Bookings(stage);
        var first = await stage.StartAsync();
        bookings.Start();
        var second = stage.Begin(2);
        await second.ReachesAsync(NodeState.Standby);
        second.Status.Detail.ShouldContain(stage.Slot);
        second.Status.Detail.ShouldContain("(actorsync)");
        second.Status.Ready.ShouldBeFalse();
        second.Log.ShouldContain(l => l.Contains("standing by"));

        await first.StopAsync();
        await second.ReachesAsync(NodeState.Streaming);
        first = stage.Begin(7);
        await first.ReachesAsync(NodeState.Standby);
        second.Crash();
        await first.ReachesAsync(NodeState.Streaming);
        await bookings.StopAsync();
        await stage.CaughtUpAsync(first);
        await bookings.ShouldBeExactAsync();
    }

    [Fact]
    public async Task A_node_that_was_replaced_should_write_nothing_any_more()
    {
        await using var stage = await Stage.OpenAsync(servers, Bookings.Schema, Bookings.Tables);
        await using var bookings = new Bookings(stage);
        var old = await stage.StartAsync();
        await bookings.BookAsync(100);
        await stage.CaughtUpAsync(old);

        // Flights of the old node are on their way to Redis when it loses PostgreSQL, and arrive when another one has done their work.
        old.Redis.Freeze();
        await bookings.BookAsync(3000);
        await old.UntilAsync(() => old.Status.Queues.Rows > 20, "changes should be under way");
        old.Postgres.Cut();
        var other = await stage.StartAsync(3);
        await bookings.BookAsync(500);
        await stage.CaughtUpAsync(other);
        await bookings.ShouldBeExactAsync();
        old.Postgres.Mend();
        old.Redis.Thaw();
        await old.ReachesAsync(NodeState.Standby);
        await bookings.ShouldBeExactAsync();

        // The old one comes back: what it knew from before must not count.
        await bookings.BookAsync(500);
        await stage.CaughtUpAsync(other);
        other.Crash();
        await old.ReachesAsync(NodeState.Streaming);
        await bookings.BookAsync(500);
        await stage.CaughtUpAsync(old);
        await bookings.ShouldBeExactAsync();
        old.Log.ShouldContain(l => l.Contains("took over"));
    }

    [Fact]
    public async Task Of_two_nodes_started_at_once_only_one_should_copy()
    {
        await using var stage = await Stage.OpenAsync(servers, "create table t(id int primary key); insert into t select generate_series(1, 5000)", """
              - t:
                  commands: [["INCR", "copied"]]
            """);
        TestNode[] both = [stage.Begin(), stage.Begin()];
        await both[0].UntilAsync(() => both.Any(n => n.Status.State == NodeState.Streaming), "one should stream");
        await both[0].UntilAsync(() => both.Any(n => n.Status.State == NodeState.Standby), "the other one should stand by");
        (await stage.NumberAsync("copied")).ShouldBe(5000);
        var active = both.Single(n => n.Status.State == NodeState.Streaming);
        active.Crash();
        var other = both.Single(n => n != active);
        await other.ReachesAsync(NodeState.Streaming);
        await stage.SqlAsync("insert into t values (0)");
        await stage.CaughtUpAsync(other);
        (await stage.NumberAsync("copied")).ShouldBe(5001, "the copy was done");
    }

    [Fact]
    public async Task A_node_that_stands_by_should_survive_a_lost_primary()
    {
        await using var stage = await Stage.OpenAsync(servers, Bookings.Schema, Bookings.Tables);
        var first = await stage.StartAsync();
        var second = stage.Begin();
        await second.ReachesAsync(NodeState.Standby);
        second.Postgres.Cut();
        await second.ReachesAsync(NodeState.Reconnecting);
        second.Postgres.Mend();
        await second.ReachesAsync(NodeState.Standby);
        await first.StopAsync();
        await second.ReachesAsync(NodeState.Streaming);
    }
}
