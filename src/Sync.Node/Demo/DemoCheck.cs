using System.Diagnostics;
using System.Text.Json;
using Npgsql;

namespace Sync.Node.Demo;

/// <summary>The demo as a test: changes of every kind, then every key compared with what PostgreSQL says it must be.</summary>
sealed class DemoCheck(DemoStage stage, DemoOptions options)
{
    const int BulkRows = 10_000;
    static readonly TimeSpan BulkLimit = TimeSpan.FromSeconds(20);
    readonly LagMeter meter = new(stage.Postgres, stage.Redis);
    readonly DemoVerdict verdict = new(stage);

    public async Task<int> RunAsync(CancellationToken ct)
    {
        const int Seed = 20_251_121;
        int seconds = options.Seconds ?? 15;
        double rate = options.Rate ?? 20;
        Console.WriteLine($"Ready after {stage.SnapshotTook.TotalSeconds:0.0} s. Changing rows for {seconds} s, {rate:0.#} changes a second at most (seed {Seed}) ...");
        await using var listener = await StatusListener.StartAsync(stage.RedisPort, ct);
        long before = await verdict.LastEventAsync(ct);
        var workload = new ShopWorkload(stage.Postgres, Seed);
        await ChangeAsync(workload, rate, TimeSpan.FromSeconds(seconds / 2.0), ct);
        await BulkAsync(ct);
        await ChangeAsync(workload, rate, TimeSpan.FromSeconds(seconds / 2.0), ct);
        await verdict.DrainAsync(TimeSpan.FromSeconds(20), ct);
        await verdict.VerifyKeysAsync(ct);
        await verdict.VerifyAnnouncementsAsync(listener, before, ct);
        if (stage.ShopUrl is not null) await VerifyTwinAsync(ct);
        return Conclude();
    }

    async Task ChangeAsync(ShopWorkload workload, double rate, TimeSpan duration, CancellationToken ct)
    {
        long begin = Stopwatch.GetTimestamp();
        using var pace = new PeriodicTimer(TimeSpan.FromSeconds(1 / rate));
        while (Stopwatch.GetElapsedTime(begin) < duration)
        {
            var seen = await meter.MeasureAsync(await workload.NextAsync(ct), ct);
            if (seen.LagMs is null)
            {
                verdict.Problems.Add($"{seen.Change.Title} {seen.Change.Shown}: after {LagMeter.Limit.TotalSeconds:0} s '{string.Join(' ', seen.Change.Question)}' still answers {seen.Seen ?? "nothing"}");
                // One that never arrives is enough to know; the comparison below names the keys.
                return;
            }
            await pace.WaitForNextTickAsync(ct);
        }
    }

    /// <summary>Transactions of 10,000 rows: a supplier's catalogue comes, gets new prices, and most of it goes again.</summary>
    async Task BulkAsync(CancellationToken ct)
    {
        const double Marker = 900_000;
        const string Insert = """
            INSERT INTO products (id, sku, name, category, price, tags, attributes, updated_at)
            SELECT 100000 + n, 'BULK-' || n, 'Part ' || n, 'parts', 1 + n % 50, ARRAY['bulk', 'n' || n % 7], jsonb_build_object('n', n), now()
            FROM generate_series(1, 10000) AS n
            """;
        string range = Marker.ToString("0", System.Globalization.CultureInfo.InvariantCulture);
        long own = await verdict.ScalarAsync("SELECT count(*) FROM products", ct);
        await BulkStepAsync("added", Insert, ["ZCARD", "products:by-price"], own + BulkRows, ct);
        await BulkStepAsync("repriced", $"UPDATE products SET price = {range} + id % 1000, category = 'parts ' || id % 10 WHERE id > 100000", ["ZCOUNT", "products:by-price", range, "+inf"], BulkRows, ct);
        await BulkStepAsync("deleted", "DELETE FROM products WHERE id > 100000 AND id % 20 <> 0", ["ZCARD", "products:by-price"], own + (BulkRows / 20), ct);
    }

    async Task BulkStepAsync(string what, string sql, string[] question, long expected, CancellationToken ct)
    {
        int rows;
        await using (var command = new NpgsqlCommand(sql, stage.Postgres) { CommandTimeout = 60 }) rows = await command.ExecuteNonQueryAsync(ct);
        long committed = Stopwatch.GetTimestamp();
        object? answer;
        while ((answer = await stage.Redis.CommandAsync(ct, question)) is not long count || count != expected)
        {
            if (Stopwatch.GetElapsedTime(committed) > BulkLimit)
            {
                verdict.Problems.Add($"a transaction of {rows:N0} rows ({what}) is not complete in Redis after {BulkLimit.TotalSeconds:0} s: '{string.Join(' ', question)}' answers {answer}, expected {expected}");
                return;
            }
            await Task.Delay(2, ct);
        }
        Console.WriteLine($"{rows:N0} products {what} in one transaction: complete in Redis {Stopwatch.GetElapsedTime(committed).TotalMilliseconds:0} ms after the commit.");
    }

    /// <summary>The shop's two views of one product say the same.</summary>
    async Task VerifyTwinAsync(CancellationToken ct)
    {
        using var http = new HttpClient();
        using JsonDocument source = JsonDocument.Parse(await http.GetStringAsync($"{stage.ShopUrl}/products/1", ct)), twin = JsonDocument.Parse(await http.GetStringAsync($"{stage.ShopUrl}/cache/products/1", ct));
        if (!JsonElement.DeepEquals(source.RootElement, twin.RootElement))
            verdict.Problems.Add($"the shop shows product 1 as {source.RootElement.GetRawText()} from PostgreSQL and as {twin.RootElement.GetRawText()} from Redis");
    }

    int Conclude()
    {
        foreach (var kind in meter.History.Where(change => change.LagMs is not null).GroupBy(change => change.Change.Kind).OrderBy(kind => kind.Key, StringComparer.Ordinal))
            Console.WriteLine($"  {kind.Key,-10} {kind.Count(),4} changes   {Lags([.. kind.Select(change => change.LagMs!.Value)])}");
        var all = meter.History.Where(change => change.LagMs is not null).Select(change => change.LagMs!.Value).ToList();
        Console.WriteLine($"  {"all",-10} {all.Count,4} changes   {Lags(all)}   (commit returned to visible in Redis)");
        return verdict.Conclude();
    }

    static string Lags(List<double> lags) =>
        $"p50 {LagMeter.Percentile(lags, 0.5),6:0.00} ms   p99 {LagMeter.Percentile(lags, 0.99),6:0.00} ms   max {lags.DefaultIfEmpty().Max(),6:0.00} ms";
}
