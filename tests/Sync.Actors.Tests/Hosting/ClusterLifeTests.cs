using System.Diagnostics;
using Akka.Cluster;
using Sync.Actors.Hosting;
using Sync.Actors.Tests.Coordination;
using Sync.Contracts;
using Sync.Contracts.Configuration;
using Xunit.Abstractions;

namespace Sync.Actors.Tests.Hosting;

/// <summary>Real clusters on loopback with the default times: how they form, lose nodes, and are cut.</summary>
[Collection("clusters")]
[Trait("Speed", "Slow")]
public sealed class ClusterLifeTests(ITestOutputHelper output)
{
    static ClusterOptions Lease(int port, string host = "127.0.0.1", string? publicHost = null) => TestNode.Options(port, host, publicHost, DowningStrategy.LeaseMajority);

    [Fact]
    public async Task Two_nodes_should_survive_the_kill_of_either_with_the_lease()
    {
        var leases = new MemoryLeases();
        for (int killed = 0; killed < 2; killed++)
        {
            var first = Lease(FreePorts.Free());
            var settings = TestNode.Settings(first) with { Leases = leases, Slot = $"slot{killed}" };
            var nodes = await TestNode.StartAllAsync((first, settings), (Lease(FreePorts.Free()), settings));
            var survivor = nodes[1 - killed];
            var took = Stopwatch.StartNew();
            nodes[killed].Kill();
            await survivor.UntilAsync(s => s.Members.Count == 1, 20);
            output.WriteLine($"node {killed} killed: removed after {took.Elapsed.TotalSeconds:0.0} s");
            took.Elapsed.ShouldBeLessThan(TimeSpan.FromSeconds(12));
            survivor.Ended.IsCompleted.ShouldBeFalse();
            leases.Holder(ClusterHocon.LeaseName(first, settings.Slot)).ShouldBe($"actorsync@{survivor.Address}");
            foreach (var node in nodes) await node.DisposeAsync();
        }
    }

    [Fact]
    public async Task Three_nodes_should_survive_the_kill_of_the_oldest_by_majority()
    {
        ClusterOptions[] options = [.. Enumerable.Range(0, 3).Select(_ => TestNode.Options(FreePorts.Free()))];
        var settings = TestNode.Settings(options);
        var nodes = await TestNode.StartAllAsync([.. options.Select(o => (o, settings))]);
        var took = Stopwatch.StartNew();
        nodes[0].Kill();
        foreach (var node in nodes[1..]) await node.UntilAsync(s => s.Members.Count == 2, 20);
        output.WriteLine($"removed after {took.Elapsed.TotalSeconds:0.0} s");
        took.Elapsed.ShouldBeLessThan(TimeSpan.FromSeconds(12));
        foreach (var node in nodes) await node.DisposeAsync();
    }

    [Fact]
    public async Task A_cut_between_two_nodes_should_leave_the_one_with_the_lease_and_end_the_other()
    {
        var leases = new MemoryLeases();
        int port = FreePorts.Free();
        using CutProxy first = new("127.0.0.12", "127.0.0.11", port), second = new("127.0.0.14", "127.0.0.13", port);
        ClusterOptions a = Lease(port, "127.0.0.11", "127.0.0.12"), b = Lease(port, "127.0.0.13", "127.0.0.14");
        var settings = TestNode.Settings(a) with { Leases = leases };
        var nodes = await TestNode.StartAllAsync((a, settings), (b, settings));
        first.Cut();
        second.Cut();
        var ended = await Task.WhenAny(nodes.Select(n => n.Ended)).WaitAsync(TimeSpan.FromSeconds(40));
        (await ended).ShouldBe(ExitCode.ClusterDowned);
        var survivor = nodes.Single(n => n.Ended != ended);
        await survivor.UntilAsync(s => s.Members.Count == 1, 20);
        leases.Holder(ClusterHocon.LeaseName(a, "shop")).ShouldBe($"actorsync@{survivor.Address}");
        survivor.Ended.IsCompleted.ShouldBeFalse();
        foreach (var node in nodes) await node.DisposeAsync();
    }

