using System.Diagnostics;
using Sync.Faults.Servers;

namespace Sync.Faults.Injecting;

/// <summary>What happens to the nodes of a cluster. In half of the cases it is the one that reads, otherwise one of the others.</summary>
sealed class ClusterFaults(Site site)
{
    /// <summary>How long the others may take to go on without a node, and how long such a node may take to end once it can.</summary>
    static readonly TimeSpan patience = TimeSpan.FromSeconds(40);

    /// <summary>Shorter than what makes a node count as lost, and than what counts for a cut.</summary>
    static readonly TimeSpan shortest = TimeSpan.FromSeconds(2.5);

    /// <summary>Longer than it takes until the others have gone on.</summary>
    static readonly TimeSpan longest = TimeSpan.FromSeconds(12);

    /// <summary>How often the others went on without a node that was alive, and how often such a node then ended as it has to.</summary>
    public int Abandoned { get; private set; }

    public async Task ApplyAsync(Fault fault)
    {
        var reader = await site.ActiveAsync();
        var node = fault.Variant % 2 == 0 ? reader : site.Other(reader, fault.Variant / 2);
        switch (fault.Kind)
        {
            case FaultKind.NodeKill: reader.End(Posix.Sigkill, fault.Lasts); break;
            case FaultKind.StandbyKill: site.Other(reader, fault.Variant).End(Posix.Sigkill, fault.Lasts); break;
            case FaultKind.NodePause:
                node.Freeze();
                await Task.Delay(fault.Lasts < shortest ? fault.Lasts : shortest);
                node.Thaw();
                break;
            case FaultKind.NodeFreeze: await FreezeAsync(node, fault); break;
            case FaultKind.NodeRestart:
                node.Workers = 1 + (fault.Variant % 6);
                node.End(Posix.Sigterm, fault.Lasts / 2);
                break;
            case FaultKind.NodeRolling: await RollAsync(); break;
            case FaultKind.NodeSplit: await SplitAsync(node, fault); break;
            case FaultKind.NodeSplitOneWay:
                site.Network!.SetOutgoing(node.ClusterIndex!.Value, WireMode.Hole);
                await Task.Delay(fault.Lasts + shortest);
                await JoinAsync(node, fault);
                break;
            default: throw new ArgumentException($"{fault.Kind} is not of a cluster.");
        }
    }

    /// <summary>
    /// A node stands still for so long that the others go on without it; then it wakes up, believes to be one of them, and has to end. In half of the cases what it had
    /// sent to Redis was held up on its way and arrives only then; in a quarter PostgreSQL loses its connections at once, else it has to notice by itself.
    /// </summary>
    async Task FreezeAsync(NodeProcess node, Fault fault)
    {
        if (fault.Variant % 4 < 2)
        {
            node.Redis.Mode = WireMode.Hole;
            await Task.Delay(TimeSpan.FromMilliseconds(700));
        }
        int downed = node.Downed;
        bool wasComplete = await site.IsCompleteAsync();
        node.Freeze();
        if (fault.Variant % 8 < 2)
        {
            node.Postgres.Mode = WireMode.Refuse;
            node.Postgres.Cut();
        }
        var watch = Stopwatch.StartNew();
        await Task.Delay(longest);
        while (!await OthersStreamAsync(node) && watch.Elapsed < patience) await Task.Delay(100);
        bool wentOn = wasComplete && await OthersStreamAsync(node);
        if (watch.Elapsed >= patience) await site.NoteAsync($"nobody streams while node {node.Name} is frozen");
        await Task.Delay(fault.Lasts / 2);
        node.Thaw();
        if (fault.Variant % 4 < 2) node.Redis.Mode = WireMode.Open;
        node.Postgres.Mode = WireMode.Open;
        // Where another one was missing as well there is no telling who goes on.
        if (wentOn) await EndedAsync(node, downed);
    }

    async Task<bool> OthersStreamAsync(NodeProcess node)
    {
        foreach (var other in site.Nodes)
            if (other != node && await other.StateAsync() == "streaming") return true;
        return false;
    }

    /// <summary>A node that the others went on without ends by itself, with the exit code that says so, and its supervisor starts it again.</summary>
    async Task EndedAsync(NodeProcess node, int downed)
    {
        Abandoned++;
        for (var watch = Stopwatch.StartNew(); node.Downed == downed; await Task.Delay(100))
        {
            if (watch.Elapsed < patience) continue;
            lock (site.Problems) site.Problems.Add($"node {node.Name} is alive {patience.TotalSeconds:0} s after it came back to a cluster that had gone on without it");
            return;
        }
    }

    /// <summary>A node is cut off from the others, but not from PostgreSQL and Redis: in half of the cases for a moment, else until one side has given up.</summary>
    async Task SplitAsync(NodeProcess node, Fault fault)
    {
        int index = node.ClusterIndex!.Value, downed = node.Downed;
        bool wasComplete = await site.IsCompleteAsync();
        site.Network!.Set(index, WireMode.Hole);
        bool isShort = fault.Variant % 4 < 2;
        await Task.Delay(isShort ? shortest : longest);
        if (!isShort && wasComplete) await EndedAsync(node, downed);
        await JoinAsync(node, fault);
    }

    /// <summary>The network is whole again: what was held flows, or its connections are gone.</summary>
    Task JoinAsync(NodeProcess node, Fault fault)
    {
        int index = node.ClusterIndex!.Value;
        if (fault.Variant % 8 < 4) site.Network!.Cut(index);
        site.Network!.Set(index, WireMode.Open);
        return Task.CompletedTask;
    }

    /// <summary>All nodes, one after the other, as an update does it: the next one when the one before is a member again.</summary>
    async Task RollAsync()
    {
        foreach (var node in site.Nodes)
        {
            int pid = node.Pid;
            node.End(Posix.Sigterm, TimeSpan.Zero);
            for (var watch = Stopwatch.StartNew(); watch.Elapsed < patience; await Task.Delay(100))
                if (node.Pid != pid && await node.StateAsync() is "streaming" or "standby") break;
        }
    }
}
