using Sync.Contracts.Configuration;
using Sync.Load.Contestants;
using Sync.Postgres.Connections;
using Sync.Postgres.Slots;
using Sync.Testing;

namespace Sync.Load.Cluster;

/// <summary>
/// Some nodes on one slot, started and waiting for it: all of them are there and know each other before the first row can be read, so that what is measured
/// begins with the reading.
/// </summary>
sealed class ClusterNodes : IAsyncDisposable
{
    static readonly TimeSpan poll = TimeSpan.FromMilliseconds(50), settling = TimeSpan.FromSeconds(3);

    readonly Sandbox folder;
    readonly List<ClusterNode> nodes = [];

    ClusterNodes(Sandbox folder) => this.folder = folder;

    public IReadOnlyList<int> Ids => nodes.ConvertAll(node => node.Id);

    /// <param name="stage">The servers.</param>
    /// <param name="source">What they follow.</param>
    /// <param name="count">How many; 0 for one that works alone.</param>
    /// <param name="settings">Environment variables of all of them.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>The nodes, and what keeps the slot from them until it is disposed of.</returns>
    public static async Task<(ClusterNodes Nodes, SlotLease Lease)> StartAsync(
        Stage stage, ClusterSource source, int count, IReadOnlyDictionary<string, string> settings, CancellationToken cancellationToken)
    {
        var folder = new Sandbox();
        var started = new ClusterNodes(folder);
        try
        {
            string config = NodeContestant.WriteConfig(stage, source.Publication, source.Slot, source.Tables, folder.Path);
            var lease = await started.HoldAsync(config, source.Slot, cancellationToken);
            int[] ports = [.. Enumerable.Range(0, count).Select(_ => Ports.Free())];
            string seeds = string.Join(',', ports.Select(port => $"127.0.0.1:{port}"));
            for (int i = 0; i < Math.Max(1, count); i++)
            {
                var own = new Dictionary<string, string>(settings);
                if (count > 0)
                {
                    own["ACTORSYNC_CLUSTER_SEEDS"] = seeds;
                    own["ACTORSYNC_CLUSTER_PORT"] = $"{ports[i]}";
                    own["ACTORSYNC_PETABRIDGE_ENABLED"] = "false";
                }
                started.nodes.Add(ClusterNode.Start(config, count > 0, own));
            }
            await started.WaitAsync(count, cancellationToken);
            return (started, lease);
        }
        catch
        {
            await started.DisposeAsync();
            throw;
        }
    }

    /// <summary>Change sets that all of them have brought to Redis.</summary>
    public async Task<long> AppliedAsync(CancellationToken cancellationToken) => (await Task.WhenAll(nodes.Select(node => node.AppliedAsync(cancellationToken)))).Sum();

    /// <summary>What the garbage collector of each manages.</summary>
    public Task<long[]> HeapsAsync(CancellationToken cancellationToken) => Task.WhenAll(nodes.Select(node => node.HeapAsync(cancellationToken)));

    /// <summary>Waits until so many change sets are in Redis.</summary>
    public async Task WaitForAsync(long rows, CancellationToken cancellationToken)
    {
        while (await AppliedAsync(cancellationToken) < rows) await Task.Delay(poll, cancellationToken);
    }

    /// <summary>Has all of them end in order.</summary>
    public async Task StopAsync(CancellationToken cancellationToken)
    {
        foreach (var node in nodes) await node.StopAsync(cancellationToken);
    }

    /// <summary>The right to the slot, which a node waits for as it does for another one that has it.</summary>
    async Task<SlotLease> HoldAsync(string config, string slot, CancellationToken cancellationToken)
    {
        var conn = ConfigLoader.Load(config, new Dictionary<string, string>(), folder.Path).Postgres.Conn;
        await using var primary = await new PostgresConnector(conn).FindPrimaryAsync(cancellationToken);
        return await SlotLease.AcquireAsync(primary, slot, _ => { }, TimeProvider.System, cancellationToken);
    }

    /// <summary>Until all of them are there and had time to find each other.</summary>
    async Task WaitAsync(int count, CancellationToken cancellationToken)
    {
        foreach (var node in nodes)
            while (!await IsThereAsync(node, count > 0, cancellationToken)) await Task.Delay(poll, cancellationToken);
        // Asking who carries lanes would start the lanes.
        if (count > 0) await Task.Delay(settling, cancellationToken);
    }

    /// <summary>A node of a cluster is ready as soon as it is a member; one that works alone stands by for the slot.</summary>
    static async Task<bool> IsThereAsync(ClusterNode node, bool isClustered, CancellationToken cancellationToken) =>
        await node.LookAsync("/api/status", cancellationToken) is { } status
        && (isClustered ? status.GetProperty("ready").GetBoolean() : status.GetProperty("state").GetString() == "standby");

    public ValueTask DisposeAsync()
    {
        foreach (var node in nodes) node.Dispose();
        folder.Dispose();
        return ValueTask.CompletedTask;
    }
}

/// <param name="Publication">What is published.</param>
/// <param name="Slot">The slot that stands before it.</param>
/// <param name="Tables">The <c>tables:</c> of a configuration.</param>
sealed record ClusterSource(string Publication, string Slot, string Tables);
