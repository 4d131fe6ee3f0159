using System.Diagnostics;
using System.Text.Json;
using Npgsql;
using Sync.Load.Contestants;
using Sync.Load.Latency;
using Sync.Load.Measuring;
using Sync.Testing;

namespace Sync.Load.Soak;

/// <summary>A node under a steady rate for long: what its memory does. Every change also counts up a sum in Redis, which tells at the end that each was applied once.</summary>
static class SoakRun
{
    /// <summary>Changes a second.</summary>
    public const int Rate = 5000;

    const int rows = 100_000, rowsPerTransaction = 50;
    const string slot = "soak", publication = "soak_pub", table = "soaked";
    static readonly TimeSpan patience = TimeSpan.FromMinutes(2);

    const string mapping = "- public.soaked: { update: { commands: [[\"HSET\", \"soaked:{id}\", \"{pairs:*}\"], [\"INCRBY\", \"soaked:changes\", \"1\"]] } }";

    public static async Task<SoakResult> MeasureAsync(Stage stage, int minutes, Action<SoakMinute> report)
    {
        await stage.RedisClient.CommandAsync("FLUSHALL", "SYNC");
        await stage.ExecuteAsync($"create table {table}(id int primary key, changes bigint not null, name text not null, note text not null, at timestamptz not null)");
        await stage.ExecuteAsync($"insert into {table} select g, 0, 'name of ' || g, repeat('x', g % 100), now() from generate_series(1, {rows}) g");
        await stage.ExecuteAsync($"create publication {publication} for table {table}");
        await stage.ExecuteAsync($"select pg_create_logical_replication_slot('{slot}', 'pgoutput')");
        using var folder = new Sandbox();
        using var deadline = new CancellationTokenSource(TimeSpan.FromMinutes(minutes) + patience);
        int changes = minutes * 60 * Rate;
        var start = NodeContestant.Start(stage, publication, slot, mapping, folder.Path, changes);
        start.ArgumentList.Add("slow");
        using var process = ContestantProcess.Start(start);
        await using (var control = await stage.Postgres.OpenAsync())
            await DrainRun.WalsenderAsync(control, slot, process, deadline.Token);

        await using var connection = await stage.Postgres.OpenAsync();
        var writing = Task.Factory.StartNew(() => Write(connection, changes / rowsPerTransaction), TaskCreationOptions.LongRunning);
        var samples = await WatchAsync(process.Id, minutes, report, deadline.Token);
        await writing;
        var node = JsonSerializer.Deserialize<NodeFigures>(await process.FinishLineAsync(deadline.Token))!;
        await process.EndAsync(deadline.Token);
        var result = new SoakResult(samples, node, await DifferenceAsync(stage, changes));
        await stage.ExecuteAsync($"select pg_drop_replication_slot('{slot}')");
        return result;
    }

    /// <summary>Commits at times fixed beforehand, whatever the node does meanwhile.</summary>
    static void Write(NpgsqlConnection connection, int transactions)
    {
        Nap.BePrecise();
        using var update = new NpgsqlCommand($"update {table} set changes = changes + 1, at = clock_timestamp() where id between $1 and $1 + {rowsPerTransaction - 1}", connection);
        var first = update.Parameters.Add(new NpgsqlParameter<int>());
        update.Prepare();
        long begin = Stopwatch.GetTimestamp();
        for (int i = 0; i < transactions; i++)
        {
            Nap.For(TimeSpan.FromSeconds((double)i * rowsPerTransaction / Rate) - Stopwatch.GetElapsedTime(begin));
            ((NpgsqlParameter<int>)first).TypedValue = (int)((long)i * rowsPerTransaction % rows) + 1;
            update.ExecuteNonQuery();
        }
    }

    static async Task<List<SoakMinute>> WatchAsync(int pid, int minutes, Action<SoakMinute> report, CancellationToken cancellationToken)
    {
        var samples = new List<SoakMinute>();
        double cpuBefore = 0;
        for (int minute = 1; minute <= minutes; minute++)
        {
            long most = 0;
            for (int i = 0; i < 60; i++)
            {
                await Task.Delay(TimeSpan.FromSeconds(1), cancellationToken);
                most = Math.Max(most, ProcessUsage.ResidentBytes(pid));
            }
            if (!ProcessUsage.TryRead(pid, out var usage)) throw new InvalidOperationException("The node has ended.");
            samples.Add(new SoakMinute(minute, most, usage.PeakBytes, usage.CpuSeconds - cpuBefore));
            cpuBefore = usage.CpuSeconds;
            report(samples[^1]);
        }
        return samples;
    }

    static async Task<string?> DifferenceAsync(Stage stage, int changes)
    {
        string? sum = await stage.RedisClient.CommandAsync("GET", $"{table}:changes") as string;
        if (sum != $"{changes}") return $"{changes} changes were made, {sum ?? "none"} applied";
        await using var connection = await stage.Postgres.OpenAsync();
        await using var command = new NpgsqlCommand($"select id, changes from {table} where id % 997 = 0", connection);
        await using var reader = await command.ExecuteReaderAsync();
        while (await reader.ReadAsync())
            if (await stage.RedisClient.CommandAsync("HGET", $"{table}:{reader.GetInt32(0)}", "changes") as string is var found && found != $"{reader.GetInt64(1)}")
                return $"row {reader.GetInt32(0)} has changes = {reader.GetInt64(1)}, Redis {found ?? "nothing"}";
        return null;
    }
}

/// <param name="Minute">From 1.</param>
/// <param name="ResidentBytes">Most memory that was resident in it, of a look each second.</param>
/// <param name="PeakBytes">Most memory ever.</param>
/// <param name="CpuSeconds">Of this minute; of the first with the start.</param>
public sealed record SoakMinute(int Minute, long ResidentBytes, long PeakBytes, double CpuSeconds);

/// <param name="Minutes">One each.</param>
/// <param name="Node">What the node tells of itself.</param>
/// <param name="Difference">What was wrong in Redis; null for nothing.</param>
public sealed record SoakResult(IReadOnlyList<SoakMinute> Minutes, NodeFigures Node, string? Difference)
{
    /// <summary>Most memory in the last quarter against that of the second: what grows without end shows here, what warms up does not.</summary>
    public double Growth => (double)Most(Minutes.Count - Math.Max(1, Minutes.Count / 4), Minutes.Count) / Most(Minutes.Count / 4, Math.Max(Minutes.Count / 2, Minutes.Count / 4 + 1));

    long Most(int from, int to) => Minutes.Take(to).Skip(from).Max(m => m.ResidentBytes);
}
