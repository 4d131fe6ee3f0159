using Sync.Engine.Verification;
using Sync.Postgres.Rows;

namespace Sync.Node.Verification;

/// <summary>
/// Finds out whether what looked like drift is drift. One look is: read the rows, wait until Redis holds all that was committed by then, read
/// Redis, read the rows again. If a row has the same version at both ends, no change of it committed in between, so that Redis must hold just
/// this version. What is seen anyway is drift, with two exceptions, for which several looks in a row have to agree, each after a longer pause:
/// <list type="bullet">
/// <item>The stream carries a commit a moment before queries see it, so that Redis may be ahead.</item>
/// <item>A row that is not there has no version: it may have come and gone. So it is read all the time while the look waits, and it takes more looks.</item>
/// </list>
/// </summary>
sealed class Settlement(TableParts table, RedisState redis, AppliedGate gate, TimeProvider time)
{
    const int LooksAtRows = 3, LooksAtGoneRows = 5, MaxLooks = 15;
    static readonly TimeSpan firstPause = TimeSpan.FromMilliseconds(25), longestPause = TimeSpan.FromMilliseconds(400);

    /// <returns>What is drift, and what changed each time it was looked at. The rest is as it should be.</returns>
    public async Task<(List<Suspect> Drift, List<Suspect> Unsettled)> RunAsync(List<Suspect> suspects, CancellationToken cancellationToken)
    {
        var drift = new List<Suspect>();
        var open = suspects;
        foreach (var suspect in open) suspect.Agreed = 0;
        for (int look = 0; look < MaxLooks && open.Count > 0; look++)
        {
            if (gate.IsRunning && look > 0) await Task.Delay(Pause(look), time, cancellationToken);
            await LookAsync(open, cancellationToken);
            var next = new List<Suspect>();
            foreach (var suspect in open)
            {
                if (suspect.Differences.Count == 0) continue;
                suspect.Agreed = suspect.HasMoved ? 0 : suspect.Agreed + 1;
                int needed = !gate.IsRunning ? 1 : suspect.Seen.Count < suspect.Rows.Count ? LooksAtGoneRows : LooksAtRows;
                (suspect.Agreed >= needed ? drift : next).Add(suspect);
            }
            open = next;
        }
        return (drift, open);
    }

    async Task LookAsync(List<Suspect> open, CancellationToken cancellationToken)
    {
        await ReadAsync(open, (suspect, rows) => (suspect.Seen, suspect.HasMoved) = (rows, false), cancellationToken);
        if (gate.IsRunning)
        {
            var committed = await gate.CurrentAsync(cancellationToken);
            var gone = open.FindAll(s => s.Seen.Count < s.Rows.Count);
            await gate.WaitAsync(committed, gone.Count == 0 ? null : () => ReadAsync(gone, Watch, cancellationToken), cancellationToken);
        }
        await CompareAsync(open, cancellationToken);
        await ReadAsync(open, Watch, cancellationToken);
    }

    static void Watch(Suspect suspect, IReadOnlyList<ReadRow> rows) => suspect.HasMoved |= !suspect.HasSame(rows);

    static TimeSpan Pause(int look)
    {
        var pause = firstPause * (1 << Math.Min(look, 5));
        return pause < longestPause ? pause : longestPause;
    }

    async Task ReadAsync(List<Suspect> suspects, Action<Suspect, IReadOnlyList<ReadRow>> take, CancellationToken cancellationToken)
    {
        var keys = suspects.SelectMany(s => s.Rows).DistinctBy(Text).ToList();
        var rows = (await table.Chunks.ByKeyAsync(keys, cancellationToken)).GroupBy(r => Text(r.Key)).ToDictionary(g => g.Key, g => g.First());
        foreach (var suspect in suspects) take(suspect, [.. suspect.Rows.Select(key => rows.GetValueOrDefault(Text(key))).OfType<ReadRow>()]);
    }

    async Task CompareAsync(List<Suspect> suspects, CancellationToken cancellationToken)
    {
        var rows = suspects.Where(s => s.Place is null).ToList();
        var expectations = rows.ConvertAll(s => s.Seen.Count > 0 ? table.Expect(s.Seen[0]) : new RowExpectation());
        var found = await redis.CompareAsync(expectations, cancellationToken);
        for (int i = 0; i < rows.Count; i++) rows[i].Differences = expectations[i].IsPoison ? [Unwritable(rows[i])] : found[i];

        var places = suspects.Where(s => s.Place is not null).ToList();
        bool[] isThere = await redis.AreThereAsync(places.ConvertAll(s => s.Place!), cancellationToken);
        for (int i = 0; i < places.Count; i++)
        {
            var place = places[i].Place!;
            bool isClaimed = places[i].Seen.Any(row => table.Expect(row).Claims(place.Key, place.Part));
            places[i].Differences = isThere[i] && !isClaimed ? [Extra(place)] : [];
        }
    }

    StateDifference Unwritable(Suspect suspect) =>
        new(DifferenceKind.Missing, table.OrderingKey(suspect.Rows[0], suspect.Seen[0]), null, "the row can't be written as commands: a value in a key is NULL, or a number is none");

    static StateDifference Extra(FoundPlace place)
    {
        string what = place.Probe.Kind switch { PlaceKind.Key => "", PlaceKind.HashField => $"field {place.PartText}: ", _ => $"member {place.PartText}: " };
        return new StateDifference(DifferenceKind.Extra, place.Key, place.Part, $"{what}no row leads to it");
    }

    static string Text(IReadOnlyList<string> key) => string.Join('\0', key);
}
