using System.Globalization;

namespace Sync.Faults.Servers;

/// <summary>
/// How much of the CPU time that this machine wanted its host gave to others, so that a figure from a shared machine can be judged. Of all processors; Linux counts
/// it since the machine's start ("steal" in proc(5), /proc/stat).
/// </summary>
sealed class StolenTime
{
    (long Stolen, long Wanted) before = Read();

    /// <summary>The share since the last call or the beginning, 0 to 1; 0 where nothing was wanted, and where Linux does not run under a host that says so.</summary>
    public double Take()
    {
        var now = Read();
        long wanted = now.Wanted - before.Wanted;
        double share = wanted > 0 ? (double)(now.Stolen - before.Stolen) / wanted : 0;
        before = now;
        return share;
    }

    /// <summary>As text, in percent.</summary>
    public string TakePercent() => (100 * Take()).ToString("0", CultureInfo.InvariantCulture);

    /// <summary>From the line <c>cpu user nice system idle iowait irq softirq steal …</c>; what guests use is counted in user already.</summary>
    static (long Stolen, long Wanted) Read()
    {
        long[] ticks = [.. File.ReadLines("/proc/stat").First().Split(' ', StringSplitOptions.RemoveEmptyEntries).Skip(1).Take(8).Select(t => long.Parse(t, CultureInfo.InvariantCulture))];
        long idle = ticks[3] + ticks[4];
        return (ticks[7], ticks.Sum() - idle);
    }
}
