using Sync.Contracts;
using Sync.Engine.Resync;
using Sync.Engine.Verification;
using Sync.Node.Hosting;
using Sync.Node.Verification;

namespace Sync.Node.Resync;

/// <param name="Key">Primary key.</param>
/// <param name="OrderingKey">What its changes are ordered by.</param>
/// <param name="Expectation">What Redis must hold because of it.</param>
sealed record ResyncRow(IReadOnlyList<string> Key, byte[] OrderingKey, RowExpectation Expectation);

/// <param name="Place">What stands in Redis.</param>
/// <param name="Rows">The rows that could have put it there, by primary key.</param>
/// <param name="OrderingKeys">What the changes of these rows are ordered by, as far as it is known.</param>
/// <param name="IsClaimed">Whether one of them does ask for it.</param>
sealed record ResyncPlace(FoundPlace Place, IReadOnlyList<IReadOnlyList<string>> Rows, IReadOnlyList<byte[]> OrderingKeys, bool IsClaimed);

/// <summary>What became of a chunk.</summary>
/// <param name="IsSpoiled">Nothing was done: read all of it again.</param>
/// <param name="NewerRows">Rows the stream has newer than they were read.</param>
/// <param name="NewerPlaces">Places of such rows.</param>
/// <param name="Tally">What was done for the rest.</param>
sealed record ChunkResult(bool IsSpoiled, IReadOnlyList<ResyncRow> NewerRows, IReadOnlyList<ResyncPlace> NewerPlaces, MendTally Tally);

/// <summary>
/// Rows, and places that no row may lead to, as they were at one moment, on their way into the stream. At the place of its message everything that
/// the moment shows has gone by; what has gone by and is not shown was watched. So each row is either just as the stream has it there, and is
/// handed to the writer of its lane behind all that came before, or known to be old.
/// </summary>
sealed class ResyncChunk(string mark, TableParts table, TableWatch watch, SnapshotSight sight, IReadOnlyList<ResyncRow> rows, IReadOnlyList<ResyncPlace> places)
{
    readonly TaskCompletionSource<ChunkResult> done = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Content of its message.</summary>
    public string Mark => mark;

    public Task<ChunkResult> Done => done.Task;

    /// <summary>Sorts out what is old and hands the rest over. Everything that the stream brought so far is on its way to the writers.</summary>
    /// <param name="context">The writers.</param>
    /// <param name="at">Where its message stands.</param>
    /// <param name="settle">Waits until all of it is in Redis.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public async ValueTask HandOverAsync(PumpContext context, Lsn at, Func<CancellationToken, ValueTask> settle, CancellationToken cancellationToken)
    {
        if (watch.Changes.IsSpoiled || context.Tables.All[watch.Table].IsStopped)
        {
            done.TrySetResult(new ChunkResult(true, rows, places, MendTally.None));
            return;
        }
        var newerRows = rows.Where(r => watch.Changes.IsNewer(r.Key, sight)).ToList();
        var newerPlaces = places.Where(p => p.Rows.Any(key => watch.Changes.IsNewer(key, sight))).ToList();
        watch.Changes.Forget(sight);
        var parts = new List<Task<MendTally>>();
        List<ResyncRow> good = [.. rows.Except(newerRows)];
        if (good.Count > 0) parts.AddRange(await context.Mends.MendAsync(table, good, at, cancellationToken));
        var vanished = places.Except(newerPlaces).Where(p => !p.IsClaimed).ToList();
        if (vanished.Count > 0)
        {
            // What the row was ordered by is not always known, so all lanes stand behind what came before, and what follows waits here.
            await settle(cancellationToken);
            parts.Add(Task.FromResult(await context.Mends.RemoveAsync(vanished, cancellationToken)));
        }
        _ = FinishAsync(parts, newerRows, newerPlaces);
    }

    async Task FinishAsync(List<Task<MendTally>> parts, IReadOnlyList<ResyncRow> newerRows, IReadOnlyList<ResyncPlace> newerPlaces)
    {
        try
        {
            var sum = MendTally.None;
            foreach (var part in await Task.WhenAll(parts)) sum += part;
            done.TrySetResult(new ChunkResult(false, newerRows, newerPlaces, sum));
        }
        catch (Exception e)
        {
            done.TrySetException(e);
        }
    }
}
