using Sync.Node.Hosting;
using Sync.Testing;
using ActorSync = Sync.Node.Tests.Commands.Program;

namespace Sync.Node.Tests.Hosting.Life;

/// <summary>Nodes that stop, crash and come back, under load.</summary>
[Collection(ServersCollection.Name)]
[Trait("Speed", "Slow")]
public class RestartTests(Servers servers)
{
    [Fact]
    public async Task Nodes_that_stop_and_crash_under_load_should_apply_every_change_once()
    {
        await using var stage = await Stage.OpenAsync(servers, Bookings.Schema, Bookings.Tables);
        await using var bookings = new Bookings(stage);
        int[] workers = [1, 8, 3, 4, 2, 8, 1, 5];
        var node = await stage.StartAsync(workers[0]);
        bookings.Start();
        for (int round = 1; round < workers.Length; round++)
        {
            long rows = node.Status.Tables[0].Rows;
            await node.UntilAsync(() => node.Status.Tables[0].Rows > rows + 200, "rows should flow");
            if (round % 3 == 0) await node.StopAsync();
            else node.Crash();
            node = await stage.StartAsync(workers[round]);
        }
        await bookings.StopAsync();
        await stage.CaughtUpAsync(node);
        await bookings.ShouldBeExactAsync();
        node.Status.DeadLetters.ShouldBe(0);
    }

    [Fact]
    public async Task A_stopped_node_should_have_confirmed_what_it_applied()
    {
        await using var stage = await Stage.OpenAsync(servers, Bookings.Schema, Bookings.Tables);
        await using var bookings = new Bookings(stage);
        var node = await stage.StartAsync();
        await bookings.BookAsync(5000);
        await node.UntilAsync(() => node.Status.Tables[0].Rows > 0, "rows should flow");
        await node.StopAsync();
        string applied = node.Status.Lsn.Applied;
        // The walsender reads our last words on its way out, which may be after we have gone.
        for (var deadline = DateTime.UtcNow.AddSeconds(5); await stage.ConfirmedAsync() != applied && DateTime.UtcNow < deadline;) await Task.Delay(10);
        (await stage.ConfirmedAsync()).ShouldBe(applied);
        node = await stage.StartAsync();
        await stage.CaughtUpAsync(node);
        await bookings.ShouldBeExactAsync();
    }

    [Fact]
    public async Task A_program_that_is_killed_should_apply_every_change_once()
    {
        await using var stage = await Stage.OpenAsync(servers, Bookings.Schema, Bookings.Tables, "http: { enabled: false }");
        await using var bookings = new Bookings(stage);
        bookings.Start(pauseMs: 3);
        for (int round = 0; round < 3; round++)
        {
            using var folder = new Sandbox();
            await File.WriteAllTextAsync(folder.File("config.yaml"), stage.Config(1 + round, servers.Postgres.Port, servers.Redis.Port));
            using var program = ActorSync.Start(folder, null, "run");
            await program.SaysAsync("streaming slot");
            long before = await stage.CountAsync("XLEN", "log:1");
            for (var deadline = DateTime.UtcNow.AddSeconds(30); await stage.CountAsync("XLEN", "log:1") < before + 20 && DateTime.UtcNow < deadline;) await Task.Delay(5);
            // Leaving the block kills it.
        }
        await bookings.StopAsync();
        var node = await stage.StartAsync();
        await stage.CaughtUpAsync(node);
        await bookings.ShouldBeExactAsync();
        node.Status.State.ShouldBe(NodeState.Streaming);
    }
}
