using Sync.Contracts;
using Sync.Engine.Retry;
using Sync.Redis.Protocol;

namespace Sync.Redis.Errors;

/// <summary>
/// The one place that says what an error reply of Redis asks for. The first word of an error is its code (Redis docs,
/// "Redis serialization protocol specification", "Simple errors"); what Redis itself words under the general code ERR is
/// told apart by its text.
/// </summary>
public static class RedisErrors
{
    const string AbortedBecause = "EXECABORT Transaction discarded because of: ";

    /// <summary>Classifies an error reply, given without its leading minus sign.</summary>
    public static FailureClass Classify(string error)
    {
        error = Cause(error);
        int space = error.IndexOf(' ');
        switch (space < 0 ? error : error[..space])
        {
            case "LOADING" or "BUSY" or "BUSYKEY" or "TRYAGAIN" or "CLUSTERDOWN" or "READONLY" or "OOM" or "MASTERDOWN" or "MISCONF" or "NOREPLICAS"
                or "MOVED" or "ASK" or "INPROG" or "UNKILLABLE" or "NOTREADY":
                return FailureClass.Transient;
            case "NOAUTH" or "WRONGPASS" or "NOPERM" or "DENIED":
                return FailureClass.Fatal;
        }
        // The connection it came on is closed; what it was about is for the sink to find out.
        if (IsProtocolError(error)) return FailureClass.Transient;
        if (Says(error, "max number of clients") || Says(error, "command not allowed when used memory")) return FailureClass.Transient;
        if (Says(error, "invalid password") || Says(error, "operation not permitted") || Says(error, "called without any password")) return FailureClass.Fatal;
        return FailureClass.Poison;
    }

    /// <summary>
    /// The reason inside <c>EXECABORT Transaction discarded because of: …</c>, and without the arguments that Redis repeats
    /// behind an unknown command's name: they are values, and values don't belong in a log.
    /// </summary>
    public static string Cause(string error)
    {
        if (error.StartsWith(AbortedBecause, StringComparison.Ordinal)) error = error[AbortedBecause.Length..];
        int arguments = error.IndexOf(", with args beginning with:", StringComparison.Ordinal);
        return (arguments < 0 ? error : error[..arguments]).TrimEnd('.', ' ');
    }

    /// <summary>The exception for an error that concerns the whole connection or an administrative command.</summary>
    /// <param name="error">The reply's text.</param>
    /// <param name="endpoint">The server, for the message.</param>
    /// <param name="user">The user Redis knows us as, for the message; null for the default user.</param>
    public static Exception ToException(string error, string endpoint, string? user)
    {
        string cause = Cause(error);
        if (Classify(error) == FailureClass.Transient) return Transient(cause, endpoint);
        string who = string.IsNullOrEmpty(user) ? "the default user" : $"user '{user}'";
        if (cause.StartsWith("NOPERM", StringComparison.Ordinal))
            return new SyncException(ExitCode.RedisAuthentication,
                $"Redis at {endpoint} denies {who} a command or key that is needed ({cause}); grant it with ACL SETUSER.");
        if (cause.StartsWith("DENIED", StringComparison.Ordinal))
            return new SyncException(ExitCode.RedisAuthentication,
                $"Redis at {endpoint} runs in protected mode and takes no remote clients; set a password or bind address there.");
        if (cause.StartsWith("NOAUTH", StringComparison.Ordinal) || Says(cause, "operation not permitted"))
            return new SyncException(ExitCode.RedisAuthentication, $"Redis at {endpoint} asks for a password; set redis.conn.password (and redis.conn.user).");
        if (Says(cause, "called without any password"))
            return new SyncException(ExitCode.RedisAuthentication, $"Redis at {endpoint} has no password set for the default user; remove redis.conn.password.");
        if (Classify(error) == FailureClass.Fatal)
            return new SyncException(ExitCode.RedisAuthentication,
                $"Redis at {endpoint} refuses the password of {who}; check redis.conn.user and redis.conn.password.");
        return new SyncException(ExitCode.RedisUnsuitable, $"Redis at {endpoint} refuses a command that is needed: {cause}.");
    }

    /// <summary>What passes by itself, or by another server's taking over.</summary>
    internal static RedisTransientException Transient(string error, string endpoint) =>
        new($"Redis at {endpoint} says: {Cause(error)}.", outcomeUnknown: false) { IsReplica = HasGone(Cause(error)) };

    /// <summary>Redis does not read on behind this: a value is larger than it takes, or there are too many.</summary>
    internal static bool IsProtocolError(string error) => Cause(error).StartsWith("ERR Protocol error", StringComparison.Ordinal);

    /// <summary>
    /// What Redis says before it closes a connection: that there are too many clients, or that it takes none from there (both to whoever connects), or that
    /// it can't read on. Nothing that was
    /// sent behind was run.
    /// </summary>
    internal static bool IsHangUp(string error) =>
        IsProtocolError(error) || Says(error, "max number of clients") || error.StartsWith("DENIED", StringComparison.Ordinal);

    /// <summary>READONLY: a replica. The others: another node of a Cluster serves the keys now, or none does.</summary>
    static bool HasGone(string cause) => cause.Split(' ', 2)[0] is "READONLY" or "MOVED" or "ASK" or "CLUSTERDOWN";

    /// <summary>Throws what <see cref="ToException"/> gives when the reply is an error, else hands it back.</summary>
    public static RespValue OrThrow(this RespValue value, string endpoint, string? user) =>
        value.IsError ? throw ToException(value.ErrorText, endpoint, user) : value;

    static bool Says(string error, string words) => error.Contains(words, StringComparison.OrdinalIgnoreCase);
}
