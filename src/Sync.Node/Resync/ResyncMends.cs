using Sync.Contracts;
using Sync.Node.Hosting;
using Sync.Node.Verification;
using Sync.Redis.Sink;

namespace Sync.Node.Resync;

/// <summary>How what was read again gets its place among what streams: the writers of this process do it themselves, the lanes of a cluster are sent it.</summary>
abstract class ResyncMends
{
    /// <summary>Before anything is handed over: forgets what an earlier life has not counted.</summary>
    public virtual Task OpenAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>Waits until all is in Redis that earlier readers may have left on its way.</summary>
    public virtual Task StandStillAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>Has rows compared with their keys by whoever writes their lanes, behind all that was sent and in front of all that follows.</summary>
    /// <param name="table">Whose rows.</param>
    /// <param name="rows">One row or more, as the stream has them now.</param>
    /// <param name="at">Where the stream stands: at the commit of a message, which has no changes.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>What will have been done, in parts; the rows are on their way.</returns>
    public abstract Task<IReadOnlyList<Task<MendTally>>> MendAsync(TableParts table, IReadOnlyList<ResyncRow> rows, Lsn at, CancellationToken cancellationToken);

    /// <summary>Removes places. All that was sent is in Redis, and nothing is sent before it is done.</summary>
    public abstract Task<MendTally> RemoveAsync(IReadOnlyList<ResyncPlace> places, CancellationToken cancellationToken);
}

/// <summary>By the writers of this process, between two flights.</summary>
sealed class WriterMends(PumpContext context, WriterOutput writers) : ResyncMends
{
    public override async Task<IReadOnlyList<Task<MendTally>>> MendAsync(TableParts table, IReadOnlyList<ResyncRow> rows, Lsn at, CancellationToken cancellationToken)
    {
        var parts = new List<Task<MendTally>>();
        foreach (var own in rows.GroupBy(r => context.Router.WorkerOf(context.Router.LaneOf(r.OrderingKey))))
            parts.Add(await PostAsync(own.Key, new RowMender(context, table, [.. own]).MendAsync, cancellationToken));
        return parts;
    }

    public override async Task<MendTally> RemoveAsync(IReadOnlyList<ResyncPlace> places, CancellationToken cancellationToken) =>
        await (await PostAsync(0, new PlaceRemover(context, places).RemoveAsync, cancellationToken)).WaitAsync(cancellationToken);

    async Task<Task<MendTally>> PostAsync(int worker, Func<SinkSession, CancellationToken, ValueTask<MendTally>> work, CancellationToken cancellationToken)
    {
        var tally = MendTally.None;
        var ended = await writers[worker].PostAsync(async (session, ct) => tally = await work(session, ct), cancellationToken);
        return Tallied();

        async Task<MendTally> Tallied()
        {
            await ended;
            return tally;
        }
    }
}
