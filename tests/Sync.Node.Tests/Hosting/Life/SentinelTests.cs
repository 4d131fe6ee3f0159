using Sync.Node.Hosting;

namespace Sync.Node.Tests.Hosting.Life;

/// <summary>Failovers under a load whose every change counts.</summary>
[Trait("Speed", "Slow")]
public sealed class SentinelTests
{
    public static TheoryData<string> Clients => ["resp", "stackexchange"];

    [Theory]
    [MemberData(nameof(Clients))]
    public async Task A_master_that_is_killed_should_lose_and_repeat_nothing(string client)
    {
        await using var servers = await SentinelStage.OpenAsync(Bookings.Schema, Bookings.Tables, client);
        await using var bookings = new Bookings(servers.Stage);
        var node = await servers.Stage.StartAsync();
        node.Status.Redis.ShouldBe($"127.0.0.1:{servers.First.Port}");
        bookings.Start();
        await FlowAsync(node);
        servers.First.Kill();
        await WritesToAsync(node, servers.Second.Port);
        await FlowAsync(node);
        await bookings.StopAsync();
        await servers.Stage.CaughtUpAsync(node);
        await bookings.ShouldBeExactAsync(servers.Second);
    }

    [Theory]
    [MemberData(nameof(Clients))]
    public async Task A_failover_by_order_should_lose_and_repeat_nothing(string client)
    {
        await using var servers = await SentinelStage.OpenAsync(Bookings.Schema, Bookings.Tables, client);
        await using var bookings = new Bookings(servers.Stage);
        var node = await servers.Stage.StartAsync();
        bookings.Start();
        await FlowAsync(node);
        await servers.FailOverAsync();
        await WritesToAsync(node, servers.Second.Port);
        await FlowAsync(node);
        await bookings.StopAsync();
        await servers.Stage.CaughtUpAsync(node);
        await bookings.ShouldBeExactAsync(servers.Second);
    }

    [Fact]
    public async Task A_master_that_the_Sentinels_name_no_more_should_be_left_and_what_it_took_alone_be_written_again()
    {
        await using var servers = await SentinelStage.OpenAsync(Bookings.Schema, Bookings.Tables);
        await using var bookings = new Bookings(servers.Stage);
        var node = await servers.Stage.StartAsync();
        bookings.Start();
        await FlowAsync(node);
        await servers.Second.ExecAsync("REPLICAOF", "NO", "ONE");
        await FlowAsync(node);
        await servers.NameSecondAsync();
        await WritesToAsync(node, servers.Second.Port);
        await FlowAsync(node);
        node.Log.ShouldContain(line => line.Contains("The Sentinels name Redis at") && line.Contains($"{servers.Second.Port}"));
        node.Log.ShouldContain(line => line.Contains("fell back to"));
        await bookings.StopAsync();
        await servers.Stage.CaughtUpAsync(node);
        await bookings.ShouldBeExactAsync(servers.Second);
    }

    static Task WritesToAsync(TestNode node, int port) =>
        node.UntilAsync(() => Task.FromResult(node.Status.Redis == $"127.0.0.1:{port}" && node.Status.State == NodeState.Streaming), $"the node should write to port {port}", seconds: 120);

    /// <summary>Waits until rows go through.</summary>
    static async Task FlowAsync(TestNode node)
    {
        long before = node.Status.Tables.Sum(t => t.Rows);
        await node.UntilAsync(() => node.Status.Tables.Sum(t => t.Rows) > before + 200, "rows should flow");
    }
}
