using Sync.Contracts;
using Sync.Contracts.Cluster.Wire;
using Sync.Contracts.Rows;
using Sync.Engine.Batching;
using Sync.Engine.Verification;
using Sync.Node.Hosting;
using Sync.Node.Verification;
using Sync.Redis.Progress;

namespace Sync.Node.Resync;

/// <summary>
/// By the lanes of a cluster, wherever they are (docs/protocols/cluster.md, "Rows that are compared"): each row goes in its lane, with a position that no change has, and
/// is acknowledged like a change. What came of it the lanes count in Redis.
/// </summary>
sealed class LaneMends(PumpContext context) : ResyncMends
{
    static readonly byte[] nothing = [0];

    readonly MendCounts counts = new(context.Writer.Keys);

    public override Task OpenAsync(CancellationToken cancellationToken) =>
        context.Output.ActAsync((session, ct) => counts.ForgetAllAsync(session.Connection, ct), cancellationToken);

    public override async Task<IReadOnlyList<Task<MendTally>>> MendAsync(TableParts table, IReadOnlyList<ResyncRow> rows, Lsn at, CancellationToken cancellationToken)
    {
        int index = context.Tables.All.First(t => t.Name == table.Config.FullName).Index;
        var lanes = new SortedDictionary<int, Batch>();
        for (int i = 0; i < rows.Count; i++)
        {
            int lane = context.Router.LaneOf(rows[i].OrderingKey);
            if (!lanes.TryGetValue(lane, out var batch)) lanes.Add(lane, batch = context.Pool.Rent());
            byte[] state = ClusterWire.ToBytes(RowStates.Of(rows[i].Expectation, table.Plan)).Bytes;
            batch.Add(i + 1, new Position(at, (ulong)i), state, 0, rows[i].OrderingKey, index, ChangeKind.Compare, 0);
        }
        var home = new LanesHome(lanes.Count);
        foreach (var (lane, batch) in lanes) await context.Output.SendAsync(lane, batch, home, cancellationToken);
        return [TallyAsync(home, at, cancellationToken)];
    }

    async Task<MendTally> TallyAsync(LanesHome home, Lsn at, CancellationToken cancellationToken)
    {
        await home.Done.WaitAsync(cancellationToken);
        MendCount? found = null;
        await context.Output.ActAsync(async (session, ct) =>
        {
            found ??= await counts.ReadAsync(session.Connection, at, ct);
            await counts.ForgetAsync(session.Connection, at, ct);
        }, cancellationToken);
        var count = found!.Value;
        return new MendTally(count.Mended, 0, count.Parked, count.Refused, count.Error);
    }

    public override async Task<MendTally> RemoveAsync(IReadOnlyList<ResyncPlace> places, CancellationToken cancellationToken)
    {
        await StandStillAsync(cancellationToken);
        var tally = MendTally.None;
        await context.Output.ActAsync(async (session, ct) => tally = await new PlaceRemover(context, places).RemoveAsync(session, ct), cancellationToken);
        return tally;
    }

    /// <summary>
    /// What this reader has sent says nothing of rows that another has sent and this one leaves out, because their table is copied anew. A lane acknowledges nothing
    /// before all it has is in Redis, so something is sent to each.
    /// </summary>
    public override async Task StandStillAsync(CancellationToken cancellationToken)
    {
        var home = new LanesHome(context.Output.Workers);
        for (int lane = 0; lane < context.Output.Workers; lane++)
        {
            var batch = context.Pool.Rent();
            batch.Add(1, Position.None, [], 0, nothing, 0, ChangeKind.Compare, 0);
            await context.Output.SendAsync(lane, batch, home, cancellationToken);
        }
        for (int lane = 0; lane < context.Output.Workers; lane++) await context.Output.DrainedAsync(lane, cancellationToken);
    }

    /// <summary>Waits for a batch in each of some lanes.</summary>
    sealed class LanesHome(int lanes) : IBatchOwner
    {
        readonly TaskCompletionSource done = new(TaskCreationOptions.RunContinuationsAsynchronously);
        int left = lanes;

        public Task Done => done.Task;

        public void Applied(int worker, Batch batch) => throw new NotSupportedException("Lanes keep no batches.");

        public void Settled(int worker, int rows, int bytes)
        {
            if (Interlocked.Decrement(ref left) == 0) done.TrySetResult();
        }
    }
}
