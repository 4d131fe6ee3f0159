using System.Diagnostics;
using Npgsql;
using Sync.Load.Contestants;
using Sync.Load.Workloads;
using Sync.Testing;

namespace Sync.Load.Measuring;

/// <summary>
/// Lets one contestant drain the backlog from a slot of its own into an empty Redis. The clock runs from the moment PostgreSQL shows a
/// walsender on the slot to the contestant's line that Redis has answered for all rows: the same for all, whatever they do before and after.
/// </summary>
static class DrainRun
{
    /// <summary>How long a drain may take.</summary>
    public static readonly TimeSpan Longest = TimeSpan.FromMinutes(20);

    public static async Task<DrainResult> MeasureAsync(Stage stage, Backlog backlog, Contestant contestant)
    {
        await stage.RedisClient.CommandAsync("FLUSHALL", "SYNC");
        string slot = contestant.Plugin is { } plugin ? await backlog.NewSlotAsync(plugin) : "";
        using var folder = new Sandbox();
        using var patience = new CancellationTokenSource(Longest);
        await using var control = await stage.Postgres.OpenAsync();
        var drain = new Drain(stage, backlog, slot, folder.Path);
        await contestant.PrepareAsync(drain);
        using var process = ContestantProcess.Start(contestant.Start(drain));

        int walsender = slot.Length == 0 ? NoProcess : await WalsenderAsync(control, slot, process, patience.Token);
        var clock = Stopwatch.StartNew();
        using var usage = new UsageSampler(walsender, stage.RedisPid, process.Id);
        string line = "";
        if (contestant.EndsByItself) await process.FinishAsync(patience.Token);
        else line = await process.FinishLineAsync(patience.Token);
        var elapsed = clock.Elapsed;
        usage.Stop();
        if (!contestant.EndsByItself) await process.EndAsync(patience.Token);

        string? difference = await backlog.DifferenceAsync(contestant.Check(backlog.Workload));
        if (slot.Length > 0) await stage.ExecuteAsync($"select pg_drop_replication_slot('{slot}')");
        return Result(contestant.Name, backlog.Workload, elapsed, usage, contestant.Read(line), difference);
    }

    /// <summary>A process id that none has.</summary>
    const int NoProcess = 0;

    /// <param name="contestant">Its name.</param>
    /// <param name="workload">What was drained.</param>
    /// <param name="elapsed">How long it took.</param>
    /// <param name="usage">Of PostgreSQL's sending process, Redis and the contestant, in this order.</param>
    /// <param name="node">What our node told.</param>
    /// <param name="difference">What was wrong; null for nothing.</param>
    public static DrainResult Result(string contestant, Workload workload, TimeSpan elapsed, UsageSampler usage, NodeFigures? node, string? difference) => new()
    {
        Workload = workload.Name,
        Contestant = contestant,
        Rows = workload.Rows,
        Seconds = elapsed.TotalSeconds,
        WalsenderCpuSeconds = usage.CpuSeconds(0),
        RedisCpuSeconds = usage.CpuSeconds(1),
        ClientCpuSeconds = usage.CpuSeconds(2),
        ClientStartupCpuSeconds = usage.CpuSecondsBefore(2),
        PeakMemoryBytes = usage.PeakBytes(2),
        Node = node,
        Difference = difference,
    };

    /// <summary>The process id of the walsender that works on the slot, as soon as there is one.</summary>
    public static Task<int> WalsenderAsync(NpgsqlConnection control, string slot, ContestantProcess process, CancellationToken cancellationToken) => WalsenderAsync(control, slot, () =>
    {
        if (process.HasExited) throw process.Failed();
    }, cancellationToken);

    /// <param name="control">To ask on.</param>
    /// <param name="slot">Its name.</param>
    /// <param name="check">Called between two looks; throws when there will be none.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public static async Task<int> WalsenderAsync(NpgsqlConnection control, string slot, Action check, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(
            $"select s.active_pid from pg_replication_slots s join pg_stat_activity a on a.pid = s.active_pid where s.slot_name = '{slot}' and a.backend_type = 'walsender'", control);
        while (true)
        {
            if (await command.ExecuteScalarAsync(cancellationToken) is int pid) return pid;
            check();
            await Task.Delay(2, cancellationToken);
        }
    }
}
