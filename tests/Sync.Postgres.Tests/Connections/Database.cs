using Npgsql;
using Sync.Contracts.Configuration;
using Sync.Postgres.Connections;
using Sync.Testing;

namespace Sync.Postgres.Tests;

/// <summary>A database of its own on a shared server, and the primary as the product sees it.</summary>
sealed class Database(PostgresServer server, string name, PostgresPrimary primary) : IAsyncDisposable
{
    public PostgresServer Server => server;
    public string Name => name;
    public PostgresPrimary Primary => primary;
    public NpgsqlDataSource Source => primary.DataSource;

    public static async Task<Database> CreateAsync(PostgresServer server, string? schema = null, string user = "postgres")
    {
        string name = await server.CreateDatabaseAsync();
        if (schema is not null) await server.ExecuteAsync(schema, name);
        return new Database(server, name, await ConnectAsync(server, name, user));
    }

    public static Task<PostgresPrimary> ConnectAsync(PostgresServer server, string database, string user = "postgres") =>
        new PostgresConnector(new PostgresConnectionOptions { Hosts = [new(server.Host, server.Port)], Database = database, User = user }).FindPrimaryAsync();

    public Task ExecuteAsync(string sql) => server.ExecuteAsync(sql, name);

    public Task<T?> ScalarAsync<T>(string sql) => server.ScalarAsync<T>(sql, name);

    public ValueTask DisposeAsync() => primary.DisposeAsync();
}
