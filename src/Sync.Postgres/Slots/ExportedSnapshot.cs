using Npgsql.Replication;
using Sync.Contracts;

namespace Sync.Postgres.Slots;

/// <summary>
/// A snapshot that other sessions can take over with SET TRANSACTION SNAPSHOT (PostgreSQL docs, "Snapshot Synchronization
/// Functions"). It shows exactly what committed before <see cref="ConsistentPoint"/>. It lives until the connection runs
/// another command or closes, so dispose it only when the last reader has taken it over.
/// </summary>
public sealed class ExportedSnapshot : IAsyncDisposable
{
    readonly LogicalReplicationConnection connection;

    internal ExportedSnapshot(LogicalReplicationConnection connection, string name, Lsn consistentPoint)
    {
        this.connection = connection;
        Name = name;
        ConsistentPoint = consistentPoint;
    }

    /// <summary>For SET TRANSACTION SNAPSHOT, which takes it as a string constant.</summary>
    public string Name { get; }

    /// <summary>
    /// Transactions that committed before are in the snapshot, those after are not. It may lie behind the position where
    /// the stream begins: changes of transactions before it are older than the snapshot's rows.
    /// </summary>
    public Lsn ConsistentPoint { get; }

    public ValueTask DisposeAsync() => connection.DisposeAsync();
}