    [Fact]
    public async Task A_node_that_is_cut_off_from_two_others_should_end_itself()
    {
        int port = FreePorts.Free();
        CutProxy[] proxies = [.. Enumerable.Range(0, 3).Select(i => new CutProxy($"127.0.0.{22 + (2 * i)}", $"127.0.0.{21 + (2 * i)}", port))];
        ClusterOptions[] options = [.. Enumerable.Range(0, 3).Select(i => TestNode.Options(port, $"127.0.0.{21 + (2 * i)}", $"127.0.0.{22 + (2 * i)}"))];
        var settings = TestNode.Settings(options);
        var nodes = await TestNode.StartAllAsync([.. options.Select(o => (o, settings))]);
        // The first one, which has the lowest address and the singletons: what it calls goes out through the other two proxies, so all three stand for its cut.
        proxies[0].Cut();
        (await nodes[0].Ended.WaitAsync(TimeSpan.FromSeconds(40))).ShouldBe(ExitCode.ClusterDowned);
        foreach (var node in nodes[1..]) await node.UntilAsync(s => s.Members.Count == 2, 20);
        foreach (var node in nodes) await node.DisposeAsync();
        foreach (var proxy in proxies) proxy.Dispose();
    }

    [Fact]
    public async Task A_node_that_leaves_should_end_with_success_and_soon()
    {
        ClusterOptions[] options = [.. Enumerable.Range(0, 2).Select(_ => TestNode.Options(FreePorts.Free()))];
        var settings = TestNode.Settings(options);
        var nodes = await TestNode.StartAllAsync([.. options.Select(o => (o, settings))]);
        var took = Stopwatch.StartNew();
        await CoordinatedShutdown.Get(nodes[0].System).Run(CoordinatedShutdown.ClrExitReason.Instance);
        output.WriteLine($"left after {took.Elapsed.TotalSeconds:0.0} s");
        took.Elapsed.ShouldBeLessThan(settings.ShutdownTimeout);
        (await nodes[0].Ended).ShouldBe(ExitCode.Ok);
        await nodes[1].UntilAsync(s => s.Members.Count == 1 && s.Unreachable.IsEmpty, 5);
        foreach (var node in nodes) await node.DisposeAsync();
    }

    [Fact]
    public async Task A_seed_that_only_joins_should_begin_a_cluster_when_the_one_at_work_has_ended()
    {
        ClusterOptions first = TestNode.Options(FreePorts.Free()), other = TestNode.Options(FreePorts.Free());
        var settings = TestNode.Settings(first, other) with { OnlyJoins = true };
        await using var node = await TestNode.StartAsync(first, settings);
        int looks = 0;
        var watch = new ClusterJoining(node.System, first, settings.Seeds, _ => Task.FromResult(++looks <= 2)).RunAsync(CancellationToken.None);
        await node.UntilAsync(s => s.Members.Count(m => m.Status == MemberStatus.Up) == 1, 30);
        await watch;
        // It waited for the slot to be free for a while.
        looks.ShouldBe(7);
    }

    [Fact]
    public async Task A_seed_that_only_joins_should_begin_nothing_while_a_cluster_is_at_work()
    {
        ClusterOptions first = TestNode.Options(FreePorts.Free()), other = TestNode.Options(FreePorts.Free());
        var settings = TestNode.Settings(first, other) with { OnlyJoins = true };
        await using var node = await TestNode.StartAsync(first, settings);
        var watch = new ClusterJoining(node.System, first, settings.Seeds, _ => Task.FromResult(true)).RunAsync(CancellationToken.None);
        (await node.Ended.WaitAsync(TimeSpan.FromSeconds(40))).ShouldBe(ExitCode.ClusterDowned);
        await watch;
    }
}

/// <summary>They measure time, so they run one after the other.</summary>
[CollectionDefinition("clusters", DisableParallelization = true)]
public sealed class ClusterCollection;
