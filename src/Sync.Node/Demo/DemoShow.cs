using Spectre.Console;
using Spectre.Console.Rendering;

namespace Sync.Node.Demo;

/// <summary>The demo for people: a change now and then, both sides next to each other, until Ctrl-C.</summary>
sealed class DemoShow(DemoStage stage, DemoOptions options)
{
    const int Rows = 14;
    readonly LagMeter meter = new(stage.Postgres, stage.Redis);
    readonly ShopWorkload workload = new(stage.Postgres, Environment.TickCount);

    public async Task<int> RunAsync(CancellationToken ct)
    {
        foreach (string line in Addresses()) Console.WriteLine(line);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
        if (options.Seconds is { } seconds) limit.CancelAfter(TimeSpan.FromSeconds(seconds));
        try
        {
            if (AnsiConsole.Profile.Out.IsTerminal && AnsiConsole.Profile.Capabilities.Ansi)
                await AnsiConsole.Live(Table()).StartAsync(live => ChangeAsync(_ => live.UpdateTarget(Table()), limit.Token));
            else
                await ChangeAsync(change => Console.WriteLine(Line(change)), limit.Token);
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested) { Console.WriteLine(Summary()); }
        return 0;
    }

    async Task ChangeAsync(Action<SeenChange> show, CancellationToken ct)
    {
        using var pace = new PeriodicTimer(TimeSpan.FromSeconds(1 / (options.Rate ?? 3)));
        while (await pace.WaitForNextTickAsync(ct)) show(await meter.MeasureAsync(await workload.NextAsync(ct), ct));
    }

    IEnumerable<string> Addresses()
    {
        yield return $"Ready after {stage.SnapshotTook.TotalSeconds:0.0} s. Have a look around while rows change; Ctrl-C ends it and cleans up.";
        if (stage.ShopUrl is null) yield return "  shop page     (not built: ./demo builds it)";
        else
        {
            yield return $"  shop page     {stage.ShopUrl}/                  change a price and see it arrive";
            yield return $"  PostgreSQL    {stage.ShopUrl}/products/1        its twin from Redis: {stage.ShopUrl}/cache/products/1";
        }
        yield return $"  node          {stage.NodeUrl}/api/status     metrics: {stage.NodeUrl}/metrics";
        yield return $"  by hand       {stage.PostgresAddress}     {stage.RedisAddress}";
    }

    static string Line(SeenChange change) =>
        $"{DateTime.Now:HH:mm:ss}  {change.Change.Title}: PostgreSQL {OneLine(change.Change.Shown)}, Redis {OneLine(change.Seen ?? "(gone)")}, {Lag(change)}";

    static string Lag(SeenChange change) => change.LagMs is { } lag ? $"after {lag:0.0} ms" : "NOT SEEN";

    static string OneLine(string text)
    {
        text = text.Length == 0 ? "\"\"" : text.ReplaceLineEndings(" ").Replace('\t', ' ');
        return text.Length <= 40 ? text : text[..39] + "…";
    }

    IRenderable Table()
    {
        var table = new Table().Border(TableBorder.Rounded).BorderColor(Color.Grey).Expand();
        table.AddColumn("Change").AddColumn("PostgreSQL").AddColumn("Redis").AddColumn(new TableColumn("Lag").RightAligned());
        foreach (var change in meter.History.Skip(Math.Max(0, meter.History.Count - Rows)))
        {
            table.AddRow(
                Markup.Escape(change.Change.Title), $"[deepskyblue1]{Markup.Escape(OneLine(change.Change.Shown))}[/]",
                $"[{(change.LagMs is null ? "red" : "green")}]{Markup.Escape(OneLine(change.Seen ?? "(gone)"))}[/]",
                change.LagMs is { } lag ? $"[bold]{lag:0.0} ms[/]" : "[red]not seen[/]");
        }
        table.Caption(Markup.Escape(Summary()));
        return table;
    }

    string Summary()
    {
        var lags = meter.History.Where(change => change.LagMs is not null).Select(change => change.LagMs!.Value).ToList();
        return $"{meter.History.Count} changes; from commit to Redis p50 {LagMeter.Percentile(lags, 0.5):0.0} ms, p99 {LagMeter.Percentile(lags, 0.99):0.0} ms, max {lags.DefaultIfEmpty().Max():0.0} ms";
    }
}
