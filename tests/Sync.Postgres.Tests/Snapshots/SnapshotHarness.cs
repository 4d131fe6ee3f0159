using System.Collections.Concurrent;
using Npgsql.Replication;
using Sync.Contracts.Configuration;
using Sync.Contracts.Rows;
using Sync.Postgres.Catalog;
using Sync.Postgres.Connections;
using Sync.Postgres.Snapshots;
using Sync.Postgres.Tests.Streaming;
using Sync.Testing;

namespace Sync.Postgres.Tests.Snapshots;

/// <summary>A database of its own and snapshots of it.</summary>
sealed class SnapshotHarness(PostgresServer server, string database, PostgresPrimary primary) : IAsyncDisposable
{
    public PostgresPrimary Primary => primary;

    public static async Task<SnapshotHarness> StartAsync(PostgresServer server, string schema, string user = "postgres")
    {
        string database = await server.CreateDatabaseAsync();
        await server.ExecuteAsync(schema, database);
        var connector = new PostgresConnector(new PostgresConnectionOptions { Hosts = [new HostPort(server.Host, server.Port)], Database = database, User = user });
        return new SnapshotHarness(server, database, await connector.FindPrimaryAsync());
    }

    public Task SqlAsync(string sql) => server.ExecuteAsync(sql, database);

    public Task<T?> ScalarAsync<T>(string sql) => server.ScalarAsync<T>(sql, database);

    /// <summary>A snapshot of now, from a temporary slot; it ends with the connection.</summary>
    public async Task<(LogicalReplicationConnection Connection, string Name)> ExportAsync()
    {
        var connection = new LogicalReplicationConnection(server.ConnectionString(database));
        await connection.Open();
        var slot = await connection.CreatePgOutputReplicationSlot($"x{Guid.NewGuid():N}", temporarySlot: true, LogicalSlotSnapshotInitMode.Export);
        return (connection, slot.SnapshotName!);
    }

    public async Task<SnapshotTarget> TargetAsync(string table, string? query = null, string? filter = null, IReadOnlyCollection<string>? columns = null)
    {
        var facts = await new CatalogReader(primary.DataSource).ReadAsync(new TableName("public", table));
        return new SnapshotTarget(facts.ToRelation(columns), query, filter, facts.EstimatedRows);
    }

    public async Task<SnapshotReader> OpenAsync(SnapshotReadOptions options, params SnapshotTarget[] targets)
    {
        var (connection, name) = await ExportAsync();
        // The reader must not depend on whoever exported the snapshot once it is open.
        await using (connection) return await SnapshotReader.OpenAsync(primary, name, targets, options, CancellationToken.None);
    }

    public async Task<(Collector Collected, IReadOnlyList<SnapshotOutcome> Outcomes)> CopyAsync(SnapshotReadOptions options, params SnapshotTarget[] targets)
    {
        await using var reader = await OpenAsync(options, targets);
        var collector = new Collector();
        return (collector, await reader.RunAsync(collector, CancellationToken.None));
    }

    public ValueTask DisposeAsync() => primary.DisposeAsync();
}

/// <summary>Keeps what it is given, as text.</summary>
class Collector : ISnapshotConsumer
{
    readonly ConcurrentQueue<(string Table, string Row)> rows = [];
    readonly ConcurrentQueue<SnapshotOutcome> ended = [];

    public IEnumerable<string> Rows => rows.Select(r => r.Row);
    public IEnumerable<string> TableOrder => rows.Select(r => r.Table);
    public IReadOnlyList<SnapshotOutcome> Ended => [.. ended];
    public int Flushes;

    public virtual bool OnRow(int worker, SnapshotTarget target, RowTuple row)
    {
        rows.Enqueue((target.Relation.Name, Rendering.Show(row, target.Relation.Columns.Count)));
        return false;
    }

    public virtual ValueTask FlushAsync(int worker, SnapshotTarget target, CancellationToken ct)
    {
        Interlocked.Increment(ref Flushes);
        return default;
    }

    public virtual ValueTask TableEndedAsync(SnapshotOutcome outcome, CancellationToken ct)
    {
        ended.Enqueue(outcome);
        return default;
    }
}
