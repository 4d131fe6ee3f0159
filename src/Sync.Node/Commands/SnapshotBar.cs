using System.Globalization;
using Sync.Node.Hosting;
using Sync.Node.Telemetry;

namespace Sync.Node.Commands;

/// <summary>Shows on a terminal how far the copy is, in one line below the log.</summary>
sealed class SnapshotBar : IAsyncDisposable
{
    static readonly TimeSpan refresh = TimeSpan.FromMilliseconds(250);

    readonly CancellationTokenSource stop = new();
    readonly Task drawing;

    public SnapshotBar(Func<NodeStatus> status, LineLogger log, TimeProvider time) => drawing = DrawAsync(status, log, time);

    public async ValueTask DisposeAsync()
    {
        await stop.CancelAsync();
        await drawing;
        stop.Dispose();
    }

    async Task DrawAsync(Func<NodeStatus> status, LineLogger log, TimeProvider time)
    {
        using var timer = new PeriodicTimer(refresh, time);
        try
        {
            for (bool shown = false; await timer.WaitForNextTickAsync(stop.Token);)
            {
                var copy = status().Snapshot;
                if (copy is null && !shown) continue;
                log.Stick(copy is null ? "" : Line(copy, Terminal.Width));
                shown = copy is not null;
            }
        }
        catch (OperationCanceledException)
        {
            log.Stick("");
        }
    }

    /// <summary><c>public.orders ██████░░░░ 60 %  6,000 rows  1,200/s  0:03 left  table 1 of 2</c>, never wider than the terminal.</summary>
    internal static string Line(SnapshotStatus copy, int width)
    {
        const int cells = 20;
        int full = (int)Math.Clamp(Math.Round(copy.PercentDone / 100 * cells), 0, cells);
        string left = copy.SecondsLeft is { } seconds ? $"  {Clock(seconds)} left" : "";
        string bar = new string('█', full) + new string('░', cells - full);
        string which = $"table {Math.Min(copy.TablesDone + 1, copy.TablesTotal)} of {copy.TablesTotal}";
        string line = string.Create(CultureInfo.InvariantCulture,
            $"{copy.Table} {bar} {copy.PercentDone,3:F0} %  {copy.Rows:N0} rows  {copy.RowsPerSecond:N0}/s{left}  {which}");
        return line.Length < width ? line : line[..(width - 1)];
    }

    static string Clock(double seconds)
    {
        var time = TimeSpan.FromSeconds(Math.Clamp(seconds, 0, 359_999));
        return time.TotalHours >= 1 ? string.Create(CultureInfo.InvariantCulture, $"{(int)time.TotalHours}:{time.Minutes:00}:{time.Seconds:00}")
            : string.Create(CultureInfo.InvariantCulture, $"{time.Minutes}:{time.Seconds:00}");
    }
}
