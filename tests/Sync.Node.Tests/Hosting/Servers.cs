using Sync.Testing;

namespace Sync.Node.Tests.Hosting;

/// <summary>A real PostgreSQL and a real Redis, shared by the tests of a collection; every test has a database of its own and an empty Redis.</summary>
public sealed class Servers : IAsyncLifetime
{
    public PostgresServer Postgres { get; private set; } = null!;
    public RedisServer Redis { get; private set; } = null!;

    public async Task InitializeAsync()
    {
        Postgres = await PostgresServer.StartAsync("max_replication_slots=30", "max_wal_senders=30", "wal_sender_timeout=10s");
        Redis = await RedisServer.StartAsync("--enable-debug-command", "yes");
    }

    public async Task DisposeAsync()
    {
        await Postgres.DisposeAsync();
        Redis.Dispose();
    }
}

[CollectionDefinition(Name)]
public sealed class ServersCollection : ICollectionFixture<Servers>
{
    public const string Name = "servers";
}
