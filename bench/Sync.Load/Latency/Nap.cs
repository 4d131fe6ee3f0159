using System.Runtime.InteropServices;

namespace Sync.Load.Latency;

/// <summary>Sleeps of less than a millisecond: spinning instead would take a core from those who are measured.</summary>
static class Nap
{
    const int timerSlack = 29;

    /// <summary>For the calling thread. Linux rounds its naps up by its timer slack, 50 µs by default (prctl(2), PR_SET_TIMERSLACK, in ns).</summary>
    public static void BePrecise() => _ = Prctl(timerSlack, 1000, 0, 0, 0);

    /// <summary>Waits at least this long; not at all when it is not over 0.</summary>
    public static void For(TimeSpan duration)
    {
        if (duration > TimeSpan.Zero) _ = Sleep((uint)duration.TotalMicroseconds);
    }

    [DllImport("libc", EntryPoint = "usleep")]
    static extern int Sleep(uint microseconds);

    [DllImport("libc", EntryPoint = "prctl")]
    static extern int Prctl(int option, nuint value, nuint third, nuint fourth, nuint fifth);
}
