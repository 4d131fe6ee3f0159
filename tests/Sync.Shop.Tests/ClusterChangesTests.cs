using Sync.Node.Demo;
using Sync.Node.Http;

namespace Sync.Shop.Tests;

/// <summary>What the demo of a cluster tells of two looks at it.</summary>
public class ClusterChangesTests
{
    static readonly MemberView one = new("a:1", "Up", false, ["reader", "writer"], true, [0, 1, 2, 3], 0, 0, 0, 0);
    static readonly MemberView two = new("a:2", "Up", false, ["reader", "writer"], false, [4, 5], 0, 0, 0, 0);

    static ClusterView View(string? reader, long epoch, params MemberView[] members) =>
        new("c", "shop", "a:1", "a:1", reader, epoch, "a:1", members, true, null, null, 6, 0, 0, 0, 0, 0, 0, [], []);

    static string[] Between(ClusterView? before, ClusterView after) => [.. ClusterChanges.Between(before, after, address => $"node {address[2..]}")];

    [Fact]
    public void First_look_should_tell_who_is_there_who_reads_and_where_the_lanes_are() =>
        Between(null, View("a:1", 1, one, two)).ShouldBe(["node 1 is Up", "node 2 is Up", "node 1 is to read", "lanes: node 1 4, node 2 2"]);

    [Fact]
    public void Same_look_should_tell_nothing() => Between(View("a:1", 1, one, two), View("a:1", 1, two, one) with { RowsWaiting = 5 }).ShouldBeEmpty();

    [Fact]
    public void Node_that_joins_and_lanes_that_move_should_be_told() =>
        Between(View("a:1", 1, one), View("a:1", 1, one with { Lanes = [0] }, two with { Status = "Joining" })).ShouldBe(["node 2 is Joining", "lanes: node 1 1, node 2 2"]);

    [Fact]
    public void Node_that_dies_should_be_told_step_by_step()
    {
        var lost = View("a:1", 1, one with { Unreachable = true }, two);
        Between(View("a:1", 1, one, two), lost).ShouldBe(["node 1 is not reached any more"]);
        Between(lost, View("a:1", 1, one, two)).ShouldBe(["node 1 is reached again"]);
        var replaced = View("a:2", 1, two) with { LanesKnown = false };
        Between(lost, replaced).ShouldBe(["node 1 is no member any more", "node 2 is to read"]);
        Between(replaced, replaced with { ReaderEpoch = 0 }).ShouldBeEmpty();
        Between(replaced, View("a:2", 2, two with { Lanes = [0, 1, 2, 3, 4, 5] })).ShouldBe(["reading begins anew", "lanes: node 2 6"]);
    }
}
