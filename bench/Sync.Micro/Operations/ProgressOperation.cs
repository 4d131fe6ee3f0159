using Sync.Contracts;
using Sync.Engine.Progress;

namespace Sync.Micro.Operations;

/// <summary>Keeping count of what is in Redis: a transaction of one row each, and a batch in every tenth.</summary>
sealed class ProgressOperation : Operation
{
    const int workers = 4, rowsPerBatch = 10, batchesUnderWay = 16;

    readonly ProgressTracker tracker = new(workers);
    long sequence;

    public override long Run()
    {
        long first = sequence;
        for (int batch = 0; batch < Rows / rowsPerBatch; batch++)
        {
            tracker.Begun(batch % workers, sequence + 1, commitTicks: 1);
            for (int row = 0; row < rowsPerBatch; row++) tracker.Committed(++sequence, new Lsn((ulong)sequence));
            if (batch >= batchesUnderWay) tracker.Applied((batch - batchesUnderWay) % workers);
        }
        for (int batch = Rows / rowsPerBatch - batchesUnderWay; batch < Rows / rowsPerBatch; batch++) tracker.Applied(batch % workers);
        return (long)tracker.Confirmed.Value - first;
    }
}
