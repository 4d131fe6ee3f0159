using System.Diagnostics.Metrics;

namespace Sync.Node.Hosting;

/// <summary>
/// The instruments of a node (System.Diagnostics.Metrics, meter <c>ActorSync</c>). Counters are bumped per batch, never per row.
/// </summary>
public sealed class SyncMetrics : IDisposable
{
    public const string MeterName = "ActorSync";

    readonly Meter meter = new(MeterName);

    /// <param name="status">Asked when somebody reads a gauge.</param>
    public SyncMetrics(Func<NodeStatus> status)
    {
        RowsApplied = meter.CreateCounter<long>("actorsync.rows.applied", "{row}", "Row changes applied to Redis");
        CommandsApplied = meter.CreateCounter<long>("actorsync.commands.applied", "{command}", "Redis commands applied");
        BytesWritten = meter.CreateCounter<long>("actorsync.bytes.written", "By", "RESP bytes sent to Redis");
        RowsSkipped = meter.CreateCounter<long>("actorsync.rows.skipped", "{row}", "Row changes that asked for nothing or were already applied");
        Retries = meter.CreateCounter<long>("actorsync.retries", "{retry}", "Writes that had to be repeated");
        Parked = meter.CreateCounter<long>("actorsync.dead_letters.parked", "{row}", "Row changes parked in the dead letters");
        KeysMended = meter.CreateCounter<long>("actorsync.keys.mended", "{key}", "Keys put right or removed by a re-sync or repair");
        Warnings = meter.CreateCounter<long>("actorsync.warnings", "{warning}", "Warnings, by kind");
        CommitToApplied = meter.CreateHistogram<double>("actorsync.commit_to_applied", "s", "From commit in PostgreSQL to Redis' reply",
            advice: new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60] });
        BatchRows = meter.CreateHistogram<long>("actorsync.batch.rows", "{row}", "Row changes in one write",
            advice: new InstrumentAdvice<long> { HistogramBucketBoundaries = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 5000] });
        meter.CreateObservableGauge("actorsync.lag.bytes", () => status().LagBytes, "By", "WAL not yet confirmed");
        meter.CreateObservableGauge("actorsync.lag.seconds", () => status().LagMs / 1000, "s", "Age of the oldest commit under way");
        meter.CreateObservableGauge("actorsync.queue.rows", () => status().Queues.Rows, "{row}", "Row changes between reader and Redis");
        meter.CreateObservableGauge("actorsync.queue.bytes", () => status().Queues.Bytes, "By", "Bytes between reader and Redis");
        meter.CreateObservableGauge("actorsync.dead_letters", () => status().DeadLetters, "{row}", "Row changes in the dead letters");
        meter.CreateObservableGauge("actorsync.circuits.open", () => status().OpenCircuits, "{writer}", "Writers that Redis keeps refusing");
        meter.CreateObservableGauge("actorsync.resyncs.open", () => status().Resyncs.Count(r => !r.IsOver), "{table}", "Tables whose re-sync is under way, queued or held");
        meter.CreateObservableGauge("actorsync.ready", () => status().Ready ? 1 : 0, "1", "1 while streaming with Redis reachable");
    }

    public Counter<long> RowsApplied { get; }
    public Counter<long> CommandsApplied { get; }
    public Counter<long> BytesWritten { get; }
    public Counter<long> RowsSkipped { get; }
    public Counter<long> Retries { get; }
    public Counter<long> Parked { get; }
    public Counter<long> KeysMended { get; }
    public Counter<long> Warnings { get; }
    public Histogram<double> CommitToApplied { get; }
    public Histogram<long> BatchRows { get; }

    public void Dispose() => meter.Dispose();
}
