namespace Sync.Postgres.PgOutput;

/// <summary>
/// Bytes that are no pgoutput message of protocol version 1. What follows on that connection can't be trusted: drop it
/// and start again from the confirmed position.
/// </summary>
public sealed class PgOutputException(string message) : Exception(message);
