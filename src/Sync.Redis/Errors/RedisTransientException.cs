namespace Sync.Redis.Errors;

/// <summary>
/// Redis can't do it now and may later: not reachable, connection lost, no answer in time, loading, out of memory, read-only.
/// Keep the order, wait, try again.
/// </summary>
/// <param name="message">One sentence that names the server.</param>
/// <param name="outcomeUnknown">True when commands were sent and nobody knows whether Redis ran them: before repeating them,
/// kill the old connection (<c>SinkSession.KillAsync</c>) and read the progress. False when nothing was applied.</param>
/// <param name="inner">The cause below.</param>
public sealed class RedisTransientException(string message, bool outcomeUnknown, Exception? inner = null) : Exception(message, inner)
{
    public bool OutcomeUnknown { get; } = outcomeUnknown;

    /// <summary>Whether the server closed the connection in the middle of an exchange, without a word.</summary>
    public bool IsClosed { get; init; }

    /// <summary>Size of the largest value that was sent, when Redis says that it takes none so large; else 0. Nothing was applied then.</summary>
    public long TooLargeBytes { get; init; }

    /// <summary>The server does not take these writes any more (READONLY, MOVED), perhaps since a failover: the next attempt should look for the master again.</summary>
    public bool IsReplica { get; init; }
}
