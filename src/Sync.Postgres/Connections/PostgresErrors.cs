using System.Net.Sockets;
using System.Security.Authentication;
using Npgsql;
using Sync.Contracts;
using Sync.Contracts.Configuration;
using Sync.Engine.Retry;
using Sync.Postgres.Streaming;

namespace Sync.Postgres.Connections;

/// <summary>
/// The one place where PostgreSQL's errors are judged (PostgreSQL docs, appendix "PostgreSQL Error Codes"). Reading the
/// WAL knows no poison: an error concerns the connection or everything, never a single row.
/// </summary>
public static class PostgresErrors
{
    /// <summary>Transient: connecting again, perhaps to another host, can help. Fatal: somebody has to act.</summary>
    public static FailureClass Classify(Exception error) => error switch
    {
        SyncException sync => sync.Code == ExitCode.PostgresUnreachable ? FailureClass.Transient : FailureClass.Fatal,
        // "Recovery is in progress": the server is a standby now.
        PostgresException { SqlState: PostgresErrorCodes.ObjectNotInPrerequisiteState, File: "xlogfuncs.c" } => FailureClass.Transient,
        PostgresException postgres when IsPooler(postgres) => FailureClass.Fatal,
        PostgresException postgres => Classify(postgres.SqlState),
        ReplicationStreamException stream => stream.Class,
        NpgsqlException when IsTls(error) || IsPasswordMissing(error) => FailureClass.Fatal,
        NpgsqlException or IOException or SocketException or TimeoutException => FailureClass.Transient,
        _ => FailureClass.Fatal,
    };

    static FailureClass Classify(string sqlState) => sqlState switch
    {
        // No slot left, and the database we live in was dropped: their classes pass, these don't.
        "53400" or "57P04" => FailureClass.Fatal,
        // A read-only server was the primary a moment ago; lock_not_available; object_in_use is a slot that another process holds.
        "25006" or PostgresErrorCodes.LockNotAvailable or PostgresErrorCodes.ObjectInUse or PostgresErrorCodes.InternalError => FailureClass.Transient,
        _ => sqlState[..2] switch
        {
            "08" or "40" or "53" or "57" => FailureClass.Transient,
            _ => FailureClass.Fatal,
        },
    };

    /// <summary>One sentence a user can act on, with the exit code of its class.</summary>
    /// <param name="error">What the driver threw; a <see cref="SyncException"/> is returned as it is.</param>
    /// <param name="address">The server it happened at.</param>
    /// <param name="conn">For the names of user and database.</param>
    public static SyncException ToSyncException(Exception error, HostPort address, PostgresConnectionOptions conn)
    {
        if (error is SyncException already) return already;
        if (error is ReplicationStreamException { InnerException: { } cause }) return ToSyncException(cause, address, conn);
        var (code, message) = error switch
        {
            PostgresException postgres => Describe(postgres, address, conn),
            _ when IsTls(error) => (ExitCode.Tls,
                $"No trusted TLS connection to PostgreSQL at {address}: {Cause(error)}. Check postgres.conn.tls and the server's certificate."),
            _ when IsPasswordMissing(error) => (ExitCode.PostgresAuthentication,
                $"PostgreSQL at {address} wants a password of user {conn.User}: set postgres.conn.password."),
            _ when Classify(error) == FailureClass.Transient => Unreachable(error, address),
            _ => (ExitCode.Internal, $"Unexpected failure while talking to PostgreSQL at {address}: {error.Message}"),
        };
        return new SyncException(code, message, error);
    }

    /// <summary>
    /// Whether not PostgreSQL answers but a pooler in front of it that does not speak what we need: PgBouncer refuses settings of the session, or a replication connection, as a start-up
    /// parameter; RDS Proxy has a sentence of its own; one that drops the parameter hands the replication command to an ordinary session, which can't read it. Poolers say it in English.
    /// </summary>
    static bool IsPooler(PostgresException error) => error.SqlState switch
    {
        PostgresErrorCodes.ProtocolViolation => error.MessageText.Contains("startup parameter", StringComparison.OrdinalIgnoreCase),
        PostgresErrorCodes.FeatureNotSupported => error.MessageText.Contains("RDS Proxy", StringComparison.OrdinalIgnoreCase),
        PostgresErrorCodes.SyntaxError => replicationCommands.Any(c => error.MessageText.Contains($"\"{c}\"", StringComparison.Ordinal)),
        _ => false,
    };

    static readonly string[] replicationCommands = ["START_REPLICATION", "CREATE_REPLICATION_SLOT", "IDENTIFY_SYSTEM"];

