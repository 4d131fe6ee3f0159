using System.Diagnostics.Metrics;
using Sync.Node.Telemetry;

namespace Sync.Node.Tests.Telemetry;

public sealed class PrometheusCollectorTests : IDisposable
{
    readonly Meter meter = new($"test-{Guid.NewGuid():N}");
    readonly PrometheusCollector collector;

    public PrometheusCollectorTests() => collector = new PrometheusCollector(meter.Name);

    public void Dispose()
    {
        collector.Dispose();
        meter.Dispose();
    }

    [Fact]
    public void Counter_should_add_up_under_its_prometheus_name()
    {
        var rows = meter.CreateCounter<long>("actorsync.rows.applied", "{row}", "Row changes");
        rows.Add(3);
        rows.Add(4);
        var scrape = Scrape();
        scrape.Value("actorsync_rows_applied_total").ShouldBe(7);
        scrape.Types["actorsync_rows_applied_total"].ShouldBe("counter");
        scrape.Helps["actorsync_rows_applied_total"].ShouldBe("Row changes");
    }

    [Fact]
    public void Counter_that_never_counted_should_be_zero()
    {
        meter.CreateCounter<long>("quiet");
        Scrape().Value("quiet_total").ShouldBe(0);
    }

    [Fact]
    public void Labels_should_make_series_of_their_own_in_any_order_and_with_any_text()
    {
        var warnings = meter.CreateCounter<long>("warnings");
        warnings.Add(1, new("kind", "a\"b\\c\nd"), new("table", "public.x"));
        warnings.Add(2, new("table", "public.x"), new("kind", "a\"b\\c\nd"));
        warnings.Add(5, new KeyValuePair<string, object?>("kind", "other"));
        var scrape = Scrape();
        scrape.Value("warnings_total{kind=\"a\\\"b\\\\c\\nd\",table=\"public.x\"}").ShouldBe(3);
        scrape.Value("warnings_total{kind=\"other\"}").ShouldBe(5);
        scrape.Samples.Keys.ShouldNotContain("warnings_total");
    }

    [Fact]
    public void Gauge_should_be_read_when_it_is_scraped()
    {
        int value = 1;
        meter.CreateObservableGauge("actorsync.lag.bytes", () => value, "By");
        Scrape().Value("actorsync_lag_bytes").ShouldBe(1);
        value = 2;
        var scrape = Scrape();
        scrape.Value("actorsync_lag_bytes").ShouldBe(2);
        scrape.Types["actorsync_lag_bytes"].ShouldBe("gauge");
    }

    [Fact]
    public void Gauge_that_throws_should_not_hide_the_others()
    {
        meter.CreateObservableGauge("broken", (Func<int>)(() => throw new InvalidOperationException("not now")));
        meter.CreateObservableGauge("sound", () => 5);
        Scrape().Value("sound").ShouldBe(5);
    }

    [Fact]
    public void Histogram_should_count_cumulatively_in_the_advised_buckets()
    {
        var latency = meter.CreateHistogram<double>("commit_to_applied", "s", advice: new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.001, 0.01, 0.1] });
        foreach (double seconds in (double[])[0.0005, 0.001, 0.002, 0.05, 3]) latency.Record(seconds);
        var scrape = Scrape();
        scrape.Types["commit_to_applied_seconds"].ShouldBe("histogram");
        scrape.Value("commit_to_applied_seconds_bucket{le=\"0.001\"}").ShouldBe(2);
        scrape.Value("commit_to_applied_seconds_bucket{le=\"0.01\"}").ShouldBe(3);
        scrape.Value("commit_to_applied_seconds_bucket{le=\"0.1\"}").ShouldBe(4);
        scrape.Value("commit_to_applied_seconds_bucket{le=\"+Inf\"}").ShouldBe(5);
        scrape.Value("commit_to_applied_seconds_count").ShouldBe(5);
        scrape.Value("commit_to_applied_seconds_sum").ShouldBe(3.0535, 1e-9);
    }

    [Fact]
    public void Series_should_be_bounded_and_lose_no_count()
    {
        var hits = meter.CreateCounter<long>("hits");
        for (int i = 0; i < PrometheusCollector.MostSeries + 500; i++) hits.Add(1, new KeyValuePair<string, object?>("id", i));
        var scrape = Scrape();
        scrape.Samples.Count.ShouldBe(PrometheusCollector.MostSeries + 1);
        scrape.Value("hits_total{overflow=\"true\"}").ShouldBe(500);
        scrape.Samples.Values.Sum().ShouldBe(PrometheusCollector.MostSeries + 500);
    }

    [Fact]
    public void Counts_of_many_threads_should_all_be_there()
    {
        var hits = meter.CreateCounter<long>("hits");
        var sizes = meter.CreateHistogram<long>("sizes");
        Parallel.For(0, 10_000, i =>
        {
            hits.Add(1, new KeyValuePair<string, object?>("thread", i % 4));
            sizes.Record(i % 7);
        });
        var scrape = Scrape();
        scrape.Samples.Where(s => s.Key.StartsWith("hits_total", StringComparison.Ordinal)).Sum(s => s.Value).ShouldBe(10_000);
        scrape.Value("sizes_count").ShouldBe(10_000);
    }

    [Fact]
    public void Other_meters_should_not_show()
    {
        using var other = new Meter("somebody else's");
        other.CreateCounter<long>("foreign").Add(1);
        Scrape().Samples.ShouldBeEmpty();
    }

    [Fact]
    public void Instruments_should_leave_with_their_meter()
    {
        var mine = new Meter(meter.Name);
        mine.CreateCounter<long>("gone").Add(1);
        Scrape().Samples.ShouldContainKey("gone_total");
        mine.Dispose();
        Scrape().Samples.ShouldBeEmpty();
    }

    PrometheusScrape Scrape()
    {
        var text = new PrometheusText();
        collector.Write(text);
        return PrometheusScrape.Parse(text.ToString());
    }
}
