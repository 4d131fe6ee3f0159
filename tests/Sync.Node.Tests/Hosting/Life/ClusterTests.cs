using System.Text.RegularExpressions;
using Sync.Contracts;
using Sync.Node.Hosting;
using Sync.Testing;

namespace Sync.Node.Tests.Hosting.Life;

/// <summary>A Redis Cluster under a load whose every change counts; the three keys of each row are in different hash slots.</summary>
[Collection(ShardsCollection.Name)]
[Trait("Speed", "Slow")]
public sealed class ClusterTests(Servers servers)
{
    [Fact]
    public async Task Rows_over_several_slots_should_be_exact_over_restarts_with_other_workers()
    {
        await using var scene = await OpenAsync();
        var (cluster, stage, bookings) = scene;
        bookings.Start();
        foreach (int workers in (int[])[4, 3, 1, 4])
        {
            var node = await stage.StartAsync(workers);
            node.Status.Guarantee.ShouldContain("share a hash slot");
            node.Status.Redis.Split(", ").Length.ShouldBe(3);
            await FlowAsync(node);
            await node.StopAsync();
        }
        await bookings.StopAsync();
        var last = await stage.StartAsync();
        await stage.CaughtUpAsync(last);
        await bookings.ShouldBeExactAsync(cluster.ExecAsync);
    }

    [Fact]
    public async Task A_node_that_is_killed_again_and_again_should_lose_and_repeat_nothing()
    {
        await using var scene = await OpenAsync();
        var (cluster, stage, bookings) = scene;
        bookings.Start();
        using var folder = new Sandbox();
        File.WriteAllText(folder.File("config.yaml"), stage.Config(3, stage.Postgres.Port, 0) + "\nhttp: { enabled: false }\n");
        for (int life = 0; life < 4; life++)
        {
            using var program = Commands.Program.Start(folder, null, "run");
            await program.SaysAsync("streaming slot");
            await Task.Delay(300 + 200 * life);
        }
        await bookings.StopAsync();
        var node = await stage.StartAsync();
        await stage.CaughtUpAsync(node);
        await bookings.ShouldBeExactAsync(cluster.ExecAsync);
    }

    [Fact]
    public async Task A_node_that_is_killed_while_it_stamps_the_masters_for_the_first_time_should_not_take_them_for_lost()
    {
        await using var scene = await OpenAsync();
        var (cluster, stage, bookings) = scene;
        await bookings.BookAsync(200);
        var node = await stage.StartAsync();
        await bookings.BookAsync(200);
        await stage.CaughtUpAsync(node);
        await node.StopAsync();
        // As the kill leaves it: one master has its stamp, the others none, and nothing says that all were done.
        string home = $"actorsync:{{{stage.Slot}}}:progress";
        (await cluster.ExecAsync("HDEL", home, "stamped")).ShouldBe(1L);
        foreach (string key in await cluster.KeysAsync("actorsync:*:progress"))
            if (key != home && cluster.OwnerOf(await cluster.SlotOfAsync(key)) != cluster.Masters[0]) await cluster.ExecAsync("HDEL", key, "confirmed");
        node = await stage.StartAsync();
        await stage.CaughtUpAsync(node);
        await bookings.ShouldBeExactAsync(cluster.ExecAsync);
    }

    [Fact]
    public async Task Slots_that_move_under_load_should_lose_and_repeat_nothing()
    {
        await using var scene = await OpenAsync();
        var (cluster, stage, bookings) = scene;
        var node = await stage.StartAsync();
        bookings.Start();
        await FlowAsync(node);
        string[] keys = ["sum:1", "list:1", "log:2", "list:3", "sum:4", "log:5", "list:6"];
        foreach (string key in keys)
        {
            int slot = await cluster.SlotOfAsync(key);
            var from = cluster.OwnerOf(slot);
            var to = cluster.Masters.First(m => m != from);
            // Long enough for the node to meet the open slot.
            await cluster.MoveAsync(slot, from, to, () => Task.Delay(100));
        }
        await FlowAsync(node);
        await bookings.StopAsync();
        await stage.CaughtUpAsync(node);
        await bookings.ShouldBeExactAsync(cluster.ExecAsync);
        node.Status.DeadLetters.ShouldBe(0);
        // The slot of our own keys as well.
        int own = await cluster.SlotOfAsync(stage.Slot);
        var home = cluster.OwnerOf(own);
        await cluster.MoveAsync(own, home, cluster.Masters.First(m => m != home));
        await stage.SqlAsync("insert into booking(account, amount) values (1, 5)");
        await stage.CaughtUpAsync(node);
        await bookings.ShouldBeExactAsync(cluster.ExecAsync);
    }

