using Npgsql;
using Sync.Contracts;
using Sync.Postgres.Connections;

namespace Sync.Postgres.Snapshots;

/// <summary>Why a table could not be copied, as a sentence a user can act on.</summary>
static class SnapshotErrors
{
    public static SyncException Describe(SnapshotTarget target, Exception error, TimeSpan? queryTimeout, PostgresPrimary primary)
    {
        string table = target.Relation.FullName;
        return error switch
        {
            SyncException already => already,
            CopyTextException => new SyncException(ExitCode.Internal, $"Table {table} arrived in an unexpected form: {error.Message}", error),
            PostgresException { SqlState: PostgresErrorCodes.QueryCanceled } when queryTimeout is { } timeout =>
                new SyncException(ExitCode.Schema,
                    $"Reading {table} took longer than {timeout.TotalSeconds:0.###} s:"
                    + " raise snapshot.queryTimeout, or leave the table out of the snapshot.", error),
            PostgresException { SqlState: PostgresErrorCodes.InsufficientPrivilege } denied =>
                new SyncException(ExitCode.Schema,
                    $"Table {table} can't be copied: {denied.MessageText}."
                    + $" Run GRANT SELECT ON {Sql.Identifier(target.Relation.Schema, target.Relation.Name)} TO {Sql.Identifier(primary.Options.User)}.", error),
            PostgresException { SqlState: PostgresErrorCodes.UndefinedTable } =>
                new SyncException(ExitCode.Schema, $"Table {table} does not exist any more: remove it from the configuration.", error),
            PostgresException { SqlState: PostgresErrorCodes.CharacterNotInRepertoire or PostgresErrorCodes.UntranslatableCharacter } unsendable =>
                new SyncException(ExitCode.Encoding, $"Table {table} can't be copied: {unsendable.MessageText}. {PostgresErrors.EncodingWayOut}", error),
            PostgresException refused when target.Query is { } query && refused.SqlState[..2] is "42" or "22" or "21" =>
                new SyncException(ExitCode.Configuration,
                    $"PostgreSQL refuses the snapshot query of {table}: {refused.MessageText}. The query is: {query}", error),
            PostgresException refused =>
                new SyncException(ExitCode.Schema, $"Table {table} can't be copied ({refused.SqlState}): {refused.MessageText}.", error),
            _ => new SyncException(ExitCode.PostgresUnreachable, $"Table {table} could not be read to its end: {PostgresErrors.Cause(error)}.", error),
        };
    }

    /// <summary>
    /// Other sessions with an older snapshot see a rewritten table as empty (PostgreSQL docs, "MVCC Caveats"), so that
    /// copying it would look like success.
    /// </summary>
    public static SyncException Rewritten(SnapshotTarget target) => new(ExitCode.Schema,
        $"Table {target.Relation.FullName} was truncated or rewritten in the moment the snapshot began: copy it again with a new snapshot.");
}
