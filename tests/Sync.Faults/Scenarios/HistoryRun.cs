using System.Diagnostics;
using System.Globalization;
using Npgsql;
using Sync.Faults.Checking;
using Sync.Faults.Load;
using Sync.Faults.Servers;
using Sync.Testing;

namespace Sync.Faults.Scenarios;

/// <summary>
/// PostgreSQL leaves the history that Redis follows, under load and with nodes that die beside it: a copy is put back, a recovery ends at a point in
/// time or with a new timeline, the slot or
/// the publication is lost or changed. Behind each fault everything that follows from rows has to be right, counters included, and a node must have
/// said what happened.
/// </summary>
sealed class HistoryRun(FaultOptions options, string folder)
{
    const int sessions = 4;

    /// <param name="Name">For the table at the end.</param>
    /// <param name="Told">What a node has to say, one of them; none when nothing has to be said.</param>
    sealed record Kind(string Name, params string[] Told);

    static readonly Kind[] kinds =
    [
        new("a copy is put back", "went back"),
        new("recovery to a point in time", "forked", "went back"),
        new("recovery to the end, on a new timeline", "PostgreSQL is on timeline", "forked", "went back"),
        new("the slot is dropped", "is copied again", "every table is read again", "copied", "is read again"),
        new("the publication is dropped", "is made anew"),
        new("the publication leaves out updates for a time", "settings of its publication were changed", "is published without"),
    ];

    readonly SortedDictionary<string, int> counts = new(StringComparer.Ordinal);
    readonly Random random = new(options.Seed);
    TimeSpan slowest;

