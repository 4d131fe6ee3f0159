using System.Collections.Concurrent;
using System.Diagnostics.Metrics;

namespace Sync.Node.Telemetry;

/// <summary>
/// Listens to the instruments of one meter and writes them as Prometheus text. Instruments that are made later join by themselves.
/// Recording takes one short lock per series; the node records per batch, not per row. Why it is our own: docs/adr/0005-prometheus-text.md.
/// </summary>
public sealed class PrometheusCollector : IDisposable
{
    /// <summary>Sets of labels per instrument; what goes beyond is counted together under <c>overflow="true"</c>.</summary>
    public const int MostSeries = 1000;

    static readonly double[] defaultBounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

    readonly MeterListener listener = new();
    readonly ConcurrentDictionary<Instrument, Collected> instruments = new();

    /// <param name="meterName">Name of the meter.</param>
    public PrometheusCollector(string meterName)
    {
        listener.InstrumentPublished = (instrument, self) =>
        {
            if (instrument.Meter.Name != meterName) return;
            instruments[instrument] = new Collected(instrument);
            self.EnableMeasurementEvents(instrument);
        };
        // A meter that was disposed of takes its instruments along; counting on would show two of each after a restart inside the process.
        listener.MeasurementsCompleted = (instrument, _) => instruments.TryRemove(instrument, out Collected? _);
        listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => Record(instrument, value, tags));
        listener.SetMeasurementEventCallback<int>((instrument, value, tags, _) => Record(instrument, value, tags));
        listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => Record(instrument, value, tags));
        listener.Start();
    }

    /// <summary>Writes every instrument that has said something, by name.</summary>
    public void Write(PrometheusText text)
    {
        try
        {
            listener.RecordObservableInstruments();
        }
        catch (AggregateException)
        {
            // A gauge that can't be read now keeps its last value; the others were read.
        }
        foreach (var metric in instruments.Values.GroupBy(c => c.Name).OrderBy(g => g.Key, StringComparer.Ordinal))
        {
            var series = metric.SelectMany(c => c.Series).ToList();
            if (series.Count == 0) continue;
            text.Metric(metric.Key, metric.First().Type, metric.First().Help);
            foreach (var one in series.OrderBy(s => s.Labels, StringComparer.Ordinal)) one.Write(text, metric.Key);
        }
    }

    public void Dispose() => listener.Dispose();

    void Record(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        if (instruments.TryGetValue(instrument, out var collected)) collected.Of(tags).Record(value);
    }

    /// <summary>One instrument and its series.</summary>
    sealed class Collected
    {
        readonly ConcurrentDictionary<string, MetricSeries> series = new(StringComparer.Ordinal);
        readonly Func<string, MetricSeries> create;
        readonly bool adds;

        public Collected(Instrument instrument)
        {
            var kind = instrument.GetType();
            var definition = kind.IsGenericType ? kind.GetGenericTypeDefinition() : kind;
            bool counter = definition == typeof(Counter<>) || definition == typeof(ObservableCounter<>);
            Type = counter ? "counter" : definition == typeof(Histogram<>) ? "histogram" : "gauge";
            Name = NameOf(instrument.Name, instrument.Unit, counter);
            Help = instrument.Description ?? "";
            adds = definition == typeof(Counter<>) || definition == typeof(UpDownCounter<>);
            double[] bounds = BoundsOf(instrument);
            create = Type == "histogram" ? labels => new HistogramSeries(labels, bounds) : adds ? labels => new SumSeries(labels) : labels => new LastSeries(labels);
        }

        public string Name { get; }
        public string Type { get; }
        public string Help { get; }

        /// <summary>A counter that never counted is 0, not absent: rates and alerts need the first step as well.</summary>
        public IEnumerable<MetricSeries> Series => series.IsEmpty && adds ? [create("")] : series.Values;

        public MetricSeries Of(ReadOnlySpan<KeyValuePair<string, object?>> tags)
        {
            string labels = tags.IsEmpty ? "" : LabelsOf(tags);
            if (series.TryGetValue(labels, out var known)) return known;
            return series.GetOrAdd(series.Count < MostSeries ? labels : "overflow=\"true\"", create);
        }

        static string LabelsOf(ReadOnlySpan<KeyValuePair<string, object?>> tags)
        {
            var labels = new List<string>(tags.Length);
            foreach (var (name, value) in tags)
                labels.Add(PrometheusText.Label(name, Convert.ToString(value, System.Globalization.CultureInfo.InvariantCulture) ?? ""));
            labels.Sort(StringComparer.Ordinal);
            return string.Join(',', labels);
        }

        /// <summary>The unit's word joins the name unless the name says it already; counters end in _total.</summary>
        static string NameOf(string name, string? unit, bool counter)
        {
            string result = PrometheusText.Name(name);
            string? word = unit switch { "s" => "seconds", "By" => "bytes", _ => null };
            if (word is not null && !result.Split('_').Contains(word)) result += $"_{word}";
            return counter && !result.EndsWith("_total", StringComparison.Ordinal) ? $"{result}_total" : result;
        }

        static double[] BoundsOf(Instrument instrument) => instrument switch
        {
            Histogram<double> { Advice.HistogramBucketBoundaries: { } bounds } => [.. bounds],
            Histogram<long> { Advice.HistogramBucketBoundaries: { } bounds } => [.. bounds.Select(b => (double)b)],
            Histogram<int> { Advice.HistogramBucketBoundaries: { } bounds } => [.. bounds.Select(b => (double)b)],
            _ => defaultBounds,
        };
    }
}