    // Messages come in the server's language; the names of source files and routines that come with them don't.
    static (ExitCode, string) Describe(PostgresException error, HostPort address, PostgresConnectionOptions conn) => error.SqlState switch
    {
        _ when IsPooler(error) => (ExitCode.PostgresUnsuitable,
            $"A connection pooler answers at {address} in place of PostgreSQL ({error.MessageText.TrimEnd('.')}): connect directly, not through a pooler."
                + " Name the address of PostgreSQL itself in postgres.conn.host and port."),
        PostgresErrorCodes.CharacterNotInRepertoire or PostgresErrorCodes.UntranslatableCharacter => (ExitCode.Encoding,
            $"PostgreSQL at {address} can't send a value: {Sentence(error)} {EncodingWayOut}"),
        PostgresErrorCodes.InvalidPassword => (ExitCode.PostgresAuthentication,
            $"PostgreSQL at {address} refuses the password of user {conn.User}: correct postgres.conn.password."),
        PostgresErrorCodes.InvalidAuthorizationSpecification => (ExitCode.PostgresAuthentication,
            $"PostgreSQL at {address} refuses user {conn.User}: {Sentence(error)} Check postgres.conn.user, the role's LOGIN and REPLICATION"
                + " attributes, and pg_hba.conf."),
        PostgresErrorCodes.InvalidCatalogName => (ExitCode.Configuration,
            $"Database {conn.Database} does not exist on {address}: create it or correct postgres.conn.database."),
        // With row_security = off PostgreSQL refuses what a policy would change.
        PostgresErrorCodes.InsufficientPrivilege when error.Routine == "check_enable_rls" => (ExitCode.Schema,
            $"Row-level security hides rows from user {conn.User} on {address}: {Sentence(error)} Run ALTER ROLE {Sql.Identifier(conn.User)} BYPASSRLS;"
                + " for the owner of the table, ALTER TABLE … NO FORCE ROW LEVEL SECURITY does as well."),
        PostgresErrorCodes.InsufficientPrivilege when error.Routine == "CheckSlotPermissions" => (ExitCode.Schema,
            $"User {conn.User} may not use replication on {address}: run ALTER ROLE {Sql.Identifier(conn.User)} REPLICATION."),
        PostgresErrorCodes.InsufficientPrivilege => (ExitCode.Schema,
            $"User {conn.User} lacks a privilege on {address}: {Sentence(error)} Grant it or use another user."),
        PostgresErrorCodes.UndefinedFile => (ExitCode.Slot,
            $"The WAL that the slot needs is gone from {address}: {Sentence(error)} Drop the slot and start anew with a full snapshot."),
        PostgresErrorCodes.UndefinedObject when error.Routine == "get_publication_oid" => (ExitCode.Publication,
            $"PostgreSQL at {address} says: {Sentence(error)} If it was created after the slot, drop the slot and start anew with a full snapshot."),
        PostgresErrorCodes.UndefinedObject or PostgresErrorCodes.ObjectNotInPrerequisiteState when error.File is "slot.c" or "slotfuncs.c" or "walsender.c" =>
            (ExitCode.Slot, $"The slot can't be used on {address}: {Sentence(error)}{Hint(error)}"),
        PostgresErrorCodes.ObjectNotInPrerequisiteState when Classify(error) == FailureClass.Fatal => (ExitCode.PostgresUnsuitable,
            $"PostgreSQL at {address} says: {Sentence(error)}{Hint(error)}"),
        _ when Classify(error) == FailureClass.Transient => Unreachable(error, address),
        _ => (error.SqlState.StartsWith("42", StringComparison.Ordinal) ? ExitCode.Schema : ExitCode.Internal,
            $"PostgreSQL at {address} refuses a statement ({error.SqlState}): {Sentence(error)}{Hint(error)}"),
    };

    /// <summary>What to do about a value that has no form in UTF-8.</summary>
    internal const string EncodingWayOut = "Correct the value in its table, or leave the column out of the publication. A change that the replication slot holds already is sent again with each start:"
        + " drop the slot then and start anew with a full copy.";

    static (ExitCode, string) Unreachable(Exception error, HostPort address) =>
        (ExitCode.PostgresUnreachable, $"PostgreSQL at {address} can't be used now: {Cause(error)}.");

    /// <summary>The innermost reason in a few words, without a full stop, for lists of hosts.</summary>
    public static string Cause(Exception error)
    {
        for (var e = error; ; e = e.InnerException)
        {
            if (e is SocketException socket) return Cause(socket);
            if (e is TimeoutException or OperationCanceledException) return "no answer in time";
            if (e.InnerException is null) return (e is PostgresException postgres ? postgres.MessageText : e.Message).TrimEnd('.');
        }
    }

    static string Cause(SocketException error) => error.SocketErrorCode switch
    {
        SocketError.ConnectionRefused => "connection refused",
        SocketError.HostNotFound or SocketError.NoData => "the host name is not known",
        SocketError.TryAgain => "the host name can't be resolved now",
        SocketError.TimedOut => "no answer in time",
        SocketError.NetworkUnreachable or SocketError.HostUnreachable => "no route to it",
        SocketError.ConnectionReset => "connection reset",
        _ => error.Message.TrimEnd('.'),
    };

    /// <summary>Whether TLS itself failed: a certificate that is not trusted, another host name, or a server without TLS.</summary>
    internal static bool IsTls(Exception error)
    {
        for (var e = error; e is not null; e = e.InnerException)
        {
            if (e is AuthenticationException) return true;
            if (e is NpgsqlException { InnerException: null } && e.Message.Contains("SSL", StringComparison.Ordinal)) return true;
        }
        return false;
    }

    // The driver notices by itself that it has no password to give; it has no error code for that.
    static bool IsPasswordMissing(Exception error) =>
        error is NpgsqlException and not PostgresException && error.Message.StartsWith("No password", StringComparison.Ordinal);

    static string Sentence(PostgresException error) => error.MessageText.TrimEnd('.') + ".";

    static string Hint(PostgresException error) => string.IsNullOrEmpty(error.Hint) ? "" : $" {error.Hint.TrimEnd('.')}.";
}
