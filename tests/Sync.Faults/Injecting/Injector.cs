using System.Diagnostics;
using Sync.Faults.Servers;
using Sync.Testing;

namespace Sync.Faults.Injecting;

/// <summary>Makes faults happen to a site, and ends each of them: behind <see cref="RunAsync"/> all parties are up again, though they may still be recovering.</summary>
sealed class Injector(Site site)
{
    static readonly TimeSpan takeoverDeadline = TimeSpan.FromSeconds(20);

    /// <summary>Long enough for writes to be under way, shorter than the node's writeTimeout.</summary>
    static readonly TimeSpan underWay = TimeSpan.FromMilliseconds(700);

    readonly SortedDictionary<FaultKind, int> counts = [];
    readonly ClusterFaults? cluster = site.Network is null ? null : new ClusterFaults(site);

    public IReadOnlyDictionary<FaultKind, int> Counts => counts;

    public int Total => counts.Values.Sum();

    /// <summary>How often a cluster went on without a node that was alive.</summary>
    public int Abandoned => cluster?.Abandoned ?? 0;

    public void Count(FaultKind kind)
    {
        lock (counts) counts[kind] = counts.GetValueOrDefault(kind) + 1;
    }

    public async Task RunAsync(Fault fault, CancellationToken cancellationToken)
    {
        await Task.Delay(fault.After, cancellationToken);
        Count(fault.Kind);
        await Task.WhenAll(ApplyAsync(fault), fault.Companion is { } other ? RunAsync(other, cancellationToken) : Task.CompletedTask);
    }

    async Task ApplyAsync(Fault fault)
    {
        if (cluster is not null && FaultPlan.IsNode(fault.Kind))
        {
            await cluster.ApplyAsync(fault);
            return;
        }
        var active = await site.ActiveAsync();
        // In a cluster all nodes write.
        if (cluster is not null && fault.Variant % 2 == 0) active = site.Other(active, fault.Variant / 2);
        var wire = fault.Variant % 3 == 0 ? active.Postgres : active.Redis;
        switch (fault.Kind)
        {
            case FaultKind.NodeKill: active.End(Posix.Sigkill, fault.Lasts); break;
            case FaultKind.StandbyKill: site.Other(active).End(Posix.Sigkill, fault.Lasts); break;
            case FaultKind.NodeFreeze: await ReplaceFrozenAsync(active, fault); break;
            case FaultKind.NodePause:
                active.Freeze();
                await Task.Delay(fault.Lasts);
                active.Thaw();
                break;
            case FaultKind.NodeRestart:
                active.Workers = 1 + (fault.Variant % 6);
                active.End(Posix.Sigterm, TimeSpan.Zero);
                break;
            case FaultKind.NodeClock:
                // Off by up to a day, either way; if the other node is active it dies, so that one with another idea of the time takes over.
                site.Clocked.SetClock(TimeSpan.FromSeconds((fault.Variant % 172_800) - 86_400));
                if (active != site.Clocked) active.End(Posix.Sigkill, fault.Lasts);
                break;
            case FaultKind.RedisKill:
                await site.Redis.KillAsync();
                await Task.Delay(fault.Lasts / 2);
                await site.Redis.StartAgainAsync();
                break;
            case FaultKind.RedisFreeze:
                site.Redis.Freeze();
                await Task.Delay(fault.Lasts);
                site.Redis.Thaw();
                break;
            case FaultKind.RedisDiskFull: await FillDiskAsync(fault); break;
            case FaultKind.RedisOutOfMemory:
                await site.Redis.ExecAsync("CONFIG", "SET", "maxmemory", "1");
                await Task.Delay(fault.Lasts);
                await site.Redis.ExecAsync("CONFIG", "SET", "maxmemory", "0");
                break;
            case FaultKind.RedisClientPause:
                await site.Redis.ExecAsync("CLIENT", "PAUSE", $"{(int)fault.Lasts.TotalMilliseconds}", fault.Variant % 2 == 0 ? "ALL" : "WRITE");
                await Task.Delay(fault.Lasts);
                break;
            case FaultKind.PostgresKill: await KillPostgresAsync(fault); break;
            case FaultKind.PostgresImmediate: await site.Postgres.RestartAsync(StopMode.Immediate); break;
            case FaultKind.PostgresFreeze: await FreezePostgresAsync(fault); break;
            case FaultKind.PostgresTerminate:
                // Only the stream, or all that our nodes have there, the lease included.
                if (fault.Variant % 2 == 0) await site.Postgres.KillWalSendersAsync();
                else await site.Postgres.ExecuteAsync("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'actorsync'");
                break;
            case FaultKind.WireCut: wire.Cut(); break;
            case FaultKind.WireHalf:
                wire.Mode = WireMode.CutInside;
                await Task.Delay(fault.Lasts);
                wire.Mode = WireMode.Open;
                break;
            case FaultKind.WireSplit: await ForAWhileAsync(WireMode.Split, fault, active.Redis, active.Postgres); break;
            case FaultKind.WireSlow: await ForAWhileAsync(WireMode.Slow, fault, active.Redis, active.Postgres); break;
            case FaultKind.WireHole: await ForAWhileAsync(WireMode.Hole, fault, wire); break;
            case FaultKind.WireRepliesLost: await ForAWhileAsync(WireMode.MuteReplies, fault, active.Redis); break;
        }
    }