    [Fact]
    public async Task A_master_that_is_killed_and_replaced_should_lose_and_repeat_nothing()
    {
        await using var scene = await OpenAsync(replicas: 1);
        var (cluster, stage, bookings) = scene;
        var node = await stage.StartAsync();
        bookings.Start();
        await FlowAsync(node);
        cluster.Masters[0].Kill();
        await node.UntilAsync(() => node.Status.Redis.Contains($":{cluster.Replicas[0].Port}"), "the replica should be written to");
        await FlowAsync(node);
        await bookings.StopAsync();
        await stage.CaughtUpAsync(node);
        await bookings.ShouldBeExactAsync(cluster.ExecAsync);
    }

    [Fact]
    public async Task A_master_that_restarts_and_connections_that_are_cut_should_lose_and_repeat_nothing()
    {
        await using var scene = await OpenAsync();
        var (cluster, stage, bookings) = scene;
        var node = await stage.StartAsync();
        bookings.Start();
        await FlowAsync(node);
        for (int i = 0; i < 10; i++)
        {
            foreach (var master in cluster.Masters) await master.ExecAsync("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
            await FlowAsync(node, 20);
        }
        cluster.Masters[1].Kill();
        await cluster.Masters[1].StartAgainAsync();
        await FlowAsync(node);
        await bookings.StopAsync();
        await stage.CaughtUpAsync(node);
        await bookings.ShouldBeExactAsync(cluster.ExecAsync);
    }

    [Fact]
    public async Task A_frozen_node_that_was_replaced_should_write_nothing_when_it_wakes_up()
    {
        await using var scene = await OpenAsync();
        var (cluster, stage, bookings) = scene;
        using var folder = new Sandbox();
        File.WriteAllText(folder.File("config.yaml"), stage.Config(4, stage.Postgres.Port, 0) + "\nhttp: { enabled: false }\n");
        using var frozen = Commands.Program.Start(folder, null, "run");
        await frozen.SaysAsync("streaming slot");
        bookings.Start();
        await Task.Delay(500);
        await SignalAsync(frozen, "-STOP");
        var node = stage.Begin();
        await node.ReachesAsync(NodeState.Standby);
        // PostgreSQL takes it for dead.
        await stage.SqlAsync($"select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and application_name <> '' and (backend_type = 'walsender' or query like '%advisory%')");
        await node.ReachesAsync(NodeState.Streaming);
        await FlowAsync(node);
        await SignalAsync(frozen, "-CONT");
        await frozen.SaysAsync("in use by");
        await FlowAsync(node);
        await bookings.StopAsync();
        await stage.CaughtUpAsync(node);
        await bookings.ShouldBeExactAsync(cluster.ExecAsync);
    }

    [Fact]
    public async Task A_poison_row_should_wait_for_its_retry_and_hold_up_nobody_else()
    {
        await using var scene = await OpenAsync();
        var (cluster, stage, bookings) = scene;
        stage.Extra = "rewindWindow: 10m";
        var node = await stage.StartAsync();
        await cluster.ExecAsync("SET", "list:3", "in the way");
        await bookings.BookAsync(500);
        await stage.CaughtUpAsync(node);
        node.Status.DeadLetters.ShouldBeGreaterThan(0);
        await node.StopAsync();
        node = await stage.StartAsync(3);
        await bookings.BookAsync(200);
        await stage.CaughtUpAsync(node);
        (await node.Host.RetryDeadLettersAsync(null, false, CancellationToken.None)).ShouldBe(new RetryOutcome(0, 1));
        await cluster.ExecAsync("DEL", "list:3");
        var outcome = await node.Host.RetryDeadLettersAsync(null, false, CancellationToken.None);
        outcome.Applied.ShouldBeGreaterThan(0);
        outcome.ShouldBe(new RetryOutcome(outcome.Applied, 0));
        node.Status.DeadLetters.ShouldBe(0);
        // All of it comes again, because PostgreSQL has been told of nothing yet.
        node.Crash();
        node = await stage.StartAsync(4);
        await bookings.BookAsync(100);
        await stage.CaughtUpAsync(node);
        await bookings.ShouldBeExactAsync(cluster.ExecAsync);
    }

    [Fact]
    public async Task A_value_that_a_master_can_not_take_should_be_parked_by_reference_and_hold_up_nobody()
    {
        using var cluster = await ClusterServers.StartAsync();
        await using var stage = await OpenAsync(cluster, "create table a(id int primary key, body text)", """
              - a:
                  commands: [["SET", "a:{id}", "{body}"], ["INCR", "rows:{id}"]]
            """);
        var node = await stage.StartAsync(2);
        // The connections that are open know nothing of it.
        foreach (var master in cluster.Masters) await master.ExecAsync("CONFIG", "SET", "proto-max-bulk-len", "1mb");
        await stage.SqlAsync("insert into a select i, 'small' from generate_series(1, 20) i; insert into a values (21, repeat('x', 2000000)); insert into a select i, 'small' from generate_series(22, 40) i");
        await stage.CaughtUpAsync(node);
        node.Status.DeadLetters.ShouldBe(1);
        node.Log.ShouldContain(l => l.Contains("2,000,000 bytes") && l.Contains("proto-max-bulk-len"));
        for (int i = 1; i <= 40; i++) (await cluster.ExecAsync("GET", $"rows:{i}")).ShouldBe(i == 21 ? null : "1");
    }

    [Fact]
    public async Task Truncates_and_lost_masters_should_be_answered_on_every_master()
    {
        using var cluster = await ClusterServers.StartAsync();
        await using var stage = await OpenAsync(cluster, "create table a(id int primary key, n int); insert into a select i, i from generate_series(1, 500) i", """
              - a: { commands: [["SET", "a:{id}", "{n}"]], truncate: resync }
            """);
        stage.Extra = "rewindWindow: 0s";
        var node = await stage.StartAsync();
        await stage.CaughtUpAsync(node);
        (await cluster.KeysAsync("a:*")).Length.ShouldBe(500);
        await stage.SqlAsync("begin; insert into a values (501, 1); truncate a; insert into a values (7, 7); commit; insert into a select i, i from generate_series(10, 300) i");
        await stage.CaughtUpAsync(node);
        (await cluster.KeysAsync("a:*")).Length.ShouldBe(292);
        string confirmed = (await stage.ConfirmedAsync())!;
        await node.UntilAsync(async () => Lsn.Parse((await stage.ConfirmedAsync())!) > Lsn.Parse(confirmed), "PostgreSQL should be told");
        await node.StopAsync();
        await cluster.Masters[2].ExecAsync("FLUSHALL");
        node = await stage.StartAsync();
        await stage.CaughtUpAsync(node);
        node.Log.ShouldContain(l => l.Contains("every table is copied again"));
        (await cluster.KeysAsync("a:*")).Length.ShouldBe(292);
    }

    [Fact]
    public async Task Verify_should_look_at_every_master()
    {
        using var cluster = await ClusterServers.StartAsync();
        await using var stage = await OpenAsync(cluster, "create table a(id int primary key, n int); insert into a select i, i from generate_series(1, 300) i", """
              - a: { commands: [["SET", "a:{id}", "{n}"], ["SADD", "all", "{id}"]] }
            """);
        var node = await stage.StartAsync();
        await stage.CaughtUpAsync(node);
        var config = Pipeline.Load(stage.Config(4, servers.Postgres.Port, 0));
        var options = new Sync.Node.Verification.VerifyOptions(null, 1_000_000, false, 100);
        (await new Sync.Node.Verification.Verifier(config, null, TimeProvider.System).RunAsync(options, CancellationToken.None)).Drift.ShouldBe(0);
        for (int i = 1; i <= 9; i++) await cluster.ExecAsync("SET", $"a:{i}", "x");
        for (int i = 1001; i <= 1009; i++) await cluster.ExecAsync("SET", $"a:{i}", "x");
        await cluster.ExecAsync("SREM", "all", "50");
        var report = await new Sync.Node.Verification.Verifier(config, null, TimeProvider.System).RunAsync(options, CancellationToken.None);
        (report.Tables[0].Different, report.Tables[0].Extra, report.Tables[0].Missing).ShouldBe((9L, 9L, 1L));
    }

    async Task<Scene> OpenAsync(int replicas = 0)
    {
        var cluster = await ClusterServers.StartAsync(replicas: replicas);
        return new Scene(cluster, await OpenAsync(cluster, Bookings.Schema, Bookings.Tables));
    }

    async Task<Stage> OpenAsync(ClusterServers cluster, string schema, string tables)
    {
        var stage = await Stage.OpenAsync(servers, schema, tables);
        stage.Edit = yaml => Regex.Replace(yaml, @"^redis:\n.*$", $"redis:\n  nodes: '{cluster.Nodes}'", RegexOptions.Multiline);
        return stage;
    }

    static async Task SignalAsync(Commands.Program program, string signal)
    {
        using var kill = System.Diagnostics.Process.Start("kill", [signal, $"{program.Id}"]);
        await kill.WaitForExitAsync();
    }

    static Task FlowAsync(TestNode node, long rows = 300)
    {
        long before = node.Status.Tables[0].Rows;
        return node.UntilAsync(() => node.Status.Tables[0].Rows > before + rows, "rows should flow");
    }

    /// <summary>A Cluster, a stage that writes to it, and its load.</summary>
    sealed class Scene(ClusterServers cluster, Stage stage) : IAsyncDisposable
    {
        readonly Bookings bookings = new(stage);

        public void Deconstruct(out ClusterServers servers, out Stage where, out Bookings load) => (servers, where, load) = (cluster, stage, bookings);

        public async ValueTask DisposeAsync()
        {
            await bookings.DisposeAsync();
            await stage.DisposeAsync();
            cluster.Dispose();
        }
    }
}
