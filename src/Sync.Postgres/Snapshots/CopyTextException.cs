namespace Sync.Postgres.Snapshots;

/// <summary>Bytes that are not COPY's text format, or rows of another width than asked for: a defect on one side, never a passing failure.</summary>
public sealed class CopyTextException(string message) : Exception(message);
