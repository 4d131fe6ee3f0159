using Npgsql;
using Sync.Contracts;
using Sync.Postgres.Connections;

namespace Sync.Postgres.Slots;

/// <summary>
/// The sign that a node is a member of the cluster that works for a slot: a session-level advisory lock that all members share (PostgreSQL docs, "Advisory Locks"). Whoever starts
/// sees by it that there are others to join, also in the moments between two readers, when nobody has the <see cref="SlotLease"/>.
/// </summary>
public sealed class MemberLock : IAsyncDisposable
{
    /// <summary>First half of the lock's key: "ASYM" in ASCII; the second is a hash of the slot's name.</summary>
    const int LockClass = 0x4153594D;

    readonly LiveSession session;

    MemberLock(LiveSession session) => this.session = session;

    /// <summary>Ends when PostgreSQL has been found to have ended the session, so that the sign has to be given anew.</summary>
    public Task Lost => session.Ended;

    /// <param name="primary">The server that has the slot.</param>
    /// <param name="slot">Slot name.</param>
    /// <param name="ct">Ends the attempt.</param>
    /// <exception cref="SyncException">PostgreSQL can't be reached.</exception>
    public static async Task<MemberLock> TakeAsync(PostgresPrimary primary, string slot, CancellationToken ct)
    {
        var connection = await primary.OpenAsync(ct);
        try
        {
            await using var command = new NpgsqlCommand("select pg_advisory_lock_shared($1, hashtext($2))", connection);
            command.Parameters.AddWithValue(LockClass);
            command.Parameters.AddWithValue(slot);
            await command.ExecuteNonQueryAsync(ct);
            return new MemberLock(new LiveSession(connection));
        }
        catch (Exception e)
        {
            await connection.DisposeAsync();
            if (e is OperationCanceledException) throw;
            throw primary.Describe(e);
        }
    }

    /// <summary>Whether any node gives the sign now.</summary>
    /// <exception cref="SyncException">PostgreSQL can't be asked.</exception>
    public static async Task<bool> IsAnyAsync(PostgresPrimary primary, string slot, CancellationToken ct)
    {
        await using var connection = await primary.OpenAsync(ct);
        try
        {
            return await AdvisoryLocks.HolderAsync(connection, LockClass, slot, ct) is not null;
        }
        catch (NpgsqlException e)
        {
            throw primary.Describe(e);
        }
    }

    public ValueTask DisposeAsync() => session.DisposeAsync();
}
