using Sync.Node.Hosting;
using Sync.Node.Verification;
using Sync.Redis.Connections;

namespace Sync.Node.Resync;

/// <summary>
/// The re-sync of one table from where it stands to its end: first all rows, in the order of the primary key, then all keys. After each chunk
/// it tells how far it is, which is kept in Redis, so that another life of the node goes on there.
/// </summary>
sealed class ResyncRun(PumpContext context, ResyncTable table, ResyncRecord begun, Func<ResyncRecord, Task> keep)
{
    const int chunkRows = 1000;
    const long chunkBytes = 8 << 20;

    /// <summary>A row that the stream has newer at each of so many readings is left to the stream.</summary>
    const int mostReadings = 40;
    static readonly TimeSpan firstPause = TimeSpan.FromMilliseconds(5), longestPause = TimeSpan.FromMilliseconds(100), longestSpoiledPause = TimeSpan.FromSeconds(5);

    readonly Pace pace = new(begun.Status.Rate, context.Time);
    readonly List<IReadOnlyList<string>> again = [.. begun.Again];
    ResyncStatus status = begun.Status;
    IReadOnlyList<string>? after = begun.After;

    public async Task<ResyncStatus> RunAsync(CancellationToken cancellationToken)
    {
        status = status with { NotCovered = [.. table.Parts.Plan.NotVerifiable, .. table.Parts.Plan.NotSearched] };
        if (status.Phase == ResyncPhase.Rows)
        {
            await RowsAsync(cancellationToken);
            await KeepAsync(status with { Phase = ResyncPhase.Keys }, cancellationToken);
        }
        foreach (var probe in table.Parts.Plan.Probes) await KeysAsync(probe, cancellationToken);
        return status;
    }

    async Task RowsAsync(CancellationToken cancellationToken)
    {
        for (int spoiled = 0; ;)
        {
            var (rows, result) = await table.MendAsync(
                chunks => chunks.AfterAsync(after, table.Parts.Query, chunkRows, chunkBytes, cancellationToken), insists: true, cancellationToken);
            if (result is null) break;
            if (result.IsSpoiled)
            {
                await ReopenAsync(++spoiled, cancellationToken);
                continue;
            }
            spoiled = 0;
            after = rows[^1].Key;
            again.AddRange(result.NewerRows.Select(r => r.Key));
            await KeepAsync(Count(result.Tally) with { Rows = status.Rows + rows.Count }, cancellationToken);
            await pace.AfterAsync(rows.Count, cancellationToken);
            if (again.Count >= chunkRows) await ReadAgainAsync(cancellationToken);
        }
        await ReadAgainAsync(cancellationToken);
    }

    /// <summary>Rows that the stream had newer. While few change all the time, each reading finds fewer of them changed.</summary>
    async Task ReadAgainAsync(CancellationToken cancellationToken)
    {
        for (int reading = 1; again.Count > 0 && reading <= mostReadings; reading++)
        {
            await Task.Delay(Pause(reading, longestPause), context.Time, cancellationToken);
            // Toward the end one by one: the shorter the reading, the less changes meanwhile.
            int size = reading > mostReadings / 2 ? 1 : chunkRows;
            var open = again.ToList();
            foreach (var keys in open.Chunk(size))
            {
                var (_, result) = await table.MendAsync(chunks => chunks.ByKeyAsync(keys, cancellationToken), insists: true, cancellationToken);
                if (result is { IsSpoiled: true }) await ReopenAsync(reading, cancellationToken);
                else
                {
                    foreach (var key in keys) again.Remove(key);
                    if (result is not null) again.AddRange(result.NewerRows.Select(r => r.Key));
                    if (result is not null) status = Count(result.Tally);
                }
            }
        }
        int left = again.Count;
        again.Clear();
        await KeepAsync(status with { Unsettled = status.Unsettled + left }, cancellationToken);
    }

    async Task KeysAsync(Engine.Verification.ExtraProbe probe, CancellationToken cancellationToken)
    {
        await using var connection = await RedisMaster.ConnectAsync(context.Config.Redis, context.Config.WriteTimeout, context.Time, cancellationToken);
        var waiting = new List<(FoundPlace Place, IReadOnlyList<IReadOnlyList<string>> Rows)>();
        await foreach (var places in new RedisState(connection, context.Writer.Keys).PlacesAsync(probe, cancellationToken))
        {
            foreach (var place in places)
                if (table.Parts.Plan.Candidates(probe, place.KeyText, place.PartText) is { Count: > 0 } rows) waiting.Add((place, rows));
            if (waiting.Count < chunkRows) continue;
            await LookUpAsync(waiting, cancellationToken);
            waiting.Clear();
        }
        await LookUpAsync(waiting, cancellationToken);
    }

    /// <summary>Most places have their row; only the others are worth standing still for.</summary>
    async Task LookUpAsync(List<(FoundPlace Place, IReadOnlyList<IReadOnlyList<string>> Rows)> waiting, CancellationToken cancellationToken)
    {
        foreach (var part in waiting.Chunk(chunkRows))
        {
            var rows = (await table.Parts.Chunks.ByKeyAsync([.. part.SelectMany(p => p.Rows).DistinctBy(Text)], cancellationToken))
                .GroupBy(r => Text(r.Key)).ToDictionary(g => g.Key, g => table.Parts.Expect(g.First()));
            await RemoveAsync([.. part.Where(p => !p.Rows.Any(key => rows.TryGetValue(Text(key), out var row) && row.Claims(p.Place.Key, p.Place.Part)))], cancellationToken);
            await KeepAsync(status with { Keys = status.Keys + part.Length }, cancellationToken);
            await pace.AfterAsync(part.Length, cancellationToken);
        }
    }

    async Task RemoveAsync(IReadOnlyList<(FoundPlace Place, IReadOnlyList<IReadOnlyList<string>> Rows)> suspects, CancellationToken cancellationToken)
    {
        for (int reading = 1; suspects.Count > 0; reading++)
        {
            if (reading > mostReadings)
            {
                status = status with { Unsettled = status.Unsettled + suspects.Count };
                return;
            }
            var result = await table.RemoveAsync(suspects, cancellationToken);
            if (result.IsSpoiled) await ReopenAsync(reading, cancellationToken);
            else
            {
                status = Count(result.Tally);
                suspects = [.. result.NewerPlaces.Select(p => (p.Place, p.Rows))];
            }
        }
    }

    async Task ReopenAsync(int times, CancellationToken cancellationToken)
    {
        await Task.Delay(Pause(times, longestSpoiledPause), context.Time, cancellationToken);
        await table.ReopenAsync(cancellationToken);
    }

    static TimeSpan Pause(int times, TimeSpan longest)
    {
        var pause = firstPause * Math.Pow(1.5, Math.Min(times, 30));
        return pause < longest ? pause : longest;
    }

    ResyncStatus Count(MendTally tally) => status with
    {
        Mended = status.Mended + tally.Mended,
        Removed = status.Removed + tally.Removed,
        Parked = status.Parked + tally.Parked,
        Refused = status.Refused + tally.Refused,
        Error = tally.Error.Length > 0 ? tally.Error : status.Error,
    };

    async Task KeepAsync(ResyncStatus now, CancellationToken cancellationToken)
    {
        status = now;
        cancellationToken.ThrowIfCancellationRequested();
        await keep(begun with { Status = status, After = after, Again = [.. again] });
    }

    static string Text(IReadOnlyList<string> key) => string.Join('\0', key);
}
