using System.Collections.Concurrent;
using System.Globalization;
using Npgsql;
using NpgsqlTypes;

namespace Sync.Postgres.Connections;

/// <summary>Ids of the server's processes that were begun for us; those that have ended are forgotten by <see cref="WaitWatch"/>. Thread-safe.</summary>
sealed class OwnSessions
{
    readonly ConcurrentDictionary<int, bool> processes = new();

    public void Add(int process) => processes[process] = true;

    public void Remove(int process) => processes.TryRemove(process, out _);

    public int[] ToArray() => [.. processes.Keys];
}

/// <summary>
/// Says for whom our sessions wait. They wait for locks and for the end of transactions as long as it takes: to create a slot, PostgreSQL itself waits until every transaction that
/// is under way has ended. The watch asks the server every few seconds (PostgreSQL docs, pg_blocking_pids), so that no such wait is a silent one.
/// </summary>
public sealed class WaitWatch : IAsyncDisposable
{
    static readonly TimeSpan look = TimeSpan.FromSeconds(3), reminder = TimeSpan.FromSeconds(30);

    /// <summary>A server that does not answer the watch for so long does not answer anything.</summary>
    const int silenceSeconds = 20;

    readonly PostgresPrimary primary;
    readonly Action<string> onWaiting;
    readonly TimeProvider time;
    readonly CancellationTokenSource ending = new(), silent = new();
    readonly Task work;

    WaitWatch(PostgresPrimary primary, Action<string> onWaiting, TimeProvider time)
    {
        (this.primary, this.onWaiting, this.time) = (primary, onWaiting, time);
        work = RunAsync();
    }

    /// <summary>Cancelled when the server does not answer any more: what waits for it should be given up.</summary>
    public CancellationToken Silent => silent.Token;

    /// <summary>Begins to watch; disposing ends it.</summary>
    /// <param name="primary">The server.</param>
    /// <param name="onWaiting">Told for whom one of our sessions waits: soon after it began, whenever that changes, and every 30 s. Told an empty text when the wait is over.</param>
    /// <param name="time">Clock.</param>
    public static WaitWatch Start(PostgresPrimary primary, Action<string> onWaiting, TimeProvider time) => new(primary, onWaiting, time);

    async Task RunAsync()
    {
        string seen = "", told = "";
        long toldAt = 0;
        try
        {
            using var timer = new PeriodicTimer(look, time);
            while (await timer.WaitForNextTickAsync(ending.Token).ConfigureAwait(false))
            {
                // What is seen once may be over in a moment.
                string before = seen;
                seen = await LookAsync(ending.Token).ConfigureAwait(false);
                bool isDue = seen != told || time.GetElapsedTime(toldAt) >= reminder;
                if (seen.Length == 0 ? told.Length == 0 : seen != before || !isDue) continue;
                (told, toldAt) = (seen, time.GetTimestamp());
                onWaiting(seen.Length == 0 ? "" : $"PostgreSQL at {primary.Address} makes us wait for {seen}; the node goes on as soon as that ends.");
            }
        }
        catch (NpgsqlException e) when (e.InnerException is TimeoutException)
        {
            await silent.CancelAsync().ConfigureAwait(false);
        }
        catch (Exception e) when (e is NpgsqlException or Contracts.SyncException or InvalidOperationException or ObjectDisposedException or OperationCanceledException)
        {
            // It was ended, or PostgreSQL is lost, which those who wait notice.
        }
        finally
        {
            if (told.Length > 0) onWaiting("");
        }
    }

    /// <summary>Those who keep our sessions waiting, in words; empty when nobody does.</summary>
    async Task<string> LookAsync(CancellationToken cancellationToken)
    {
        int[] ours = primary.Sessions.ToArray();
        await using var command = primary.DataSource.CreateCommand("""
            select w.pid, b.pid, a.usename::text, nullif(a.application_name, ''), host(a.client_addr), a.state, coalesce(a.xact_start, a.state_change),
                   case when b.pid = 0 then (select min(gid) from pg_prepared_xacts) end
            from pg_stat_activity w
            left join lateral unnest(pg_blocking_pids(w.pid)) b (pid) on true
            left join pg_stat_activity a on a.pid = b.pid
            where w.pid = any($1) and w.application_name = $2
            order by b.pid
            """);
        command.CommandTimeout = silenceSeconds;
        command.Parameters.Add(new NpgsqlParameter { Value = ours, NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Integer });
        command.Parameters.AddWithValue(PostgresConnector.ApplicationName);
        var alive = new HashSet<int>();
        var blockers = new SortedDictionary<int, string>();
        await using (var row = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false))
            while (await row.ReadAsync(cancellationToken).ConfigureAwait(false))
            {
                alive.Add(row.GetInt32(0));
                if (!row.IsDBNull(1)) blockers[row.GetInt32(1)] = Words(row);
            }
        foreach (int process in ours)
            if (!alive.Contains(process)) primary.Sessions.Remove(process);
        return string.Join(", and for ", blockers.Values);
    }

    // Of sessions of other users only pg_read_all_stats shows more than user and application.
    static string Words(NpgsqlDataReader row)
    {
        string Text(int column, string before, string after = "") => row.IsDBNull(column) ? "" : $"{before}{row.GetString(column)}{after}";
        int process = row.GetInt32(1);
        if (process == 0) return $"the prepared transaction{Text(7, " ")} (pg_prepared_xacts; COMMIT PREPARED or ROLLBACK PREPARED ends it)";
        string since = row.IsDBNull(6) ? "" : string.Create(CultureInfo.InvariantCulture, $" since {row.GetDateTime(6):yyyy-MM-dd HH:mm:ss} UTC");
        return $"process {process}{Text(2, " of user ")}{Text(3, " (", ")")}{Text(4, " from ")}{Text(5, ", ")}{since} (SELECT pg_terminate_backend({process}) ends it)";
    }

    public async ValueTask DisposeAsync()
    {
        await ending.CancelAsync().ConfigureAwait(false);
        await work.ConfigureAwait(false);
        ending.Dispose();
        silent.Dispose();
    }
}
