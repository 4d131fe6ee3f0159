using Akka.Cluster;
using Akka.Hosting;
using Sync.Actors.Control;
using Sync.Actors.Tests.Coordination;
using Sync.Actors.Tests.Hosting;
using Sync.Contracts;
using Sync.Contracts.Configuration;

namespace Sync.Actors.Tests.Control;

[Collection("clusters")]
[Trait("Speed", "Slow")]
public class LeavingActorTests
{
    /// <summary>What a node that was asked to leave was to the others when it began to hand over.</summary>
    static async Task<MemberStatus> LeaveAsync(bool canBeAsked)
    {
        ClusterOptions[] options = [.. Enumerable.Range(0, 2).Select(_ => TestNode.Options(FreePorts.Free()))];
        var settings = TestNode.Settings(options);
        await using var oldest = await TestNode.StartAsync(options[0], settings, akka =>
        {
            if (canBeAsked) akka.WithActors((system, _) => system.ActorOf(Props.Create(() => new LeavingActor()), LeavingActor.Name));
        });
        await using var other = await TestNode.StartAsync(options[1], settings);
        await other.UntilAsync(state => state.Members.Count(m => m.Status == MemberStatus.Up) == 2, 30);
        var status = MemberStatus.Removed;
        CoordinatedShutdown.Get(oldest.System).AddTask(CoordinatedShutdown.PhaseBeforeClusterShutdown, "look", () =>
        {
            status = oldest.Cluster.SelfMember.Status;
            return Task.FromResult(Akka.Done.Instance);
        });
        await LeavingActor.LeaveAsync(other.Cluster, oldest.Cluster.SelfAddress);
        (await oldest.Ended.WaitAsync(TimeSpan.FromSeconds(30))).ShouldBe(ExitCode.Ok);
        await other.UntilAsync(state => state.Members.Count == 1, 30);
        return status;
    }

    [Fact]
    public async Task A_node_should_hand_over_while_it_is_a_full_member() => (await LeaveAsync(canBeAsked: true)).ShouldBe(MemberStatus.Up);

    [Fact]
    public async Task Of_two_nodes_one_that_lives_and_is_taken_out_should_end()
    {
        ClusterOptions[] options = [.. Enumerable.Range(0, 2).Select(_ => TestNode.Options(FreePorts.Free(), strategy: DowningStrategy.LeaseMajority))];
        var settings = TestNode.Settings(options) with { Leases = new MemoryLeases() };
        await using var oldest = await TestNode.StartAsync(options[0], settings, akka => akka.WithActors((system, _) => system.ActorOf(Props.Create(() => new LeavingActor()), LeavingActor.Name)));
        await using var other = await TestNode.StartAsync(options[1], settings);
        await other.UntilAsync(state => state.Members.Count(m => m.Status == MemberStatus.Up) == 2, 30);
        await LeavingActor.DownAsync(other.Cluster, oldest.Cluster.SelfAddress);
        (await oldest.Ended.WaitAsync(TimeSpan.FromSeconds(10))).ShouldBe(ExitCode.ClusterDowned);
        await other.UntilAsync(state => state.Members.Count == 1 && state.Unreachable.IsEmpty, 10);
        other.Ended.IsCompleted.ShouldBeFalse();
    }

    [Fact]
    public async Task A_node_that_does_not_answer_should_leave_all_the_same() => (await LeaveAsync(canBeAsked: false)).ShouldBeOneOf(MemberStatus.Leaving, MemberStatus.Exiting);
}
