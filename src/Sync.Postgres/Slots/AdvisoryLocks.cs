using Npgsql;

namespace Sync.Postgres.Slots;

/// <summary>Who holds the advisory locks of a slot (PostgreSQL docs, "pg_locks").</summary>
static class AdvisoryLocks
{
    /// <summary>One of those who hold the lock; null when nobody does.</summary>
    /// <param name="connection">In the database that has the slot.</param>
    /// <param name="lockClass">First half of the lock's key; the second is the hash of the slot's name.</param>
    /// <param name="slot">Slot name.</param>
    /// <param name="ct">Ends the question.</param>
    public static async Task<SlotHolder?> HolderAsync(NpgsqlConnection connection, int lockClass, string slot, CancellationToken ct)
    {
        await using var command = new NpgsqlCommand("""
            select a.pid, a.application_name, host(a.client_addr), a.usename::text
            from pg_locks l join pg_stat_activity a using (pid)
            where l.locktype = 'advisory' and l.granted and l.classid = $1::int::oid and l.objid = (hashtext($2)::bigint & 4294967295)::oid
              and l.database = (select oid from pg_database where datname = current_database())
            limit 1
            """, connection);
        command.Parameters.AddWithValue(lockClass);
        command.Parameters.AddWithValue(slot);
        await using var row = await command.ExecuteReaderAsync(ct);
        if (!await row.ReadAsync(ct)) return null;
        string? Text(int column) => row.IsDBNull(column) ? null : row.GetString(column);
        return new SlotHolder(row.GetInt32(0), Text(1), Text(2), Text(3));
    }
}
