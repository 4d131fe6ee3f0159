using Npgsql;
using Sync.Contracts;
using Sync.Postgres.Connections;

namespace Sync.Postgres.Slots;

/// <summary>
/// The right to work for a slot, held as a session-level advisory lock (PostgreSQL docs, "Advisory Locks"). PostgreSQL itself lets only one
/// process stream from a slot; this covers what happens before streaming as well, such as the copy of the tables, so that two nodes
/// started at once don't both do it. Whoever comes second is a hot standby: the lock falls to it as soon as the holder's session ends.
/// <para>A holder that stands still, or is cut off, loses it after the silence of its <see cref="LiveSession"/>. It is told nothing; once it is awake it finds its stream ended by whoever has
/// the lease then.</para>
/// </summary>
public sealed class SlotLease : IAsyncDisposable
{
    /// <summary>First half of the lock's key: "ASYN" in ASCII; the second is a hash of the slot's name.</summary>
    const int LockClass = 0x4153594E;

    static readonly TimeSpan firstDelay = TimeSpan.FromMilliseconds(100);
    static readonly TimeSpan maxDelay = TimeSpan.FromSeconds(1);

    readonly LiveSession session;

    SlotLease(NpgsqlConnection connection) => session = new LiveSession(connection);

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

    static async Task<bool> TryLockAsync(NpgsqlConnection connection, string slot, CancellationToken ct)
    {
        await using var command = new NpgsqlCommand("select pg_try_advisory_lock($1, hashtext($2))", connection);
        command.Parameters.AddWithValue(LockClass);
        command.Parameters.AddWithValue(slot);
        return (bool)(await command.ExecuteScalarAsync(ct))!;
    }

    static Task<SlotHolder?> HolderAsync(NpgsqlConnection connection, string slot, CancellationToken ct) => AdvisoryLocks.HolderAsync(connection, LockClass, slot, ct);

    /// <summary>Gives the lease up.</summary>
    public ValueTask DisposeAsync() => session.DisposeAsync();
}
