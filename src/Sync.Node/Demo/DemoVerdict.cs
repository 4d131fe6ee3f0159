using System.Diagnostics;
using Npgsql;
using Sync.Contracts;

namespace Sync.Node.Demo;

/// <summary>Whether Redis holds what PostgreSQL calls for, and what else was found wrong meanwhile.</summary>
sealed class DemoVerdict(DemoStage stage)
{
    /// <summary>A sentence for each; empty when all is right.</summary>
    public List<string> Problems { get; } = [];

    /// <summary>The id of the last entry of the outbox table; 0 for none.</summary>
    public Task<long> LastEventAsync(CancellationToken ct) => ScalarAsync("SELECT coalesce(max(id), 0) FROM order_events", ct);

    /// <summary>Waits until PostgreSQL was told that everything up to now is in Redis.</summary>
    public async Task DrainAsync(TimeSpan limit, CancellationToken ct)
    {
        long begin = Stopwatch.GetTimestamp();
        await using var now = new NpgsqlCommand("SELECT pg_current_wal_lsn()::text", stage.Postgres);
        string target = (string)(await now.ExecuteScalarAsync(ct))!;
        while (await ScalarAsync($"SELECT count(*) FROM pg_replication_slots WHERE slot_name = 'shop' AND confirmed_flush_lsn >= '{target}'", ct) == 0)
        {
            if (Stopwatch.GetElapsedTime(begin) > limit)
            {
                Problems.Add($"PostgreSQL was not told within {limit.TotalSeconds:0} s that all up to {target} is in Redis");
                return;
            }
            await Task.Delay(50, ct);
        }
        Console.WriteLine($"Drained: PostgreSQL knows that all up to {target} is in Redis.");
    }

    /// <summary>Compares every key with what PostgreSQL calls for.</summary>
    public async Task VerifyKeysAsync(CancellationToken ct)
    {
        var expected = await ExpectedShop.ComputeAsync(stage.Postgres, ct);
        var found = await ShopKeyspace.ReadAsync(stage.Redis, ct);
        var differences = ShopVerifier.Compare(expected, found);
        Problems.AddRange(differences);
        Console.WriteLine($"Compared {expected.Count:N0} keys that PostgreSQL calls for with {found.Count:N0} keys in Redis: {(differences.Count == 0 ? "no difference" : $"{differences.Count:N0} differences")}.");
    }

    /// <summary>The outbox table tells which new statuses had to be announced; each exactly once, since Redis itself does not crash here.</summary>
    public async Task VerifyAnnouncementsAsync(StatusListener listener, long since, CancellationToken ct)
    {
        var expected = new Dictionary<(long Order, string Status), int>();
        await using (var command = new NpgsqlCommand($"SELECT order_id, split_part(detail, ' -> ', 2), count(*)::int FROM order_events WHERE event = 'status' AND id > {since} GROUP BY 1, 2", stage.Postgres))
        await using (var reader = await command.ExecuteReaderAsync(ct))
            while (await reader.ReadAsync(ct)) expected[(reader.GetInt64(0), reader.GetString(1))] = reader.GetInt32(2);

        long begin = Stopwatch.GetTimestamp();
        while (listener.Heard.Values.Sum() < expected.Values.Sum() && Stopwatch.GetElapsedTime(begin) < TimeSpan.FromSeconds(2)) await Task.Delay(20, ct);
        var heard = listener.Heard;
        foreach (var key in expected.Keys.Union(heard.Keys))
            if (expected.GetValueOrDefault(key) != heard.GetValueOrDefault(key))
                Problems.Add($"order {key.Order} became {key.Status} {expected.GetValueOrDefault(key)} times, announced {heard.GetValueOrDefault(key)} times");
        Console.WriteLine($"Status announcements heard: {heard.Values.Sum()} of {expected.Values.Sum()}.");
    }

    /// <summary>Says how it went; returns the exit code.</summary>
    public int Conclude()
    {
        foreach (string problem in Problems.Take(20)) Console.WriteLine($"WRONG: {problem}");
        if (Problems.Count > 20) Console.WriteLine($"... and {Problems.Count - 20} more.");
        Console.WriteLine(Problems.Count == 0 ? "Check passed." : $"Check FAILED: {Problems.Count} problems.");
        return Problems.Count == 0 ? (int)ExitCode.Ok : (int)ExitCode.CheckFailed;
    }

    /// <summary>The one number that a query gives.</summary>
    public async Task<long> ScalarAsync(string sql, CancellationToken ct)
    {
        await using var command = new NpgsqlCommand(sql, stage.Postgres);
        return (long)(await command.ExecuteScalarAsync(ct))!;
    }
}
