namespace Sync.Load.Measuring;

/// <summary>
/// Watches processes from the outside, because one that has ended can't be asked any more: the last sample is at most
/// <see cref="periodMs"/> old then. Costs well under 1 % of a core.
/// </summary>
sealed class UsageSampler : IDisposable
{
    const int periodMs = 20;

    readonly int[] pids;
    readonly ProcessUsage[] first, last;
    readonly Thread thread;
    volatile bool stop;

    public UsageSampler(params int[] pids)
    {
        this.pids = pids;
        first = new ProcessUsage[pids.Length];
        last = new ProcessUsage[pids.Length];
        for (int i = 0; i < pids.Length; i++)
        {
            ProcessUsage.TryRead(pids[i], out first[i]);
            last[i] = first[i];
        }
        thread = new Thread(Watch) { IsBackground = true };
        thread.Start();
    }

    /// <summary>CPU seconds of a process from the begin to the last sample.</summary>
    public double CpuSeconds(int process) => last[process].CpuSeconds - first[process].CpuSeconds;

    /// <summary>CPU seconds it had used when the sampling began.</summary>
    public double CpuSecondsBefore(int process) => first[process].CpuSeconds;

    public long PeakBytes(int process) => last[process].PeakBytes;

    /// <summary>Takes a last sample and ends.</summary>
    public void Stop()
    {
        Sample();
        stop = true;
        thread.Join();
    }

    void Watch()
    {
        while (!stop)
        {
            Sample();
            Thread.Sleep(periodMs);
        }
    }

    void Sample()
    {
        lock (pids)
            for (int i = 0; i < pids.Length; i++)
                if (ProcessUsage.TryRead(pids[i], out var usage)) last[i] = usage;
    }

    public void Dispose() => stop = true;
}
