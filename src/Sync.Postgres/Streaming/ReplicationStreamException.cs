using Sync.Engine.Retry;
using Sync.Postgres.Connections;

namespace Sync.Postgres.Streaming;

/// <summary>
/// The stream could not begin or has ended: connection lost, walsender terminated, server stopped, slot gone or in use.
/// The cause is the inner exception. Nothing is lost: a new stream begins at the confirmed position.
/// </summary>
public sealed class ReplicationStreamException(string message, Exception inner) : Exception(message, inner)
{
    /// <summary>Whether connecting again can help.</summary>
    public FailureClass Class { get; } = PostgresErrors.Classify(inner);
}
