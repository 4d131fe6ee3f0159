using System.Diagnostics;
using Sync.Contracts;

namespace Sync.Node.Demo;

/// <summary>Waits for what other processes do.</summary>
static class Waiting
{
    /// <summary>How long a program may take until it answers: on a busy machine a node needs half a minute for what takes two seconds else.</summary>
    public static readonly TimeSpan StartLimit = TimeSpan.FromMinutes(2);

    /// <summary>Asks every 50 ms until <paramref name="holds"/> says yes.</summary>
    /// <exception cref="SyncException">The limit passed, or <paramref name="child"/> ended meanwhile.</exception>
    public static async Task UntilAsync(string what, ChildProcess child, Func<Task<bool>> holds, TimeSpan limit, CancellationToken ct)
    {
        long begin = Stopwatch.GetTimestamp();
        while (!await holds())
        {
            if (child.HasExited) throw child.Failure();
            if (Stopwatch.GetElapsedTime(begin) > limit)
                throw new SyncException(ExitCode.CheckFailed, $"Gave up after {limit.TotalSeconds:0} s of waiting until {what}. Last lines of {child.Name}:{Environment.NewLine}{child.Tail}");
            await Task.Delay(50, ct);
        }
    }
}
