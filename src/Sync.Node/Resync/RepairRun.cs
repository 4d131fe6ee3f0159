using Sync.Contracts;
using Sync.Node.Verification;

namespace Sync.Node.Resync;

/// <summary>Mends rows and removes places that somebody names: what <c>actorsync verify --repair</c> found.</summary>
sealed class RepairRun(ResyncTable table, TimeProvider time)
{
    const int mostReadings = 20;
    static readonly TimeSpan pause = TimeSpan.FromMilliseconds(20);

    MendTally sum = MendTally.None;

    public async Task<RepairReply> RunAsync(RepairRequest request, CancellationToken cancellationToken)
    {
        long moving = await RowsAsync(request.Rows, cancellationToken) + await PlacesAsync([.. request.Remove.SelectMany(Found)], cancellationToken);
        return new RepairReply(sum.Mended, sum.Removed, sum.Parked + sum.Refused + moving, sum.Error);
    }

    async Task<long> RowsAsync(IReadOnlyList<IReadOnlyList<string>> keys, CancellationToken cancellationToken)
    {
        int width = table.Parts.Relation.PrimaryKey.Count;
        keys = [.. keys.Where(k => k.Count == width)];
        for (int reading = 0; keys.Count > 0 && reading < mostReadings; reading++)
        {
            var asked = keys;
            if (reading > 0) await Task.Delay(pause, time, cancellationToken);
            var (_, result) = await table.MendAsync(chunks => chunks.ByKeyAsync(asked, cancellationToken), insists: false, cancellationToken);
            if (result is null) return 0;
            if (result.IsSpoiled) await table.ReopenAsync(cancellationToken);
            else
            {
                sum += result.Tally;
                keys = [.. result.NewerRows.Select(r => r.Key)];
            }
        }
        return keys.Count;
    }

    async Task<long> PlacesAsync(IReadOnlyList<(FoundPlace Place, IReadOnlyList<IReadOnlyList<string>> Rows)> places, CancellationToken cancellationToken)
    {
        for (int reading = 0; places.Count > 0 && reading < mostReadings; reading++)
        {
            if (reading > 0) await Task.Delay(pause, time, cancellationToken);
            var result = await table.RemoveAsync(places, cancellationToken);
            if (result.IsSpoiled) await table.ReopenAsync(cancellationToken);
            else
            {
                sum += result.Tally;
                places = [.. result.NewerPlaces.Select(p => (p.Place, p.Rows))];
            }
        }
        return places.Count;
    }

    /// <summary>Only what the table's own mapping makes is touched: a key that it does not make is passed over.</summary>
    IEnumerable<(FoundPlace Place, IReadOnlyList<IReadOnlyList<string>> Rows)> Found(RepairPlace named)
    {
        foreach (var probe in table.Parts.Plan.Probes)
        {
            if (probe.Part is null != named.Part is null || !probe.Key.Pattern.Matches(named.Key)) continue;
            if (table.Parts.Plan.Candidates(probe, named.Key, named.Part) is not { Count: > 0 } rows) continue;
            yield return (new FoundPlace(probe, LosslessText.GetBytes(named.Key), named.Part is null ? null : LosslessText.GetBytes(named.Part)), rows);
            yield break;
        }
    }
}
