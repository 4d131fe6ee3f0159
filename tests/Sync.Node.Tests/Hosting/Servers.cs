using Sync.Testing;

namespace Sync.Node.Tests.Hosting;

/// <summary>A real PostgreSQL and a real Redis, shared by the tests of a collection; every test has a database of its own and an empty Redis.</summary>
public sealed class Servers : IAsyncLifetime
{
    public PostgresServer Postgres { get; private set; } = null!;
    public RedisServer Redis { get; private set; } = null!;

    public async Task InitializeAsync()
    {
        Postgres = await PostgresServer.StartAsync(new PostgresServerOptions
        {
            Settings = ["max_replication_slots=30", "max_wal_senders=30", "wal_sender_timeout=10s", "listen_addresses = '127.0.0.1,::1'"],
            Hba = ["host all all ::1/128 trust"],
        });
        Redis = await RedisServer.StartAsync("--enable-debug-command", "yes", "--bind", "127.0.0.1", "-::1");
    }

    public async Task DisposeAsync()
    {
        await Postgres.DisposeAsync();
        Redis.Dispose();
    }
}

/// <summary>
/// The tests of one collection run one after the other on servers of their own; collections run side by side. A collection lasts about two minutes at most, so that
/// the whole assembly does not wait for one of them. This one is about what the rows of a stream become, and how a node starts and restarts.
/// </summary>
[CollectionDefinition(Name)]
public sealed class ServersCollection : ICollectionFixture<Servers>
{
    public const string Name = "servers";
}

/// <summary>Copies of tables, re-syncs and large transactions.</summary>
[CollectionDefinition(Name)]
public sealed class CopyCollection : ICollectionFixture<Servers>
{
    public const string Name = "copies";
}

/// <summary>Comparing Redis with the rows, and repairing it.</summary>
[CollectionDefinition(Name)]
public sealed class VerificationCollection : ICollectionFixture<Servers>
{
    public const string Name = "verification";
}

/// <summary>What measures the memory of this process runs when nothing else does.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class MemoryCollection : ICollectionFixture<Servers>
{
    public const string Name = "memory";
}

/// <summary>A single host that writes to a Redis Cluster.</summary>
[CollectionDefinition(Name)]
public sealed class ShardsCollection : ICollectionFixture<Servers>
{
    public const string Name = "Redis Cluster";
}

/// <summary>Lanes, and nodes of a cluster as processes.</summary>
[CollectionDefinition(Name)]
public sealed class NodesCollection : ICollectionFixture<Servers>
{
    public const string Name = "cluster nodes";
}

/// <summary>Changes of tables, types and publications that the stream does not tell.</summary>
[CollectionDefinition(Name)]
public sealed class SchemaCollection : ICollectionFixture<Servers>
{
    public const string Name = "schema";
}
