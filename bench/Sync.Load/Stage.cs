using Npgsql;
using Sync.Testing;

namespace Sync.Load;

/// <summary>The two servers of a run, private and gone with it.</summary>
sealed class Stage : IAsyncDisposable
{
    Stage(PostgresServer postgres, RedisServer redis, int redisPid, TestRedis client)
    {
        Postgres = postgres;
        Redis = redis;
        RedisPid = redisPid;
        RedisClient = client;
    }

    public PostgresServer Postgres { get; }
    public RedisServer Redis { get; }
    public int RedisPid { get; }
    public TestRedis RedisClient { get; }

    public static async Task<Stage> StartAsync()
    {
        // No checkpoint and no vacuum of its own accord: what PostgreSQL does beside the drain would be charged to nobody.
        var postgres = await PostgresServer.StartAsync(
            "shared_buffers = 256MB", "max_wal_size = 16GB", "checkpoint_timeout = 1d", "autovacuum = off",
            "timezone = 'UTC'", "max_replication_slots = 8", "max_wal_senders = 8");
        try
        {
            var redis = await RedisServer.StartAsync();
            var client = await redis.ClientAsync();
            string info = (string)(await client.CommandAsync("INFO", "server"))!;
            return new Stage(postgres, redis, int.Parse(InfoLine(info, "process_id")), client);
        }
        catch
        {
            await postgres.DisposeAsync();
            throw;
        }
    }

    /// <summary>The value of one line of Redis' INFO.</summary>
    public static string InfoLine(string info, string name) =>
        info.Split("\r\n").First(l => l.StartsWith(name + ":", StringComparison.Ordinal))[(name.Length + 1)..];

    /// <summary>
    /// Runs one statement, however long it takes, outside of any transaction. Its commits don't wait for the disk; those of the latency part
    /// do, because a walsender sends only what is written out, which without waiting is up to 200 ms later (wal_writer_delay).
    /// </summary>
    public async Task ExecuteAsync(string sql)
    {
        await using var connection = await Postgres.OpenAsync();
        await using (var relax = new NpgsqlCommand("set synchronous_commit = off", connection)) await relax.ExecuteNonQueryAsync();
        await using var command = new NpgsqlCommand(sql, connection) { CommandTimeout = 0 };
        await command.ExecuteNonQueryAsync();
    }

    public async ValueTask DisposeAsync()
    {
        RedisClient.Dispose();
        Redis.Dispose();
        await Postgres.DisposeAsync();
    }
}
