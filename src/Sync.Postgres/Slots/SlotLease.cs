using System.Globalization;
using Npgsql;
using Sync.Contracts;
using Sync.Postgres.Connections;

namespace Sync.Postgres.Slots;

/// <summary>
/// The right to work for a slot, held as a session-level advisory lock (PostgreSQL docs, "Advisory Locks"). PostgreSQL itself lets only one
/// process stream from a slot; this covers what happens before streaming as well, such as the copy of the tables, so that two nodes
/// started at once don't both do it. Whoever comes second is a hot standby: the lock falls to it as soon as the holder's session ends.
/// <para>The session gives a sign of life every <see cref="signOfLife"/>, and PostgreSQL ends it after <see cref="silence"/> without (14 and later): a holder that stands still, or
/// is cut off, keeps the slot from the others for no longer than that. It is told nothing; once it is awake it finds its stream ended by whoever has the lease then.</para>
/// </summary>
public sealed class SlotLease : IAsyncDisposable
{
    /// <summary>First half of the lock's key: "ASYN" in ASCII; the second is a hash of the slot's name.</summary>
    const int LockClass = 0x4153594E;

    static readonly TimeSpan firstDelay = TimeSpan.FromMilliseconds(100);
    static readonly TimeSpan maxDelay = TimeSpan.FromSeconds(1);

    static readonly TimeSpan signOfLife = TimeSpan.FromSeconds(2), silence = TimeSpan.FromSeconds(8);

    readonly NpgsqlConnection connection;
    readonly CancellationTokenSource ending = new();
    readonly Task living;

    SlotLease(NpgsqlConnection connection)
    {
        this.connection = connection;
        living = connection.PostgreSqlVersion.Major >= 14 ? LiveAsync() : Task.CompletedTask;
    }

    /// <summary>Waits for the lease.</summary>
    /// <param name="primary">The server that has the slot.</param>
    /// <param name="slot">Slot name.</param>
    /// <param name="onWaiting">Told who holds it, once per holder.</param>
    /// <param name="time">Clock of the wait.</param>
    /// <param name="ct">Ends the wait.</param>
    public static async Task<SlotLease> AcquireAsync(
        PostgresPrimary primary, string slot, Action<SlotHolder?> onWaiting, TimeProvider time, CancellationToken ct)
    {
        var connection = await primary.OpenAsync(ct);
        try
        {
            int? told = null;
            for (var delay = firstDelay; !await TryLockAsync(connection, slot, ct); delay = delay * 2 < maxDelay ? delay * 2 : maxDelay)
            {
                var holder = await HolderAsync(connection, slot, ct);
                if (told is null || told != (holder?.Pid ?? 0))
                {
                    onWaiting(holder);
                    told = holder?.Pid ?? 0;
                }
                await Task.Delay(delay, time, ct);
            }
            return new SlotLease(connection);
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }
    }

    /// <summary>Whether anybody has the lease now.</summary>
    /// <exception cref="SyncException">PostgreSQL can't be asked.</exception>
    public static async Task<bool> IsHeldAsync(PostgresPrimary primary, string slot, CancellationToken ct)
    {
        await using var connection = await primary.OpenAsync(ct);
        try
        {
            return await HolderAsync(connection, slot, ct) is not null;
        }
        catch (NpgsqlException e)
        {
            throw primary.Describe(e);
        }
    }

    async Task LiveAsync()
    {
        try
        {
            await ExecuteAsync(string.Create(CultureInfo.InvariantCulture, $"set idle_session_timeout = {(int)silence.TotalMilliseconds}"));
            // In the time of PostgreSQL, whatever the clock of the wait.
            using var timer = new PeriodicTimer(signOfLife);
            while (await timer.WaitForNextTickAsync(ending.Token)) await ExecuteAsync("select 1");
        }
        catch (Exception e) when (e is NpgsqlException or InvalidOperationException or ObjectDisposedException or OperationCanceledException)
        {
            // Given up; or the session is gone and the lease with it, which whoever takes it lets the holder feel.
        }
    }

    async Task ExecuteAsync(string sql)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync(ending.Token);
    }

    static async Task<bool> TryLockAsync(NpgsqlConnection connection, string slot, CancellationToken ct)
    {
        await using var command = new NpgsqlCommand("select pg_try_advisory_lock($1, hashtext($2))", connection);
        command.Parameters.AddWithValue(LockClass);
        command.Parameters.AddWithValue(slot);
        return (bool)(await command.ExecuteScalarAsync(ct))!;
    }

    static async Task<SlotHolder?> HolderAsync(NpgsqlConnection connection, string slot, CancellationToken ct)
    {
        await using var command = new NpgsqlCommand("""
            select a.pid, a.application_name, host(a.client_addr), a.usename::text
            from pg_locks l join pg_stat_activity a using (pid)
            where l.locktype = 'advisory' and l.granted and l.classid = $1::int::oid and l.objid = (hashtext($2)::bigint & 4294967295)::oid
              and l.database = (select oid from pg_database where datname = current_database())
            """, connection);
        command.Parameters.AddWithValue(LockClass);
        command.Parameters.AddWithValue(slot);
        await using var row = await command.ExecuteReaderAsync(ct);
        if (!await row.ReadAsync(ct)) return null;
        string? Text(int column) => row.IsDBNull(column) ? null : row.GetString(column);
        return new SlotHolder(row.GetInt32(0), Text(1), Text(2), Text(3));
    }

    /// <summary>Gives the lease up. The connection is closed for good, not pooled: a pooled one would keep the lock.</summary>
    public async ValueTask DisposeAsync()
    {
        await ending.CancelAsync();
        await living;
        ending.Dispose();
        try
        {
            await using var command = new NpgsqlCommand("select pg_advisory_unlock_all()", connection);
            await command.ExecuteNonQueryAsync();
        }
        catch (Exception e) when (e is NpgsqlException or InvalidOperationException or ObjectDisposedException)
        {
            // The session is gone, and the lock with it.
        }
        await connection.DisposeAsync();
    }
}
