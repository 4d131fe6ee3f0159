using System.Globalization;
using Npgsql;
using Sync.Contracts;
using Sync.Postgres.Connections;

namespace Sync.Postgres.Settings;

/// <summary>
/// What was decided at the first start and must not change for the life of a slot, kept beside it: the table <c>actorsync.settings</c> in the database that is followed.
/// Redis may be lost and filled again; this may not depend on it.
/// </summary>
public sealed class SlotSettings(PostgresPrimary primary)
{
    const int mostRaces = 5;

    /// <summary>The number of lanes the slot has: what was recorded, or, at the first start, what is asked for, which is recorded.</summary>
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
        for (int race = 1; ; race++)
        {
            try
            {
                if (await ReadAsync(slot, name, cancellationToken) is { } known) return known;
                await using var command = primary.DataSource.CreateCommand("insert into actorsync.settings(slot, name, value) values ($1, $2, $3) on conflict do nothing");
                foreach (string text in (string[])[slot, name, value]) command.Parameters.AddWithValue(text);
                await command.ExecuteNonQueryAsync(cancellationToken);
            }
            catch (PostgresException e) when (e.SqlState is PostgresErrorCodes.UndefinedTable or PostgresErrorCodes.InvalidSchemaName && race == 1)
            {
                await CreateAsync(cancellationToken);
            }
            catch (PostgresException e) when (e.SqlState is PostgresErrorCodes.UndefinedTable or PostgresErrorCodes.InvalidSchemaName or PostgresErrorCodes.InsufficientPrivilege)
            {
                throw new SyncException(ExitCode.Schema,
                    $"The table actorsync.settings in database '{primary.Options.Database}' can't be used ({e.MessageText}); "
                    + $"let the user make it (GRANT CREATE ON DATABASE), or make it: CREATE SCHEMA actorsync; {table}; GRANT SELECT, INSERT on both to the user.", e);
            }
            catch (Exception e) when (e is NpgsqlException && (e is not PostgresException || race == mostRaces))
            {
                throw primary.Describe(e);
            }
        }
    }

    const string table = "CREATE TABLE actorsync.settings(slot text, name text, value text NOT NULL, PRIMARY KEY (slot, name))";

    /// <summary>Two nodes may do it at once; whoever is second finds it there.</summary>
    async Task CreateAsync(CancellationToken cancellationToken)
    {
        foreach (string statement in (string[])["CREATE SCHEMA IF NOT EXISTS actorsync", table.Replace("TABLE ", "TABLE IF NOT EXISTS ", StringComparison.Ordinal)])
        {
            try
            {
                await using var command = primary.DataSource.CreateCommand(statement);
                await command.ExecuteNonQueryAsync(cancellationToken);
            }
            catch (PostgresException e) when (e.SqlState is PostgresErrorCodes.UniqueViolation or PostgresErrorCodes.DuplicateSchema or PostgresErrorCodes.DuplicateTable
                or PostgresErrorCodes.DuplicateObject or PostgresErrorCodes.InsufficientPrivilege)
            {
                // Made by somebody else in this moment, or perhaps long ago by an administrator: using it will tell.
            }
        }
    }

    async Task<string?> ReadAsync(string slot, string name, CancellationToken cancellationToken)
    {
        await using var command = primary.DataSource.CreateCommand("select value from actorsync.settings where slot = $1 and name = $2");
        command.Parameters.AddWithValue(slot);
        command.Parameters.AddWithValue(name);
        return await command.ExecuteScalarAsync(cancellationToken) as string;
    }
}
