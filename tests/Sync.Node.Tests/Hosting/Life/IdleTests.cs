using Npgsql;
using Sync.Contracts;

namespace Sync.Node.Tests.Hosting.Life;

/// <summary>What PostgreSQL is told while there is nothing to apply, or while nothing can be applied.</summary>
[Collection(BreakableCollection.Name)]
[Trait("Speed", "Slow")]
public class IdleTests(BreakableServers servers)
{
    [Fact]
    public async Task An_idle_table_beside_a_busy_one_should_not_retain_WAL()
    {
        await using var stage = await Stage.OpenAsync(servers, "create table quiet(id int primary key); create table busy(id serial, filler text)", "  - quiet");
        var node = await stage.StartAsync();
        await stage.SqlAsync("insert into quiet values (1)");
        for (int round = 0; round < 3; round++)
        {
            await stage.SqlAsync("insert into busy(filler) select repeat('x', 500) from generate_series(1, 5000)");
            var now = Lsn.Parse((await stage.ScalarAsync<string>("select pg_current_wal_flush_lsn()::text"))!);
            await node.UntilAsync(async () => Lsn.Parse((await stage.ConfirmedAsync())!) >= now, "the slot should follow", seconds: 15);
        }
        (await stage.HashAsync("public.quiet:1")).ShouldBe("id=1");
        await node.UntilAsync(() => node.Status.LagBytes < 1_000_000, "the lag should be small");
    }

    [Fact]
    public async Task A_Redis_that_blocks_should_not_cost_the_connection_to_PostgreSQL()
    {
        await using var stage = await Stage.OpenAsync(servers, Bookings.Schema, Bookings.Tables);
        await using var bookings = new Bookings(stage);
        var node = await stage.StartAsync();
        int walsender = await stage.ScalarAsync<int>($"select active_pid from pg_replication_slots where slot_name = '{stage.Slot}'");
        servers.Redis.Pause();
        try
        {
            // More than fits between the two, so that the reader itself is held up; and longer than wal_sender_timeout (3 s).
            await using (var connection = await servers.Postgres.OpenAsync(stage.Database))
            await using (var command = new NpgsqlCommand("insert into booking(account, amount) select i % 12, 1 from generate_series(1, 300000) i", connection) { CommandTimeout = 120 })
                await command.ExecuteNonQueryAsync();
            await Task.Delay(TimeSpan.FromSeconds(5));
            node.Status.Queues.Rows.ShouldBeGreaterThan(50);
            node.Status.Queues.Bytes.ShouldBeLessThan(36_000_000);
        }
        finally
        {
            servers.Redis.Resume();
        }
        await stage.CaughtUpAsync(node);
        (await stage.ScalarAsync<int>($"select active_pid from pg_replication_slots where slot_name = '{stage.Slot}'")).ShouldBe(walsender);
        await bookings.ShouldBeExactAsync();
    }
}
