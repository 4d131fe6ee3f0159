using System.Globalization;
using Npgsql;
using Sync.Contracts;
using Sync.Postgres.Connections;

namespace Sync.Postgres.Leases;

/// <summary>
/// What was decided at the first start and must not change for the life of a slot, kept beside it: the table <c>actorsync.settings</c> in the database that is followed.
/// Redis may be lost and filled again; this may not depend on it.
/// </summary>
public sealed class SlotSettings(PostgresPrimary primary)
{
    /// <summary>Records the number of lanes at the first start, and ensures that it stays what it was.</summary>
    /// <param name="slot">Slot name.</param>
    /// <param name="lanes">What the configuration says.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="SyncException">Another number was recorded, or the table can't be used.</exception>
    public async Task FixLanesAsync(string slot, int lanes, CancellationToken cancellationToken)
    {
        string wanted = lanes.ToString(CultureInfo.InvariantCulture);
        string recorded = await FixAsync(slot, "lanes", wanted, cancellationToken);
        if (recorded != wanted)
            throw new SyncException(ExitCode.Configuration,
                $"cluster.lanes is {wanted}, but slot '{slot}' has had {recorded} lanes since its first start, and keys keep their order only with the same number; set it to {recorded}.");
    }

    async Task<string> FixAsync(string slot, string name, string value, CancellationToken cancellationToken)
    {
        await ClusterSchema.EnsureAsync(primary, cancellationToken);
        try
        {
            // Of two nodes that come at once the second one waits for the first one's row; reading is a question of its own, which sees it.
            await using (var insert = primary.DataSource.CreateCommand("insert into actorsync.settings(slot, name, value) values ($1, $2, $3) on conflict do nothing"))
            {
                foreach (string text in (string[])[slot, name, value]) insert.Parameters.AddWithValue(text);
                await insert.ExecuteNonQueryAsync(cancellationToken);
            }
            await using var read = primary.DataSource.CreateCommand("select value from actorsync.settings where slot = $1 and name = $2");
            read.Parameters.AddWithValue(slot);
            read.Parameters.AddWithValue(name);
            return (string)(await read.ExecuteScalarAsync(cancellationToken))!;
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.InsufficientPrivilege)
        {
            throw new SyncException(ExitCode.Schema,
                $"User {primary.Options.User} may not use the table actorsync.settings that a cluster keeps its state in ({e.MessageText}): run GRANT USAGE ON SCHEMA actorsync and GRANT SELECT, INSERT ON actorsync.settings to that user.", e);
        }
        catch (NpgsqlException e)
        {
            throw primary.Describe(e);
        }
    }
}
