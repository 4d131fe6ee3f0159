using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using Sync.Load.Contestants;
using Sync.Load.Hosting;
using Sync.Load.Measuring;
using Sync.Load.Workloads;
using Sync.Testing;

namespace Sync.Load.Snapshots;

/// <summary>Copies the table of the users workload into an empty Redis: our node with several numbers of workers, and PostgreSQL's and Redis' own programs.</summary>
sealed partial class SnapshotRun : IAsyncDisposable
{
    public static readonly IReadOnlyList<int> Workers = [1, 2, 4];

    const string slot = "copy";

    // Inline commands are what COPY can write: its text format would escape the line ends of RESP.
    const string copy = """
        copy (select format('HSET user:%s id %s name "%s" email %s status %s score %s balance %s created_at "%s" updated_at "%s"',
          id, id, name, email, status, score, balance, created_at, updated_at) from users) to stdout
        """;

    readonly Stage stage;
    readonly UsersWorkload workload;

    SnapshotRun(Stage stage, UsersWorkload workload)
    {
        this.stage = stage;
        this.workload = workload;
    }

    /// <summary>In the table.</summary>
    public int Rows => workload.Inserts;

    public static async Task<SnapshotRun> PrepareAsync(Stage stage, int rows)
    {
        var workload = new UsersWorkload(rows);
        foreach (string statement in workload.Schema) await stage.ExecuteAsync(statement);
        await stage.ExecuteAsync(workload.Changes[0]);
        await stage.ExecuteAsync("vacuum analyze users");
        await stage.ExecuteAsync("checkpoint");
        return new SnapshotRun(stage, workload);
    }

    /// <summary>Our node.</summary>
    public async Task<SnapshotResult> CopyAsync(int workers)
    {
        await stage.RedisClient.CommandAsync("FLUSHALL", "SYNC");
        using var folder = new Sandbox();
        var start = NodeContestant.StartCopy(stage, workload.Publication, slot, workload.Tables, folder.Path, Rows, workers);
        var result = await MeasureAsync($"actorsync, {workers} {(workers == 1 ? "worker" : "workers")}", start, async (process, patience) =>
        {
            var figures = JsonSerializer.Deserialize<CopyFigures>(await process.FinishLineAsync(patience))!;
            await process.EndAsync(patience);
            return figures;
        });
        await stage.ExecuteAsync($"select pg_drop_replication_slot('{slot}')");
        return result;
    }

    /// <summary>COPY … TO STDOUT piped to redis-cli --pipe.</summary>
    public async Task<SnapshotResult> PipeAsync()
    {
        string psql = Path.Combine(stage.PostgresPrograms, "psql");
        var start = Contestant.CommandLine(
            "sh", "-c", "\"$0\" -q -h 127.0.0.1 -p \"$1\" -U postgres -d postgres -c \"$2\" | redis-cli -h 127.0.0.1 -p \"$3\" --pipe && times",
            psql, $"{stage.Postgres.Port}", copy, $"{stage.Redis.Port}");
        await stage.RedisClient.CommandAsync("FLUSHALL", "SYNC");
        var clock = Stopwatch.StartNew();
        return await MeasureAsync("COPY to redis-cli --pipe", start, async (process, patience) =>
        {
            double cpu = ChildrenSeconds(await process.FinishAsync(patience));
            return new CopyFigures(clock.Elapsed.TotalSeconds, cpu);
        });
    }

    async Task<SnapshotResult> MeasureAsync(string name, ProcessStartInfo start, Func<ContestantProcess, CancellationToken, Task<CopyFigures>> wait)
    {
        using var patience = new CancellationTokenSource(DrainRun.Longest);
        ProcessUsage.TryRead(stage.RedisPid, out var redisBefore);
        ProcessUsage.TryRead(stage.PostmasterPid, out var postgresBefore);
        using var process = ContestantProcess.Start(start);
        var figures = await wait(process, patience.Token);
        await SessionsEndedAsync(patience.Token);
        ProcessUsage.TryRead(stage.RedisPid, out var redis);
        ProcessUsage.TryRead(stage.PostmasterPid, out var postgres);
        return new SnapshotResult
        {
            Contestant = name,
            Rows = Rows,
            Seconds = figures.Seconds,
            PostgresCpuSeconds = postgres.EndedChildrenCpuSeconds - postgresBefore.EndedChildrenCpuSeconds,
            RedisCpuSeconds = redis.CpuSeconds - redisBefore.CpuSeconds,
            ClientCpuSeconds = figures.CpuSeconds,
            Difference = await DifferenceAsync(),
        };
    }

    /// <summary>What a session has used is counted once the server has seen it end.</summary>
    async Task SessionsEndedAsync(CancellationToken cancellationToken)
    {
        const string others = "select count(*) from pg_stat_activity where backend_type in ('client backend', 'walsender') and pid <> pg_backend_pid()";
        while (await stage.Postgres.ScalarAsync<long>(others) > 0) await Task.Delay(10, cancellationToken);
    }

    async Task<string?> DifferenceAsync()
    {
        long own = ((object?[])(await stage.RedisClient.CommandAsync("KEYS", "actorsync:*"))!).Length;
        long keys = (long)(await stage.RedisClient.CommandAsync("DBSIZE"))! - own;
        if (keys != Rows) return $"Redis holds {keys} keys instead of {Rows}";
        string found = (string?)await stage.RedisClient.CommandAsync("HGET", $"user:{Rows}", "created_at") ?? "";
        string wanted = await stage.Postgres.ScalarAsync<string>($"select created_at::text from users where id = {Rows}") ?? "";
        return found == wanted ? null : $"user:{Rows} has '{found}' instead of '{wanted}'";
    }

    /// <summary>The second line of the shell's <c>times</c> (POSIX, "times"): user and system time of its children.</summary>
    static double ChildrenSeconds(string output)
    {
        string last = output.Split('\n', StringSplitOptions.RemoveEmptyEntries)[^1];
        return Time().Matches(last).Sum(m =>
            60 * double.Parse(m.Groups[1].Value, CultureInfo.InvariantCulture) + double.Parse(m.Groups[2].Value, CultureInfo.InvariantCulture));
    }

    [GeneratedRegex(@"(\d+)m([\d.]+)s")]
    private static partial Regex Time();

    public async ValueTask DisposeAsync()
    {
        await stage.ExecuteAsync($"drop publication {workload.Publication}");
        await stage.ExecuteAsync("drop table users");
    }
}
