using System.Net;
using System.Net.Sockets;
using System.Text;
using Sync.Testing;

namespace Sync.Faults.Servers;

/// <summary>
/// The network between the nodes of a cluster: a wire for each of them to each other one. A node listens on one loopback address and is known by another, where its
/// wires are. Whose wire a connection takes is read from the first bytes of it, in which a node says by what address it is known.
/// </summary>
sealed class ClusterNetwork : IAsyncDisposable
{
    readonly TcpListener[] listeners;
    readonly Wire?[,] wires;
    readonly byte[][] names;
    readonly Task accepting;

    public ClusterNetwork(int nodes)
    {
        Port = Ports.Free();
        names = [.. Enumerable.Range(0, nodes).Select(i => Encoding.ASCII.GetBytes(KnownBy(i)))];
        wires = new Wire?[nodes, nodes];
        for (int from = 0; from < nodes; from++)
            for (int to = 0; to < nodes; to++)
                if (from != to) wires[from, to] = new Wire(new IPEndPoint(IPAddress.Parse(ListensOn(to)), Port));
        listeners = [.. Enumerable.Range(0, nodes).Select(i => new TcpListener(IPAddress.Parse(KnownBy(i)), Port))];
        foreach (var listener in listeners) listener.Start();
        accepting = Task.WhenAll(Enumerable.Range(0, nodes).Select(AcceptAsync));
    }

    /// <summary>The same for all nodes.</summary>
    public int Port { get; }

    public static string ListensOn(int node) => $"127.0.1.{node + 1}";

    public static string KnownBy(int node) => $"127.0.2.{node + 1}";

    /// <summary>What becomes of all between this node and the others, in both directions.</summary>
    public void Set(int node, WireMode mode)
    {
        foreach (var wire in Around(node)) wire.Mode = mode;
    }

    /// <summary>What becomes of connections that this node has made to the others; those that they have made go on.</summary>
    public void SetOutgoing(int node, WireMode mode)
    {
        for (int other = 0; other < names.Length; other++)
            if (wires[node, other] is { } wire) wire.Mode = mode;
    }

    /// <summary>Ends every connection between this node and the others.</summary>
    public void Cut(int node)
    {
        foreach (var wire in Around(node)) wire.Cut();
    }

    IEnumerable<Wire> Around(int node) => Enumerable.Range(0, names.Length).Where(other => other != node).SelectMany(other => new[] { wires[node, other]!, wires[other, node]! });

    async Task AcceptAsync(int to)
    {
        while (true)
        {
            Socket caller;
            try { caller = await listeners[to].AcceptSocketAsync(); }
            catch (Exception e) when (e is SocketException or InvalidOperationException) { return; }
            _ = IntroduceAsync(caller, to);
        }
    }

    async Task IntroduceAsync(Socket caller, int to)
    {
        byte[] first = new byte[4096];
        int count = 0;
        try
        {
            for (int read; (read = await caller.ReceiveAsync(first.AsMemory(count))) > 0;)
            {
                count += read;
                int from = Array.FindIndex(names, name => first.AsSpan(0, count).IndexOf(name) >= 0);
                if (from < 0) continue;
                if (wires[from, to] is { } wire)
                {
                    await wire.CarryAsync(caller, first.AsMemory(0, count));
                    return;
                }
                break;
            }
        }
        catch (SocketException) { /* It has hung up. */ }
        caller.Dispose();
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var listener in listeners) listener.Stop();
        foreach (var wire in wires)
            if (wire is not null) await wire.DisposeAsync();
        await accepting;
    }
}
