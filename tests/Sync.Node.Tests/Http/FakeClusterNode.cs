using Sync.Contracts;
using Sync.Node.Hosting;
using Sync.Node.Http;

namespace Sync.Node.Tests.Http;

/// <summary>The same as a node of a cluster.</summary>
sealed class FakeClusterNode : FakeNode, IClusterAdmin
{
    public ClusterCounts Counts { get; set; } = new(3, 1, 86, true);

    public ClusterView View { get; set; } = new(
        "actorsync", "shop", "node1:7719", "node1:7719", "node2:7719", 4, "node1:7719",
        [
            new MemberView("node1:7719", "Up", false, ["reader", "writer"], false, [0, 1, 2, 5], 12, 1024, 3.5, 0),
            new MemberView("node2:7719", "Leaving", true, ["reader"], true, [], 0, 0, 0, 0),
        ],
        true, new LeaseView("node1:7719", 17.4), null, 256, 12, 1024, 3.5, 1, 2, 5, [3, 4, 9],
        [new CommandView("c1", "leave", "node2:7719", "HTTP at node1:7719", new DateTimeOffset(2026, 1, 31, 12, 0, 0, TimeSpan.Zero), "done", "node2:7719 is asked to leave.")]);

    public LanesView Lanes { get; set; } = new([new LaneView(0, "node1:7719", 4, 17, "0/1A2B3C8/2", 12, 1024, 3.5, true, 1)], [3]);

    public Task<ClusterView> LookAsync(CancellationToken cancellationToken) => Failure is null ? Task.FromResult(View) : throw Failure;

    public Task<LanesView> LanesAsync(CancellationToken cancellationToken) => Failure is null ? Task.FromResult(Lanes) : throw Failure;

    public Task<NodeReply> LeaveAsync(string node, CancellationToken cancellationToken) => Order("leave", node, "is asked to leave.");

    public Task<NodeReply> DownAsync(string node, CancellationToken cancellationToken) => Order("down", node, "is taken out.");

    Task<NodeReply> Order(string verb, string node, string done)
    {
        Asked.Add($"{verb} {node}");
        if (View.Members.All(m => m.Address != node)) throw new SyncException(ExitCode.Usage, $"'{node}' is no member of the cluster.");
        return Task.FromResult(new NodeReply($"{node} {done}"));
    }
}
