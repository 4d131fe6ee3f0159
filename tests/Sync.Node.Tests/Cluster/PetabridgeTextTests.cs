using Sync.Node.Cluster;
using Sync.Node.Tests.Http;

namespace Sync.Node.Tests.Cluster;

/// <summary>What <c>pbm actorsync …</c> would print.</summary>
public sealed class PetabridgeTextTests
{
    readonly FakeClusterNode node = new();

    [Fact]
    public void Lag_should_be_told_of_all_and_of_each() => PetabridgeText.Lag(node.View).ShouldBe(
        ["all: 12 rows, 1.0 kB, lag 3.5 ms", "node1:7719: 12 rows, 1.0 kB, lag 3.5 ms", "node2:7719: 0 rows, 0 B, lag 0.0 ms"]);

    [Fact]
    public void Lanes_should_be_told_as_ranges_and_it_be_said_when_they_are_not_known()
    {
        PetabridgeText.Lanes(node.View).ShouldBe(["node1:7719: 4 lanes: 0-2, 5", "node2:7719 (reader): 0 lanes"]);
        PetabridgeText.Lanes(node.View with { LanesKnown = false }).First().ShouldContain("ask again");
    }

    [Fact]
    public void Circuits_should_be_told_with_what_waits_behind_them()
    {
        PetabridgeText.Circuits(node.Lanes).ShouldBe(["lane 0 on node1:7719: 12 rows, 1.0 kB, lag 3.5 ms", "no answer of 3"]);
        PetabridgeText.Circuits(node.Lanes with { Lanes = [], SilentLanes = [] }).ShouldBe(["Redis refuses no lane."]);
    }

    [Fact]
    public void Dead_letters_should_be_told_with_their_lanes() =>
        PetabridgeText.DeadLetters(5, node.Lanes).ShouldBe(["5 dead letters of 1 keys; see actorsync dlq list.", "lane 0 on node1:7719: 1 keys"]);
}
