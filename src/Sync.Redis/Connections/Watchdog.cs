namespace Sync.Redis.Connections;

/// <summary>
/// Calls <c>expire</c> once when an operation makes no progress for <c>timeout</c>. It measures silence, not duration: a large
/// flight over a slow line takes as long as it takes, while a server that stopped answering is noticed in time.
/// The timer keeps running across operations and is re-armed at most once per timeout, so a short operation costs no timer change.
/// </summary>
sealed class Watchdog : IDisposable
{
    readonly Lock gate = new();
    readonly TimeProvider time;
    readonly TimeSpan timeout;
    readonly Action expire;
    readonly ITimer timer;
    long lastProgress;
    bool armed;
    bool watching;

    public Watchdog(TimeSpan timeout, TimeProvider time, Action expire)
    {
        this.time = time;
        this.timeout = timeout;
        this.expire = expire;
        timer = time.CreateTimer(static state => ((Watchdog)state!).OnTimer(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Whether it has expired; it doesn't start again.</summary>
    public bool Expired { get; private set; }

    public void Start()
    {
        lock (gate)
        {
            Progress();
            watching = true;
            if (armed) return;
            armed = true;
            timer.Change(timeout, Timeout.InfiniteTimeSpan);
        }
    }

    public void Progress() => Volatile.Write(ref lastProgress, time.GetTimestamp());

    public void Stop()
    {
        lock (gate) watching = false;
    }

    public void Dispose() => timer.Dispose();

    void OnTimer()
    {
        lock (gate)
        {
            armed = false;
            if (!watching) return;
            var left = timeout - time.GetElapsedTime(Volatile.Read(ref lastProgress));
            if (left > TimeSpan.Zero)
            {
                armed = true;
                timer.Change(left < TimeSpan.FromMilliseconds(1) ? TimeSpan.FromMilliseconds(1) : left, Timeout.InfiniteTimeSpan);
                return;
            }
            watching = false;
            Expired = true;
        }
        expire();
    }
}
