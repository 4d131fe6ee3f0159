namespace Sync.Node.Hosting;

/// <summary>
/// Bounds what is between PostgreSQL and Redis, in bytes and in rows. When it is full the reader stops reading, PostgreSQL keeps the WAL, and
/// memory stays flat. A batch larger than the whole bound passes when nothing else is inside.
/// </summary>
public sealed class FlowGate(long maxBytes, long maxRows)
{
    readonly Lock gate = new();
    readonly Queue<TaskCompletionSource> waiting = new();
    long bytes, rows;
    int batches;

    /// <summary>What is inside now.</summary>
    public QueueStatus Status
    {
        get { lock (gate) return new QueueStatus(batches, rows, bytes); }
    }

    /// <summary>Enters, at once or when there is room. Waiters enter in the order they came.</summary>
    public async ValueTask EnterAsync(int batchRows, int batchBytes, CancellationToken cancellationToken)
    {
        while (true)
        {
            TaskCompletionSource turn;
            lock (gate)
            {
                if (batches == 0 || (bytes + batchBytes <= maxBytes && rows + batchRows <= maxRows))
                {
                    bytes += batchBytes;
                    rows += batchRows;
                    batches++;
                    return;
                }
                turn = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                waiting.Enqueue(turn);
            }
            await turn.Task.WaitAsync(cancellationToken);
        }
    }

    public void Leave(int batchRows, int batchBytes)
    {
        lock (gate)
        {
            bytes -= batchBytes;
            rows -= batchRows;
            batches--;
            while (waiting.TryDequeue(out var turn)) turn.TrySetResult();
        }
    }
}
