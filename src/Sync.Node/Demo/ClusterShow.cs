using System.Diagnostics;
using Npgsql;
using Sync.Contracts;
using Sync.Node.Http;

namespace Sync.Node.Demo;

/// <summary>
/// The demo of a cluster: the shop is busy all the while, another node joins, later the one that reads is killed with SIGKILL, and in the end every key of Redis is compared with
/// what PostgreSQL calls for.
/// </summary>
sealed class ClusterShow(DemoStage stage, DemoOptions options)
{
    const int DefaultSeconds = 45;
    static readonly TimeSpan moveLimit = TimeSpan.FromSeconds(60), drainLimit = TimeSpan.FromSeconds(60), lookPause = TimeSpan.FromMilliseconds(300);

    readonly DemoCluster cluster = stage.Cluster!;
    readonly DemoVerdict verdict = new(stage);
    readonly ClusterScreen screen = new();
    readonly LagProbe probe = new(stage);
    readonly long begin = Stopwatch.GetTimestamp();
    volatile ClusterView? view;
    long changes;

    TimeSpan Now => Stopwatch.GetElapsedTime(begin);

    /// <summary>Returns the exit code.</summary>
    public async Task<int> RunAsync(CancellationToken ct)
    {
        foreach (string line in Addresses()) Console.WriteLine(line);
        await using var listener = await StatusListener.StartAsync(stage.RedisPort, ct);
        long before = await verdict.LastEventAsync(ct);
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(ct);
        Task[] beside = [probe.RunAsync(ending.Token), ChangeAsync(ending.Token), WatchAsync(ending.Token)];
        // What fails beside the story ends it.
        var story = StoryAsync(ending.Token);
        var all = Task.WhenAny([story, .. beside]).Unwrap();
        try
        {
            await screen.ShowAsync(all, () => screen.Picture(view, cluster.Nodes, cluster.NameOf, Caption()));
            await story;
        }
        finally
        {
            await ending.CancelAsync();
            await Task.WhenAll([story, .. beside]).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
        await Task.WhenAll(beside);
        Console.WriteLine($"{changes:N0} changes of the shop were made, those of the lag's own rows aside.");
        await verdict.DrainAsync(drainLimit, ct);
        await verdict.VerifyKeysAsync(ct);
        await verdict.VerifyAnnouncementsAsync(listener, before, ct);
        return verdict.Conclude();
    }

    async Task StoryAsync(CancellationToken ct)
    {
        var length = TimeSpan.FromSeconds(options.Seconds ?? DefaultSeconds);
        await UntilAsync(length * 0.2, ct);
        TellLag("with all nodes of the start");

        screen.Say(Now, "one more node is started");
        var added = await cluster.AddAsync(ct);
        await WaitAsync($"{added.Name} has lanes", now => now.Members.Any(m => m.Address == added.Address && m.Lanes.Count > 0), ct);
        await UntilAsync(length * 0.5, ct);
        TellLag("while lanes moved to another node");

        await WaitAsync("somebody reads", now => now.Reader is not null && cluster.Nodes.Any(n => n.Address == now.Reader), ct);
        var reader = cluster.Nodes.First(n => n.Address == view!.Reader);
        long epoch = view!.ReaderEpoch;
        screen.Say(Now, $"{reader.Name}, which reads, is killed with SIGKILL");
        await cluster.KillAsync(reader);
        await WaitAsync("another node reads, and all lanes are with those that live", now => IsWhole(now, reader.Address) && now.ReaderEpoch > epoch && probe.LagMs < 1000, ct);
        await UntilAsync(length, ct);
        TellLag($"while {reader.Name} was replaced and after it");
    }

    static bool IsWhole(ClusterView now, string dead) =>
        now.LanesKnown && now.Reader != dead && now.SilentLanes.Count == 0 && now.Members.All(m => m.Address != dead) && now.Members.Sum(m => m.Lanes.Count) == now.Lanes;

    /// <summary>Changes rows as fast as asked for; nobody waits for them to arrive.</summary>
    async Task ChangeAsync(CancellationToken stop)
    {
        await using var postgres = new NpgsqlConnection(stage.ConnectionString);
        await postgres.OpenAsync(stop);
        var workload = new ShopWorkload(postgres, Environment.TickCount);
        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(1 / (options.Rate ?? 20)));
        try
        {
            for (; await timer.WaitForNextTickAsync(stop); changes++) await (await workload.NextAsync(stop)).CommitAsync(postgres, stop);
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // Changed enough.
        }
    }

    async Task WatchAsync(CancellationToken stop)
    {
        try
        {
            for (; ; await Task.Delay(lookPause, stop))
            {
                if (await cluster.LookAsync(stop) is not { } now) continue;
                foreach (string what in ClusterChanges.Between(view, now, cluster.NameOf)) screen.Say(Now, what);
                view = now;
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // Watched enough.
        }
    }

    async Task WaitAsync(string what, Predicate<ClusterView> holds, CancellationToken ct)
    {
        for (long asked = Stopwatch.GetTimestamp(); view is not { } now || !holds(now); await Task.Delay(lookPause / 3, ct))
            if (Stopwatch.GetElapsedTime(asked) > moveLimit)
                throw new SyncException(ExitCode.CheckFailed, $"Gave up after {moveLimit.TotalSeconds:0} s of waiting until {what}.");
        screen.Say(Now, what);
    }

    Task UntilAsync(TimeSpan at, CancellationToken ct) => at > Now ? Task.Delay(at - Now, ct) : Task.CompletedTask;

    void TellLag(string when)
    {
        var lags = probe.Take();
        screen.Say(Now, $"lag from commit to Redis {when}: p50 {LagMeter.Percentile(lags, 0.5):0.0} ms, p99 {LagMeter.Percentile(lags, 0.99):0.0} ms, longest {lags.DefaultIfEmpty().Max():0} ms");
    }

    string Caption() => $"{Now.TotalSeconds:0} s, {changes:N0} changes; Redis is {probe.LagMs:0.0} ms behind";

    IEnumerable<string> Addresses()
    {
        yield return $"Ready after {stage.SnapshotTook.TotalSeconds:0.0} s. Rows change; soon a node joins, then the one that reads is killed; Ctrl-C ends it and cleans up.";
        foreach (var node in cluster.Nodes) yield return $"  {node.Name}        {node.Url}/     cluster: {node.Url}/api/cluster";
        if (stage.ShopUrl is { } shop) yield return $"  shop page     {shop}/";
        yield return $"  by hand       {stage.PostgresAddress}     {stage.RedisAddress}";
    }
}
