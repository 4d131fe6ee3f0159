using System.Globalization;

namespace Sync.Load.Measuring;

/// <summary>
/// What Linux knows of a process (proc(5)): the CPU time of all its threads, counted in ticks of 10 ms, and the most memory it ever had resident.
/// </summary>
/// <param name="CpuSeconds">User and system time.</param>
/// <param name="EndedChildrenCpuSeconds">Of its children that have ended and were waited for.</param>
/// <param name="PeakBytes">VmHWM.</param>
readonly record struct ProcessUsage(double CpuSeconds, double EndedChildrenCpuSeconds, long PeakBytes)
{
    const double ticksPerSecond = 100;

    /// <summary>Reads it; false when the process has ended.</summary>
    public static bool TryRead(int pid, out ProcessUsage usage)
    {
        usage = default;
        try
        {
            string stat = File.ReadAllText($"/proc/{pid}/stat");
            // The name in parentheses may hold blanks; behind it utime, stime, cutime and cstime are the 12th to 15th field.
            string[] fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
            double seconds = (Number(fields[11]) + Number(fields[12])) / ticksPerSecond, children = (Number(fields[13]) + Number(fields[14])) / ticksPerSecond;
            string? peak = File.ReadLines($"/proc/{pid}/status").FirstOrDefault(l => l.StartsWith("VmHWM:", StringComparison.Ordinal));
            // A process that has ended and was not yet waited for has no memory any more.
            if (peak is null) return false;
            usage = new ProcessUsage(seconds, children, 1024 * Number(peak.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1]));
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    /// <summary>What is resident now (VmRSS); 0 when the process has ended.</summary>
    public static long ResidentBytes(int pid)
    {
        try
        {
            string? line = File.ReadLines($"/proc/{pid}/status").FirstOrDefault(l => l.StartsWith("VmRSS:", StringComparison.Ordinal));
            return line is null ? 0 : 1024 * Number(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1]);
        }
        catch (IOException)
        {
            return 0;
        }
    }

    static long Number(string digits) => long.Parse(digits, CultureInfo.InvariantCulture);
}
