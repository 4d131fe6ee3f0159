using System.Globalization;
using System.Net.Sockets;
using Npgsql;
using Sync.Faults.Servers;
using Sync.Testing;

namespace Sync.Faults.Scenarios;

/// <summary>
/// Writes the time of day into rows whose keys are of many lanes, ten times a second, and looks twenty times a second which times Redis shows. So it knows for any moment how old
/// the state of the lane is that is furthest behind, and when changes of all lanes flow again.
/// </summary>
sealed class LagProbe : IAsyncDisposable
{
    const int keys = 96, first = 1000;
    static readonly TimeSpan writeEvery = TimeSpan.FromMilliseconds(100), readEvery = TimeSpan.FromMilliseconds(50);

    readonly Site site;
    // Not disposed: it has no timer, and the probe may be ended twice.
    readonly CancellationTokenSource end = new();
    readonly Task writing, reading;
    readonly Lock gate = new();
    long oldest, most;

    public LagProbe(Site site)
    {
        this.site = site;
        writing = Task.Run(WriteAsync);
        reading = Task.Run(ReadAsync);
    }

    /// <summary>The longest lag of any lane since it was asked last.</summary>
    public TimeSpan TakeMost()
    {
        lock (gate)
        {
            var taken = TimeSpan.FromMilliseconds(most);
            most = 0;
            return taken;
        }
    }

    /// <summary>Waits until every key shows a change that was committed after a moment.</summary>
    /// <returns>How long that took from the moment on.</returns>
    public async Task<TimeSpan> FlowsAsync(DateTimeOffset since, TimeSpan deadline)
    {
        long wanted = since.ToUnixTimeMilliseconds();
        while (true)
        {
            var now = DateTimeOffset.UtcNow;
            lock (gate)
                if (oldest > wanted) return now - since;
            if (now - since > deadline) return deadline;
            await Task.Delay(10);
        }
    }

    async Task WriteAsync()
    {
        string sql = string.Create(CultureInfo.InvariantCulture, $"insert into marker select i, $1 from generate_series({first}, {first + keys - 1}) i on conflict (id) do update set n = excluded.n");
        while (!end.IsCancellationRequested)
        {
            try
            {
                await using var connection = await site.Postgres.OpenAsync(site.Database);
                for (; !end.IsCancellationRequested; await Task.Delay(writeEvery))
                {
                    await using var command = new NpgsqlCommand(sql, connection) { Parameters = { new() { Value = Now() } } };
                    await command.ExecuteNonQueryAsync();
                }
            }
            catch (Exception e) when (e is NpgsqlException or IOException or TimeoutException) { await Task.Delay(writeEvery); }
        }
    }

    async Task ReadAsync()
    {
        string[] question = ["MGET", .. Enumerable.Range(first, keys).Select(i => string.Create(CultureInfo.InvariantCulture, $"marker:{i}"))];
        while (!end.IsCancellationRequested)
        {
            try
            {
                using var redis = await site.Redis.ClientAsync();
                for (; !end.IsCancellationRequested; await Task.Delay(readEvery)) Note((object?[])(await redis.CommandAsync(question))!);
            }
            catch (Exception e) when (e is SocketException or IOException or TestRedisException) { await Task.Delay(readEvery); }
        }
    }

    void Note(object?[] shown)
    {
        if (shown.Any(text => text is null)) return;
        long now = Now(), least = shown.Min(text => long.Parse((string)text!, CultureInfo.InvariantCulture));
        lock (gate)
        {
            oldest = least;
            most = Math.Max(most, now - least);
        }
    }

    static long Now() => DateTimeOffset.UtcNow.ToUnixTimeMilliseconds();

    public async ValueTask DisposeAsync()
    {
        await end.CancelAsync();
        await writing;
        await reading;
    }
}
