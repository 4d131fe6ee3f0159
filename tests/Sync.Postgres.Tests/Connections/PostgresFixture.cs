using Sync.Testing;

namespace Sync.Postgres.Tests;

/// <summary>One server for all tests of a collection; each test takes a database of its own.</summary>
public sealed class PostgresFixture : IAsyncLifetime
{
    public PostgresServer Server { get; private set; } = null!;

    public async Task InitializeAsync() => Server = await PostgresServer.StartAsync("max_replication_slots = 30", "max_wal_senders = 30");

    public async Task DisposeAsync() => await Server.DisposeAsync();
}

[CollectionDefinition(Name)]
public sealed class PostgresCollection : ICollectionFixture<PostgresFixture>
{
    public const string Name = "one PostgreSQL";
}
