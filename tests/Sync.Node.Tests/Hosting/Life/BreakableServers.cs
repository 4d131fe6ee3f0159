using Sync.Testing;

namespace Sync.Node.Tests.Hosting.Life;

/// <summary>Servers for tests that stop, kill and freeze them. Redis writes every command to disk before it answers.</summary>
public sealed class BreakableServers : IAsyncLifetime
{
    public PostgresServer Postgres { get; private set; } = null!;
    public RedisServer Redis { get; private set; } = null!;

    public async Task InitializeAsync()
    {
        Postgres = await PostgresServer.StartAsync("max_replication_slots=20", "max_wal_senders=20", "wal_sender_timeout=5s", "fsync=on", "full_page_writes=on");
        Redis = await RedisServer.StartAsync("--appendonly", "yes", "--appendfsync", "always");
    }

    public async Task DisposeAsync()
    {
        await Postgres.DisposeAsync();
        Redis.Dispose();
    }
}

[CollectionDefinition(Name)]
public sealed class BreakableCollection : ICollectionFixture<BreakableServers>
{
    public const string Name = "breakable servers";
}
