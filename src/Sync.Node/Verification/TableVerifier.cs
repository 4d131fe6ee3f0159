using System.Globalization;
using System.Text;
using Sync.Engine.DeadLetters;
using Sync.Engine.Verification;

namespace Sync.Node.Verification;

/// <summary>
/// Compares one table: first what each row asks for, then what stands in Redis and no row asks for. The first look does not wait: what
/// is equal is equal. Only what differs is looked at again (<see cref="Settlement"/>). Memory is bounded by the chunk.
/// </summary>
sealed class TableVerifier(
    TableParts table, RedisState redis, AppliedGate gate, RepairClient? repair, VerifyOptions options, TableReport report, TimeProvider time)
{
    /// <summary>SCAN may give a place twice; so many that are too much are remembered, so as to count each once.</summary>
    const int MaxRemembered = 100_000;

    /// <summary>Differences of one key that are shown.</summary>
    const int ShownParts = 3;

    readonly Settlement settlement = new(table, redis, gate, time);
    readonly Pace pace = new(options.RowsPerSecond, time);
    readonly HashSet<string> counted = new(StringComparer.Ordinal);

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        if (table.Plan.HasState) await RowsAsync(cancellationToken);
        foreach (var probe in table.Plan.Probes) await ExtrasAsync(probe, cancellationToken);
    }

    async Task RowsAsync(CancellationToken cancellationToken)
    {
        IReadOnlyList<string>? after = null;
        while (true)
        {
            var rows = await table.Chunks.AfterAsync(after, table.Query, options.ChunkRows, options.ChunkBytes, cancellationToken);
            if (rows.Count == 0) return;
            after = rows[^1].Key;
            RowExpectation[] expectations = [.. rows.Select(table.Expect)];
            var differences = await redis.CompareAsync(expectations, cancellationToken);
            report.Rows += rows.Count;
            report.Keys += expectations.Sum(e => e.Keys.Count);
            var suspects = new List<Suspect>();
            for (int i = 0; i < rows.Count; i++)
                if (expectations[i].IsPoison || differences[i].Count > 0) suspects.Add(new Suspect([rows[i].Key], null));
            await SettleAsync(suspects, cancellationToken);
            await pace.AfterAsync(rows.Count, cancellationToken);
        }
    }

    async Task ExtrasAsync(ExtraProbe probe, CancellationToken cancellationToken)
    {
        var waiting = new List<Suspect>();
        await foreach (var places in redis.PlacesAsync(probe, cancellationToken))
        {
            foreach (var place in places)
            {
                var rows = table.Plan.Candidates(probe, place.KeyText, place.PartText);
                if (rows is null) report.Untraceable++;
                else if (rows.Count > 0) waiting.Add(new Suspect(rows, place));
            }
            if (waiting.Count < options.ChunkRows) continue;
            await LookUpAsync(waiting, cancellationToken);
            waiting.Clear();
        }
        await LookUpAsync(waiting, cancellationToken);
    }

    /// <summary>Most places have their row: these are let go in one question to PostgreSQL for each chunk.</summary>
    async Task LookUpAsync(List<Suspect> places, CancellationToken cancellationToken)
    {
        foreach (var part in places.Chunk(options.ChunkRows))
        {
            var rows = (await table.Chunks.ByKeyAsync([.. part.SelectMany(s => s.Rows).DistinctBy(Text)], cancellationToken))
                .GroupBy(r => Text(r.Key)).ToDictionary(g => g.Key, g => table.Expect(g.First()));
            report.Searched += part.Length;
            var suspects = part.Where(s => !s.Rows.Any(key => rows.TryGetValue(Text(key), out var row) && row.Claims(s.Place!.Key, s.Place.Part))).ToList();
            await SettleAsync(suspects, cancellationToken);
            await pace.AfterAsync(part.Length, cancellationToken);
        }
    }

    async Task SettleAsync(List<Suspect> suspects, CancellationToken cancellationToken)
    {
        if (suspects.Count == 0) return;
        var (found, unsettled) = await settlement.RunAsync(suspects, cancellationToken);
        Count(unsettled, "unsettled", n => report.Unsettled += n);
        var drift = await SortAsync(found, cancellationToken);
        if (repair is null || drift.Count == 0)
        {
            Count(drift);
            return;
        }
        await repair.RunAsync(table.Config.FullName, drift, cancellationToken);
        int before = Keys(drift);
        var (still, open) = await settlement.RunAsync(drift, cancellationToken);
        still = await SortAsync(still, cancellationToken);
        Count(open, "unsettled", n => report.Unsettled += n);
        Count(still);
        report.Repaired += Math.Max(0, before - Keys(still) - Keys(open));
    }

    static int Keys(List<Suspect> suspects) => suspects.Sum(s => s.Differences.DistinctBy(d => Convert.ToHexString(d.Key)).Count());

    /// <summary>Puts aside what waits in the dead letters and what another writer may have done; the rest is drift.</summary>
    async Task<List<Suspect>> SortAsync(List<Suspect> found, CancellationToken cancellationToken)
    {
        var drift = new List<Suspect>();
        var parked = new List<Suspect>();
        var contested = new List<Suspect>();
        byte[][] keys = [.. found.Select(s => table.OrderingKey(s.Rows[0], s.Seen.Count > 0 ? s.Seen[0] : null))];
        bool[] isParked = await redis.AreParkedAsync(keys, cancellationToken);
        for (int i = 0; i < found.Count; i++)
        {
            var suspect = found[i];
            if (isParked[i])
            {
                parked.Add(suspect);
                continue;
            }
            var own = suspect.Differences.Where(d => !table.Plan.IsContested(d)).ToList();
            if (own.Count == 0) contested.Add(suspect);
            else
            {
                suspect.Differences = own;
                drift.Add(suspect);
            }
        }
        Count(parked, "parked", n => report.Parked += n);
        Count(contested, "contested", n => report.Contested += n);
        return drift;
    }

    void Count(List<Suspect> drift)
    {
        Count(drift.FindAll(s => s.Differences[0].Kind == DifferenceKind.Missing), "missing", n => report.Missing += n);
        Count(drift.FindAll(s => s.Differences[0].Kind == DifferenceKind.Different), "different", n => report.Different += n);
        Count(drift.FindAll(s => s.Differences[0].Kind == DifferenceKind.Extra), "extra", n => report.Extra += n);
    }

    void Count(List<Suspect> suspects, string kind, Action<long> add)
    {
        foreach (var suspect in suspects)
            foreach (var ofKey in suspect.Differences.GroupBy(d => Convert.ToHexString(d.Key)))
            {
                var first = ofKey.First();
                if (suspect.Place is not null && counted.Count < MaxRemembered && !counted.Add($"{kind}\0{ofKey.Key}\0{suspect.Place.PartText}")) continue;
                add(1);
                if (report.Examples.Count(e => e.Kind == kind) >= options.Examples) continue;
                report.Examples.Add(new VerifyExample(kind, CommandText.Value(first.Key, 200), string.Join(',', suspect.Rows[0]), Words(ofKey)));
            }
    }

    static string Words(IEnumerable<StateDifference> differences)
    {
        var words = new StringBuilder();
        int count = 0;
        foreach (var difference in differences)
            if (++count <= ShownParts) words.Append(words.Length > 0 ? "; " : "").Append(difference.What);
        if (count > ShownParts) words.Append(CultureInfo.InvariantCulture, $"; and {count - ShownParts} more");
        return words.ToString();
    }

    static string Text(IReadOnlyList<string> key) => string.Join('\0', key);
}

/// <summary>Keeps to a number of rows per second, over the time since it was made.</summary>
sealed class Pace(int rowsPerSecond, TimeProvider time)
{
    readonly long since = time.GetTimestamp();
    long rows;

    public async Task AfterAsync(int more, CancellationToken cancellationToken)
    {
        rows += more;
        var due = TimeSpan.FromSeconds(rows / (double)rowsPerSecond) - time.GetElapsedTime(since);
        if (due > TimeSpan.Zero) await Task.Delay(due, time, cancellationToken);
    }
}
