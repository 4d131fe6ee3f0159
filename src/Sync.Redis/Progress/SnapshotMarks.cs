using Sync.Contracts;
using Sync.Engine.Progress;
using Sync.Redis.Connections;
using Sync.Redis.Errors;
using Sync.Redis.Protocol;

namespace Sync.Redis.Progress;

/// <summary>Which tables were copied: a hash with one <see cref="SnapshotMark"/> per <c>schema.table</c>.</summary>
public sealed class SnapshotMarks(RedisKeys keys)
{
    /// <exception cref="SyncException">A mark can't be read.</exception>
    public async ValueTask<Dictionary<string, SnapshotMark>> LoadAsync(RespConnection connection, CancellationToken cancellationToken)
    {
        return Parse(await connection.ExecuteAsync(cancellationToken, "HGETALL", keys.Snapshot), connection);
    }

    /// <summary>What the hash holds, from the reply to HGETALL.</summary>
    /// <exception cref="SyncException">A mark can't be read.</exception>
    internal Dictionary<string, SnapshotMark> Parse(RespValue reply, RespConnection connection)
    {
        var items = reply.OrThrow(connection.Endpoint, connection.User).Items;
        var marks = new Dictionary<string, SnapshotMark>(StringComparer.Ordinal);
        for (int i = 0; i + 1 < items.Count; i += 2)
        {
            string table = items[i].AsString()!;
            marks[table] = SnapshotMark.TryParse(items[i + 1].AsString(), out var mark)
                ? mark
                : throw new SyncException(ExitCode.ForeignProgress,
                    $"The snapshot mark of {table} under '{keys.Snapshot}' in Redis at {connection.Endpoint} can't be read; HDEL it to copy the table again.");
        }
        return marks;
    }

    /// <summary>Records that the copy has begun, or how far it is.</summary>
    public ValueTask MarkCopyingAsync(RespConnection connection, string table, Lsn lsn, long rows, CancellationToken cancellationToken) =>
        MarkAsync(connection, table, new SnapshotMark(lsn, SnapshotState.Copying, rows), cancellationToken);

    /// <summary>Records that every row is in Redis.</summary>
    public ValueTask MarkDoneAsync(RespConnection connection, string table, Lsn lsn, long rows, CancellationToken cancellationToken) =>
        MarkAsync(connection, table, new SnapshotMark(lsn, SnapshotState.Done, rows), cancellationToken);

    /// <summary>Records that changes are left out from <paramref name="lsn"/> on, so that the table is emptied and copied again.</summary>
    public ValueTask MarkStoppedAsync(RespConnection connection, string table, Lsn lsn, CancellationToken cancellationToken) =>
        MarkAsync(connection, table, new SnapshotMark(lsn, SnapshotState.Stopped, 0), cancellationToken);

    /// <summary>Records that Redis has kept what was made of the table, though changes are missing from <paramref name="lsn"/> back, so that it is counted and copied again.</summary>
    public ValueTask MarkOutdatedAsync(RespConnection connection, string table, Lsn lsn, CancellationToken cancellationToken) =>
        MarkAsync(connection, table, new SnapshotMark(lsn, SnapshotState.Outdated, 0), cancellationToken);

    /// <summary>Forgets the table, so that it is copied again.</summary>
    public async ValueTask ClearAsync(RespConnection connection, string table, CancellationToken cancellationToken) =>
        (await connection.ExecuteAsync(cancellationToken, "HDEL", keys.Snapshot, table)).OrThrow(connection.Endpoint, connection.User);

    async ValueTask MarkAsync(RespConnection connection, string table, SnapshotMark mark, CancellationToken cancellationToken) =>
        (await connection.ExecuteAsync(cancellationToken, "HSET", keys.Snapshot, table, mark.ToString())).OrThrow(connection.Endpoint, connection.User);
}