    /// <summary>Holes end in a cut as often as they open again; everything else just ends.</summary>
    static async Task ForAWhileAsync(WireMode mode, Fault fault, params Wire[] wires)
    {
        foreach (var wire in wires) wire.Mode = mode;
        await Task.Delay(fault.Lasts);
        foreach (var wire in wires)
        {
            if (mode is WireMode.Hole or WireMode.MuteReplies && fault.Variant % 2 == 0) wire.Cut();
            wire.Mode = WireMode.Open;
        }
    }

    /// <summary>
    /// The active node stands still, PostgreSQL loses its connections, the standby takes over; then the frozen one wakes up and believes to be active still. In
    /// half of the cases what it had sent to Redis was held up on its way and arrives only then.
    /// </summary>
    async Task ReplaceFrozenAsync(NodeProcess active, Fault fault)
    {
        var other = site.Other(active);
        if (fault.Variant % 2 == 0)
        {
            active.Redis.Mode = WireMode.Hole;
            await Task.Delay(underWay);
        }
        active.Freeze();
        active.Postgres.Mode = WireMode.Refuse;
        active.Postgres.Cut();
        var watch = Stopwatch.StartNew();
        while (await other.StateAsync() != "streaming" && watch.Elapsed < takeoverDeadline) await Task.Delay(100);
        await Task.Delay(fault.Lasts);
        active.Thaw();
        if (fault.Variant % 4 < 2) active.Redis.Mode = WireMode.Open;
        active.Postgres.Mode = WireMode.Open;
        await Task.Delay(fault.Lasts / 2);
        active.Redis.Mode = WireMode.Open;
    }

    /// <summary>With appendfsync always a Redis without room ends itself; with everysec it lives and answers writes with MISCONF until there is room again.</summary>
    async Task FillDiskAsync(Fault fault)
    {
        var redis = site.Redis;
        bool ends = fault.Variant % 2 == 0;
        if (!ends) await redis.ExecAsync("CONFIG", "SET", "appendfsync", "everysec");
        await redis.FillDiskAsync();
        if (ends)
        {
            if (await redis.WaitForEndAsync(TimeSpan.FromSeconds(20))) await redis.StartAgainAsync();
            else await redis.EmptyDiskAsync();
            return;
        }
        await UntilAsync(async () => await redis.InfoAsync("aof_last_write_status") != "ok", TimeSpan.FromSeconds(20));
        await Task.Delay(fault.Lasts);
        await redis.EmptyDiskAsync();
        await UntilAsync(async () => await redis.InfoAsync("aof_last_write_status") == "ok", TimeSpan.FromSeconds(20));
        await redis.RewriteFileAsync();
        await redis.ExecAsync("CONFIG", "SET", "appendfsync", "always");
    }

    static async Task UntilAsync(Func<Task<bool>> holds, TimeSpan deadline)
    {
        var watch = Stopwatch.StartNew();
        while (!await holds() && watch.Elapsed < deadline) await Task.Delay(50);
    }

    async Task KillPostgresAsync(Fault fault)
    {
        var family = Posix.Family(PostmasterPid());
        foreach (int pid in family) Posix.Signal(pid, Posix.Sigkill);
        await UntilAsync(() => Task.FromResult(family.All(pid => !Directory.Exists($"/proc/{pid}"))), TimeSpan.FromSeconds(20));
        await Task.Delay(fault.Lasts / 2);
        await site.Postgres.StartAgainAsync();
    }

    async Task FreezePostgresAsync(Fault fault)
    {
        var family = Posix.Family(PostmasterPid());
        foreach (int pid in family) Posix.Signal(pid, Posix.Sigstop);
        await Task.Delay(fault.Lasts);
        foreach (int pid in family) Posix.Signal(pid, Posix.Sigcont);
    }

    int PostmasterPid() => int.Parse(File.ReadLines(Path.Combine(site.Postgres.DataFolder, "postmaster.pid")).First(), System.Globalization.CultureInfo.InvariantCulture);
}
