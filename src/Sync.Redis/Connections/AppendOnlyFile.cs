using Sync.Redis.Errors;

namespace Sync.Redis.Connections;

/// <summary>
/// Keeps a Redis that was started again from writing behind a transaction that its append-only file holds in part. Loading a file that ends inside a command, Redis cuts off that command
/// alone (Redis docs, "Redis persistence", "What should I do if my AOF gets truncated?"); what stands before it of the same MULTI stays in the file. The start after the next one then applies
/// it together with the next transaction, or drops all that was written since. A new file ends that: what is written from then on does not stand behind the torn transaction.
/// </summary>
public static class AppendOnlyFile
{
    /// <summary>Begins a new file when the server was started again since the last time; to be called before anything is written.</summary>
    /// <param name="connection">To the server.</param>
    /// <param name="key">Where the server keeps for which of its starts this was done.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>What was done, a sentence; whether it is a warning. Null when nothing had to be done.</returns>
    public static async ValueTask<(string Sentence, bool IsWarning)?> BeginAnewAsync(RespConnection connection, string key, CancellationToken cancellationToken)
    {
        string run = connection.Server.RunId;
        string? seen = (await connection.ExecuteAsync(cancellationToken, "GET", key)).OrThrow(connection.Endpoint, connection.User).AsString();
        if (seen == run || run.Length == 0) return null;
        (string, bool)? done = seen is null ? null : await RewriteAsync(connection, cancellationToken);
        (await connection.ExecuteAsync(cancellationToken, "SET", key, run)).OrThrow(connection.Endpoint, connection.User);
        return done;
    }

    static async ValueTask<(string, bool)?> RewriteAsync(RespConnection connection, CancellationToken cancellationToken)
    {
        var info = await connection.ExecuteAsync(cancellationToken, "INFO", "persistence");
        if (!info.IsError && info.AsString()?.Contains("aof_enabled:1", StringComparison.Ordinal) != true) return null;
        var reply = await connection.ExecuteAsync(cancellationToken, "BGREWRITEAOF");
        if (!reply.IsError || reply.ErrorText.Contains("in progress", StringComparison.Ordinal))
            return ($"Redis at {connection.Endpoint} was started again and begins a new append-only file, so that a transaction that was torn when it ended can't come back.", false);
        return ($"Redis at {connection.Endpoint} was started again, and BGREWRITEAOF was refused ({reply.ErrorText}): if its append-only file ended inside a transaction, its next start applies a part "
            + "of that again, or drops what was written since; allow the user +bgrewriteaof, or run BGREWRITEAOF now.", true);
    }
}
