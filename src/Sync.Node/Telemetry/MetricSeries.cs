namespace Sync.Node.Telemetry;

/// <summary>What one instrument says under one set of labels. Thread-safe.</summary>
/// <param name="labels">As Prometheus writes them, without braces; empty for none.</param>
abstract class MetricSeries(string labels)
{
    public string Labels { get; } = labels;

    public abstract void Record(double value);

    public abstract void Write(PrometheusText text, string name);
}

/// <summary>Adds up what is recorded.</summary>
sealed class SumSeries(string labels) : MetricSeries(labels)
{
    readonly Lock gate = new();
    double sum;

    public override void Record(double value)
    {
        lock (gate) sum += value;
    }

    public override void Write(PrometheusText text, string name)
    {
        lock (gate) text.Sample(name, Labels, sum);
    }
}

/// <summary>Keeps the last value: gauges, and counters that are observed, whose value is a total already.</summary>
sealed class LastSeries(string labels) : MetricSeries(labels)
{
    double last;

    public override void Record(double value) => Volatile.Write(ref last, value);

    public override void Write(PrometheusText text, string name) => text.Sample(name, Labels, Volatile.Read(ref last));
}

/// <summary>Counts values by bucket; bucket i holds what is not above <paramref name="bounds"/>[i], the last one everything else.</summary>
sealed class HistogramSeries(string labels, double[] bounds) : MetricSeries(labels)
{
    readonly Lock gate = new();
    readonly long[] counts = new long[bounds.Length + 1];
    double sum;

    public override void Record(double value)
    {
        int bucket = Array.BinarySearch(bounds, value);
        if (bucket < 0) bucket = ~bucket;
        lock (gate)
        {
            counts[bucket]++;
            sum += value;
        }
    }

    public override void Write(PrometheusText text, string name)
    {
        lock (gate)
        {
            long below = 0;
            for (int i = 0; i < counts.Length; i++)
            {
                below += counts[i];
                string bound = i < bounds.Length ? PrometheusText.Number(bounds[i]) : "+Inf";
                text.Sample($"{name}_bucket", Labels.Length == 0 ? $"le=\"{bound}\"" : $"{Labels},le=\"{bound}\"", below);
            }
            text.Sample($"{name}_sum", Labels, sum);
            text.Sample($"{name}_count", Labels, below);
        }
    }
}
