namespace Sync.Node.Schema;

/// <summary>Tells the schema watch that the stream has described a table, so that it looks without waiting for its clock. Thread-safe.</summary>
sealed class SchemaSignal
{
    readonly SemaphoreSlim set = new(0, 1);

    public void Set()
    {
        try
        {
            if (set.CurrentCount == 0) set.Release();
        }
        catch (SemaphoreFullException)
        {
            // Two at once: one look is enough.
        }
    }

    /// <summary>Returns when it was set, or after the time.</summary>
    public Task WaitAsync(TimeSpan longest, CancellationToken cancellationToken) => set.WaitAsync(longest, cancellationToken);
}