    public async Task<bool> RunAsync(CancellationToken cancellationToken)
    {
        var length = TimeSpan.FromMinutes(options.Minutes > 0 ? options.Minutes : 10);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"history: seed {options.Seed}, {length.TotalMinutes:0.#} min{(options.Cluster > 0 ? $", a cluster of {options.Cluster} nodes" : "")}"));
        string archive = Directory.CreateTempSubdirectory("archive-").FullName;
        await PostgresTools.GiveToPostgresAsync(archive);
        try
        {
            await using var site = await Site.OpenAsync(folder, cancellationToken, cluster: options.Cluster, archive: archive);
            await using var writers = new Writers(site.Postgres, site.Database, options.Seed, sessions, options.Rate);
            await using var shifting = new ShiftingTables(site.Postgres, site.Database, options.Seed);
            writers.Start();
            shifting.Start();
            bool good = true;
            for (var watch = Stopwatch.StartNew(); good && watch.Elapsed < length;)
            {
                var kind = kinds[random.Next(kinds.Length)];
                var lines = CountTold(site, kind);
                await site.NoteAsync(kind.Name);
                await QuietAsync(cancellationToken);
                var tally = await OneAsync(site, writers, shifting, kind, archive, cancellationToken);
                counts[kind.Name] = counts.GetValueOrDefault(kind.Name) + 1;
                bool told = CountTold(site, kind) > lines;
                good = tally.IsClean && site.Problems.Count == 0 && told;
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  {watch.Elapsed:mm\\:ss}  {kind.Name}: {tally.Keys} keys compared, {tally.Lost + tally.Foreign} wrong, {(told ? "told" : "NOT TOLD")}"));
                foreach (string example in tally.Examples.Concat(site.Problems)) Console.WriteLine($"  {example}");
                if (!good) break;
                writers.Resume();
                shifting.Resume();
            }
            Console.WriteLine($"\n| fault | times |\n|---|---:|");
            foreach (var (name, count) in counts) Console.WriteLine($"| {name} | {count} |");
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"\nall was right again within {slowest.TotalSeconds:0.0} s of the end of the load; tables changed {shifting.Counts.Values.Sum()} times"));
            return good && counts.Count > 0;
        }
        finally
        {
            Directory.Delete(archive, recursive: true);
        }
    }

    Task QuietAsync(CancellationToken cancellationToken) => Task.Delay(TimeSpan.FromSeconds(1 + (4 * random.NextDouble())), cancellationToken);

    /// <summary>One fault, some more load, and the comparison; leaves the load paused.</summary>
    async Task<Tally> OneAsync(Site site, Writers writers, ShiftingTables shifting, Kind kind, string archive, CancellationToken cancellationToken)
    {
        int at = Array.IndexOf(kinds, kind);
        if (at <= 2)
        {
            // The load stands still for the copy only, so that the node has seen all that is in it.
            string copy = await site.Postgres.CopyAsync();
            // What was archived before belongs to histories that may be abandoned, and a recovery would follow the newest of them.
            foreach (string file in Directory.GetFiles(archive)) File.Delete(file);
            await QuietAsync(cancellationToken);
            if (at == 1) await site.Postgres.ExecuteAsync("select pg_create_restore_point('here')");
            await QuietAsync(cancellationToken);
            MaybeKill(site);
            // What is not archived is not recovered.
            if (at > 0) await ArchiveAsync(site, archive);
            string restore = $"restore_command = 'cp {archive}/%f %p'";
            await site.Postgres.PutBackAsync(copy, at switch { 0 => [], 1 => [restore, "recovery_target_name = 'here'"], _ => [restore] });
            Directory.Delete(copy, recursive: true);
        }
        else if (at == 3)
        {
            await RetryAsync(site, """
                select pg_terminate_backend(active_pid) from pg_replication_slots where slot_name = 'faults' and active;
                select pg_drop_replication_slot('faults')
                """, cancellationToken);
        }
        else if (at == 4) await RetryAsync(site, "drop publication if exists pub", cancellationToken);
        else
        {
            await RetryAsync(site, "alter publication pub set (publish = 'insert')", cancellationToken);
            MaybeKill(site);
        }
        MaybeKill(site);
        await QuietAsync(cancellationToken);
        await Task.WhenAll(writers.PauseAsync(), shifting.PauseAsync());
        await shifting.CompleteAsync();
        var watch = Stopwatch.StartNew();
        await site.SettleAsync();
        var tally = await ComparedAsync(site, watch, cancellationToken);
        if (watch.Elapsed > slowest) slowest = watch.Elapsed;
        return tally;
    }

    void MaybeKill(Site site)
    {
        if (random.Next(3) == 0) site.Nodes[random.Next(site.Nodes.Count)].End(Posix.Sigkill, TimeSpan.FromSeconds(random.NextDouble()));
    }

    static async Task RetryAsync(Site site, string sql, CancellationToken cancellationToken)
    {
        for (int attempt = 1; ; attempt++)
        {
            try
            {
                await site.Postgres.ExecuteAsync(sql, site.Database);
                return;
            }
            catch (NpgsqlException) when (attempt < 100)
            {
                await Task.Delay(100, cancellationToken);
            }
        }
    }

    static async Task ArchiveAsync(Site site, string archive)
    {
        string? last = await site.Postgres.ScalarAsync<string>("select pg_walfile_name(pg_switch_wal())");
        for (var watch = Stopwatch.StartNew(); !File.Exists(Path.Combine(archive, last!)) && watch.Elapsed < TimeSpan.FromSeconds(20);) await Task.Delay(50);
    }

    /// <summary>Right within a minute.</summary>
    static async Task<Tally> ComparedAsync(Site site, Stopwatch watch, CancellationToken cancellationToken)
    {
        while (true)
        {
            var (_, differences) = await ShapeCheck.RunAsync(site, cancellationToken);
            using var redis = await site.Redis.ClientAsync();
            var tally = Comparison.Run(await Expectation.ReadRowsAsync(site.Postgres, site.Database), WithoutZeros(await Content.ReadAsync(redis)));
            foreach (string difference in differences) tally.AddLost(1, difference);
            if (tally.IsClean || watch.Elapsed > TimeSpan.FromMinutes(2)) return tally;
            await Task.Delay(500, cancellationToken);
        }
    }

    /// <summary>A sum that has come down to 0 by its changes is a 0 in Redis, one that was counted anew from no rows is nothing.</summary>
    static Content WithoutZeros(Content content)
    {
        foreach (var (key, value) in content.Keys.ToList())
        {
            if (key.Split(':')[0] is not ("total" or "kinds" or "rank")) continue;
            if (value is "0") content.Keys.Remove(key);
            if (value is not Dictionary<string, string> pairs) continue;
            foreach (var (field, _) in pairs.Where(p => p.Value == "0").ToList()) pairs.Remove(field);
            if (pairs.Count == 0) content.Keys.Remove(key);
        }
        return content;
    }

    static int CountTold(Site site, Kind kind) =>
        site.Nodes.SelectMany(node => File.ReadLines(node.LogFile)).Count(line => Array.Exists(kind.Told, text => line.Contains(text, StringComparison.Ordinal)));
}
