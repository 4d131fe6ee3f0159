using Npgsql;
using Sync.Contracts;
using Sync.Postgres.Connections;

namespace Sync.Postgres.Leases;

/// <summary>
/// The schema <c>actorsync</c> on the source, which holds what has to outlive the cluster: the lease of its downing, what was fixed at its first start, and the journal of its operators' commands
/// (whose tables Akka.Persistence.Sql makes). None of its tables may be published.
/// </summary>
public static class ClusterSchema
{
    /// <summary>Its name.</summary>
    public const string Name = "actorsync";

    // Two nodes that start at once would both find nothing, and the second one fails on the catalog's own index: so one after the other. CREATE SCHEMA IF NOT
    // EXISTS needs the right to create one even where it exists.
    const string ensure = """
        select pg_advisory_xact_lock(1095981390, 1);
        do $$ begin if to_regnamespace('actorsync') is null then create schema actorsync; end if; end $$;
        create table if not exists actorsync.leases (
            name text primary key,
            owner text not null,
            fence bigint not null,
            renewals bigint not null,
            expires timestamptz not null
        );
        create table if not exists actorsync.settings (
            slot text,
            name text,
            value text not null,
            primary key (slot, name)
        );
        """;

    /// <summary>Whether all of it is there.</summary>
    /// <exception cref="SyncException">PostgreSQL can't be asked.</exception>
    public static async Task<bool> ExistsAsync(PostgresPrimary server, CancellationToken cancellationToken)
    {
        try
        {
            await using var look = server.DataSource.CreateCommand("select to_regclass('actorsync.leases') is not null and to_regclass('actorsync.settings') is not null");
            return await look.ExecuteScalarAsync(cancellationToken) is true;
        }
        catch (NpgsqlException e)
        {
            throw server.Describe(e);
        }
    }

    /// <summary>Makes the schema and its tables if they are missing.</summary>
    /// <exception cref="SyncException">PostgreSQL can't be reached, or the user may not create them.</exception>
    public static async Task EnsureAsync(PostgresPrimary server, CancellationToken cancellationToken)
    {
        try
        {
            // An existing schema may belong to somebody else, so the rights to create are only needed where something is missing.
            if (await ExistsAsync(server, cancellationToken)) return;
            await using var connection = await server.DataSource.OpenConnectionAsync(cancellationToken);
            await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
            await using var command = new NpgsqlCommand(ensure, connection, transaction);
            await command.ExecuteNonQueryAsync(cancellationToken);
            await transaction.CommitAsync(cancellationToken);
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.InsufficientPrivilege)
        {
            string user = Sql.Identifier(server.Options.User);
            throw new SyncException(ExitCode.Schema,
                $"User {server.Options.User} may not make the schema {Name} that a cluster keeps its state in: run CREATE SCHEMA {Name} AUTHORIZATION {user}.", e);
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            throw server.Describe(e);
        }
    }
}
