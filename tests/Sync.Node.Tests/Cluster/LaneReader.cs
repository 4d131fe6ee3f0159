using Sync.Contracts;
using Sync.Node.Tests.Hosting;

namespace Sync.Node.Tests.Cluster;

/// <summary>One start of a reader, with lanes but without actors, from its start to its end.</summary>
sealed class LaneReader : IAsyncDisposable
{
    readonly CancellationTokenSource stop = new();

    public LaneReader(LaneNode node, long epoch)
    {
        (Node, Epoch) = (node, epoch);
        var source = node.Sources.Create(epoch);
        Lanes = new DirectLanes(node.Lanes, source, node.Parts.Config.Cluster.Lanes, 3);
        Run = Task.Run(() => source.RunAsync(Lanes, stop.Token));
    }

    public LaneNode Node { get; }
    public long Epoch { get; }
    public DirectLanes Lanes { get; }
    public Task Run { get; }

    public static async Task<LaneReader> StartAsync(LaneNode node) => new(node, await node.Sources.NextEpochAsync(default));

    public async Task UntilAsync(Func<bool> condition, string expectation)
    {
        for (var deadline = DateTime.UtcNow.AddSeconds(30); !condition(); await Task.Delay(10))
        {
            if (Run.IsFaulted) await Run;
            if (DateTime.UtcNow > deadline) throw new TimeoutException($"{expectation}; log:\n{string.Join('\n', Node.Log.Lines)}");
        }
    }

    /// <summary>Waits until everything committed so far is applied.</summary>
    public async Task CaughtUpAsync(Pipeline pipeline)
    {
        var now = Lsn.Parse((string)(await pipeline.ScalarAsync("select pg_current_wal_insert_lsn()::text"))!);
        await pipeline.SqlAsync("select pg_logical_emit_message(true, 'test', 'behind')");
        await UntilAsync(() => Lsn.Parse(Node.Board.Status.Lsn.Applied) >= now, $"everything up to {now} should be applied");
    }

    public async Task StopAsync()
    {
        await stop.CancelAsync();
        await Run;
        await Lanes.DisposeAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await stop.CancelAsync();
        try { await Run; }
        catch (Exception) { /* The test has looked at it. */ }
        await Lanes.DisposeAsync();
    }
}
