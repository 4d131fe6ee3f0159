using System.Globalization;
using System.Runtime.InteropServices;

namespace Sync.Faults.Servers;

/// <summary>Signals and what Linux counts for a process.</summary>
static class Posix
{
    public const int Sigkill = 9, Sigterm = 15, Sigcont = 18, Sigstop = 19;

    /// <summary>Linux counts CPU time in hundredths of a second for user programs (proc(5)).</summary>
    const double TicksPerSecond = 100;

    public static void Signal(int pid, int signal) => _ = Kill(pid, signal);

    /// <summary>The process and all that it has started, parents first.</summary>
    public static List<int> Family(int root)
    {
        var parents = new Dictionary<int, int>();
        foreach (string folder in Directory.EnumerateDirectories("/proc"))
            if (int.TryParse(Path.GetFileName(folder), CultureInfo.InvariantCulture, out int pid) && Stat(pid) is { } stat)
                parents[pid] = int.Parse(stat[1], CultureInfo.InvariantCulture);
        List<int> family = [root];
        for (int i = 0; i < family.Count; i++) family.AddRange(parents.Where(p => p.Value == family[i]).Select(p => p.Key));
        return family;
    }

    /// <summary>CPU time used so far, in seconds; 0 when the process is gone.</summary>
    public static double CpuSeconds(int pid) =>
        Stat(pid) is { } stat ? (double.Parse(stat[11], CultureInfo.InvariantCulture) + double.Parse(stat[12], CultureInfo.InvariantCulture)) / TicksPerSecond : 0;

    /// <summary>Resident memory now, in bytes; 0 when the process is gone.</summary>
    public static long ResidentBytes(int pid) => StatusBytes(pid, "VmRSS:");

    /// <summary>The most resident memory so far, in bytes; 0 when the process is gone.</summary>
    public static long PeakResidentBytes(int pid) => StatusBytes(pid, "VmHWM:");

    static long StatusBytes(int pid, string name)
    {
        try
        {
            foreach (string line in File.ReadLines($"/proc/{pid}/status"))
                if (line.StartsWith(name, StringComparison.Ordinal))
                    return long.Parse(line.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) * 1024;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException) { /* It has ended. */ }
        return 0;
    }

    /// <summary>The fields of /proc/pid/stat behind the name, which may hold anything: state, parent, …</summary>
    static string[]? Stat(int pid)
    {
        try
        {
            string text = File.ReadAllText($"/proc/{pid}/stat");
            return text[(text.LastIndexOf(')') + 2)..].Split(' ');
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    [DllImport("libc", EntryPoint = "kill")]
    static extern int Kill(int pid, int signal);
}
