using System.Runtime.CompilerServices;
using System.Threading.Tasks.Sources;
using Sync.Postgres.Streaming;

namespace Sync.Node.Hosting;

/// <summary>
/// Waits for the next message or for the request to stop, whichever comes first, and allocates nothing per wait: a reader that keeps up waits
/// for almost every row. After a stop the read stays under way, and with it the stream, for a last report. One wait at a time.
/// </summary>
sealed class StoppableRead : IValueTaskSource<bool>, IDisposable
{
    const int waiting = 1, done = 2, stopped = 3;

    readonly TaskCompletionSource left = new(TaskCreationOptions.RunContinuationsAsynchronously);
    readonly CancellationToken stop;
    readonly CancellationTokenRegistration registration;
    readonly Action onRead;
    ManualResetValueTaskSourceCore<bool> core;
    ValueTaskAwaiter<ReadOnlyMemory<byte>> read;
    int phase;

    public StoppableRead(CancellationToken stop)
    {
        this.stop = stop;
        onRead = OnRead;
        registration = stop.UnsafeRegister(static self => ((StoppableRead)self!).OnStop(), this);
    }

    /// <summary>True when the read has ended, so that <see cref="Message"/> may be asked for once; false when the stop came first.</summary>
    public ValueTask<bool> EndsAsync(ValueTask<ReadOnlyMemory<byte>> next)
    {
        read = next.GetAwaiter();
        core.Reset();
        Volatile.Write(ref phase, waiting);
        read.UnsafeOnCompleted(onRead);
        // A stop between the caller's last look and here found nobody waiting.
        if (stop.IsCancellationRequested) OnStop();
        return new ValueTask<bool>(this, core.Version);
    }

    /// <summary>What was read.</summary>
    /// <exception cref="ReplicationStreamException">The stream ended.</exception>
    public ReadOnlyMemory<byte> Message() => read.GetResult();

    /// <summary>Waits until a read that a stop left behind has ended, as it does when the stream is stopped.</summary>
    public async Task LeaveAsync()
    {
        if (Volatile.Read(ref phase) != stopped) return;
        await left.Task;
        try { read.GetResult(); }
        catch (Exception e) when (e is OperationCanceledException or ReplicationStreamException) { /* This is how it ends. */ }
    }

    public void Dispose() => registration.Dispose();

    void OnRead()
    {
        if (Interlocked.CompareExchange(ref phase, done, waiting) == waiting) core.SetResult(true);
        else left.TrySetResult();
    }

    void OnStop()
    {
        if (Interlocked.CompareExchange(ref phase, stopped, waiting) == waiting) core.SetResult(false);
    }

    bool IValueTaskSource<bool>.GetResult(short token) => core.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource<bool>.GetStatus(short token) => core.GetStatus(token);

    void IValueTaskSource<bool>.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        core.OnCompleted(continuation, state, token, flags);
}
