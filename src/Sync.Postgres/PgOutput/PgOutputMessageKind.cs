namespace Sync.Postgres.PgOutput;

/// <summary>A message's first byte (PostgreSQL docs, "Logical Replication Message Formats").</summary>
public enum PgOutputMessageKind : byte
{
    Begin = (byte)'B',
    Commit = (byte)'C',
    Origin = (byte)'O',
    Relation = (byte)'R',
    Type = (byte)'Y',
    Insert = (byte)'I',
    Update = (byte)'U',
    Delete = (byte)'D',
    Truncate = (byte)'T',

    /// <summary>What pg_logical_emit_message wrote.</summary>
    Message = (byte)'M',
}
