using System.Diagnostics;
using System.Globalization;
using Npgsql;
using Shop;

namespace Sync.Node.Demo;

/// <summary>
/// Measures from outside how far Redis is behind, also while no node is there to tell: rows of its own in many lanes, which nothing else changes, get a new number several times
/// a second, and count as seen when Redis has it for all of them.
/// </summary>
sealed class LagProbe(DemoStage stage)
{
    const int FirstRow = 90_001, Rows = 16;
    static readonly TimeSpan pace = TimeSpan.FromMilliseconds(200), glance = TimeSpan.FromMilliseconds(10);

    readonly Lock gate = new();
    readonly Queue<(int Number, long Committed)> underWay = new();
    readonly List<double> lags = [];
    double last;

    /// <summary>The age of the oldest number that Redis does not have, or the lag of the last one that it has; in milliseconds.</summary>
    public double LagMs
    {
        get { lock (gate) return underWay.TryPeek(out var oldest) ? Math.Max(last, Stopwatch.GetElapsedTime(oldest.Committed).TotalMilliseconds) : last; }
    }

    /// <summary>The lags of all that Redis has got since the last question, in milliseconds.</summary>
    public IReadOnlyList<double> Take()
    {
        lock (gate)
        {
            double[] taken = [.. lags];
            lags.Clear();
            return taken;
        }
    }

    /// <summary>Goes on until it is told to stop.</summary>
    public async Task RunAsync(CancellationToken stop)
    {
        await using var postgres = new NpgsqlConnection(stage.ConnectionString);
        await postgres.OpenAsync(stop);
        using var redis = await RespClient.ConnectAsync("127.0.0.1", stage.RedisPort, stop);
        try
        {
            await Task.WhenAll(ChangeAsync(postgres, stop), LookAsync(redis, stop));
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // Measured enough.
        }
    }

    async Task ChangeAsync(NpgsqlConnection postgres, CancellationToken stop)
    {
        await RunAsync(postgres, $"INSERT INTO products (id, sku, name, category, price) SELECT n, 'PROBE-' || n, 'Probe', 'probes', 0.01 FROM generate_series({FirstRow}, {FirstRow + Rows - 1}) AS n", stop);
        using var timer = new PeriodicTimer(pace);
        for (int number = 2; await timer.WaitForNextTickAsync(stop); number++)
        {
            string price = (number / 100m).ToString("0.00", CultureInfo.InvariantCulture);
            await RunAsync(postgres, $"UPDATE products SET price = {price} WHERE id >= {FirstRow} AND id < {FirstRow + Rows}", stop);
            lock (gate) underWay.Enqueue((number, Stopwatch.GetTimestamp()));
        }
    }

    async Task LookAsync(RespClient redis, CancellationToken stop)
    {
        string[][] questions = [.. Enumerable.Range(FirstRow, Rows).Select(id => (string[])["ZSCORE", "products:by-price", $"{id}"])];
        using var timer = new PeriodicTimer(glance);
        while (await timer.WaitForNextTickAsync(stop))
        {
            object?[] answers = await redis.PipelineAsync([.. questions], stop);
            int seen = answers.Min(answer => answer is string score ? (int)Math.Round(double.Parse(score, CultureInfo.InvariantCulture) * 100) : 0);
            lock (gate)
                for (; underWay.TryPeek(out var oldest) && oldest.Number <= seen; underWay.Dequeue())
                    lags.Add(last = Stopwatch.GetElapsedTime(oldest.Committed).TotalMilliseconds);
        }
    }

    static async Task RunAsync(NpgsqlConnection postgres, string sql, CancellationToken stop)
    {
        await using var command = new NpgsqlCommand(sql, postgres);
        await command.ExecuteNonQueryAsync(stop);
    }
}
