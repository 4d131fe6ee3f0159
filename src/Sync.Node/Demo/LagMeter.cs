using System.Diagnostics;
using Npgsql;
using Shop;

namespace Sync.Node.Demo;

/// <summary>A change that was made: what Redis showed in the end, and how long after the commit it did.</summary>
/// <param name="Change">What was changed.</param>
/// <param name="Seen">What Redis shows.</param>
/// <param name="LagMs">Milliseconds from the commit's return to the first look that found the new value; null when it never came.</param>
sealed record SeenChange(ShopChange Change, string? Seen, double? LagMs);

/// <summary>Makes changes and measures until Redis shows them.</summary>
sealed class LagMeter(NpgsqlConnection postgres, RespClient redis)
{
    /// <summary>How long a change may take to arrive before it counts as lost.</summary>
    public static readonly TimeSpan Limit = TimeSpan.FromSeconds(10);

    const int Kept = 10_000;
    readonly Queue<SeenChange> history = [];

    /// <summary>The last changes, the oldest first, up to 10,000.</summary>
    public IReadOnlyCollection<SeenChange> History => history;

    /// <summary>Commits, then asks Redis again and again without a pause: a look takes some 50 µs, which bounds the error.</summary>
    public async Task<SeenChange> MeasureAsync(ShopChange change, CancellationToken ct)
    {
        await change.CommitAsync(postgres, ct);
        long committed = Stopwatch.GetTimestamp();
        while (true)
        {
            string? seen = await change.AskAsync(redis, ct);
            var elapsed = Stopwatch.GetElapsedTime(committed);
            if (seen == change.Expected || elapsed > Limit)
            {
                var result = new SeenChange(change, seen, seen == change.Expected ? elapsed.TotalMilliseconds : null);
                history.Enqueue(result);
                if (history.Count > Kept) history.Dequeue();
                return result;
            }
        }
    }

    /// <summary>The value that <paramref name="share"/> (0 to 1) of the lags do not exceed, in ms; 0 without any.</summary>
    public static double Percentile(IEnumerable<double> lags, double share)
    {
        double[] sorted = [.. lags.Order()];
        return sorted.Length == 0 ? 0 : sorted[Math.Clamp((int)Math.Ceiling(share * sorted.Length) - 1, 0, sorted.Length - 1)];
    }
}
