using System.Diagnostics;
using Npgsql;
using Sync.Load.Measuring;
using Sync.Load.Workloads;

namespace Sync.Load.Contestants;

/// <summary>
/// LISTEN/NOTIFY: a trigger sends every row, a Python program sets it with SETEX. There is no backlog to drain, for who does not listen misses
/// it; so the changes are made once more, in a database of their own, while it listens, and the clock runs from their begin.
/// </summary>
sealed class NotifyContestant : PeerContestant
{
    const string database = "notify";
    const int mostRows = 100_000;

    public override string Name => "LISTEN/NOTIFY";

    public override string? Plugin => null;

    public override string? LeftOut(Stage stage, Workload workload) =>
        base.LeftOut(stage, workload) ?? (PythonContestant.HasLibraries ? null : "psycopg2 and redis-py could not be had");

    public override ProcessStartInfo Start(Drain drain) => With(PythonContestant.Script("notify.py"), drain.Stage, drain.Workload, drain.Slot);

    public override async Task<DrainResult> MeasureAsync(Stage stage, Backlog backlog)
    {
        // A command and a round trip for every row: more rows take longer and say the same.
        var workload = Workload.Named(backlog.Workload.Name, Math.Min(backlog.Workload.Rows, mostRows));
        await stage.RedisClient.CommandAsync("FLUSHALL", "SYNC");
        await stage.ExecuteAsync($"create database {database}");
        try
        {
            foreach (string statement in (string[])[.. workload.Schema, .. Trigger(workload.Simple!.Name)]) await stage.ExecuteAsync(statement, database);
            return await MeasureAsync(stage, workload);
        }
        finally
        {
            await stage.ExecuteAsync($"drop database {database} with (force)");
        }
    }

    async Task<DrainResult> MeasureAsync(Stage stage, Workload workload)
    {
        using var patience = new CancellationTokenSource(DrainRun.Longest);
        using var process = ContestantProcess.Start(With(PythonContestant.Script("notify.py"), stage, workload, ""));
        await using var control = await stage.Postgres.OpenAsync();
        int listener = await ListenerAsync(control, process, patience.Token);
        var clock = Stopwatch.StartNew();
        using var usage = new UsageSampler(listener, stage.RedisPid, process.Id);
        var finished = process.FinishLineAsync(patience.Token);
        foreach (string statement in workload.Changes) await stage.ExecuteAsync(statement, database);
        await finished;
        var elapsed = clock.Elapsed;
        usage.Stop();
        await process.EndAsync(patience.Token);
        return DrainRun.Result(Name, workload, elapsed, usage, null, await KeysMissingAsync(stage, workload));
    }

    static async Task<string?> KeysMissingAsync(Stage stage, Workload workload)
    {
        long keys = (long)(await stage.RedisClient.CommandAsync("DBSIZE"))!, wanted = await stage.Postgres.ScalarAsync<long>(workload.KeyCount, database);
        return keys == wanted ? null : $"Redis holds {keys} keys instead of {wanted}";
    }

    static async Task<int> ListenerAsync(NpgsqlConnection control, ContestantProcess process, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand($"select pid from pg_stat_activity where datname = '{database}' and query ilike 'listen %' and state = 'idle'", control);
        while (true)
        {
            if (await command.ExecuteScalarAsync(cancellationToken) is int pid) return pid;
            if (process.HasExited) throw process.Failed();
            await Task.Delay(5, cancellationToken);
        }
    }

    static string[] Trigger(string table) =>
    [
        """
        create function tell() returns trigger language plpgsql as $$ begin
          perform pg_notify('rows', case when TG_OP = 'DELETE' then jsonb_build_object('op', 'D', 'id', OLD.id) else jsonb_build_object('op', 'U', 'id', NEW.id, 'row', to_jsonb(NEW)) end::text);
          return null;
        end $$
        """,
        $"create trigger tell after insert or update or delete on {table} for each row execute function tell()",
    ];
}
