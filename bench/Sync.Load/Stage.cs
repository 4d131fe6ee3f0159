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

    /// <summary>The folder of PostgreSQL's own client programs.</summary>
    public required string PostgresPrograms { get; init; }

    /// <summary>The server process that all sessions are children of.</summary>
    public int PostmasterPid => int.Parse(File.ReadLines(Path.Combine(Postgres.DataFolder, "postmaster.pid")).First());

    /// <summary>Whether the output plugin wal2json can be used.</summary>
    public required bool HasWal2Json { get; init; }

    public static async Task<Stage> StartAsync()
    {
        // No checkpoint and no vacuum of its own accord: what PostgreSQL does beside the drain would be charged to nobody.
        var postgres = await PostgresServer.StartAsync(
            "shared_buffers = 256MB", "max_wal_size = 16GB", "checkpoint_timeout = 1d", "autovacuum = off",
            "timezone = 'UTC'", "max_replication_slots = 8", "max_wal_senders = 8");
        try
        {
            string programs = await postgres.ScalarAsync<string>("select setting from pg_config where name = 'BINDIR'") ?? "";
            bool hasWal2Json = await OfferWal2JsonAsync(postgres);
            var redis = await RedisServer.StartAsync();
            var client = await redis.ClientAsync();
            string info = (string)(await client.CommandAsync("INFO", "server"))!;
            return new Stage(postgres, redis, int.Parse(InfoLine(info, "process_id")), client) { PostgresPrograms = programs, HasWal2Json = hasWal2Json };
        }
        catch
        {
            await postgres.DisposeAsync();
            throw;
        }
    }

    /// <summary>
    /// Where the plugin is not installed, a copy of it that <c>bench/peers/install</c> fetched is put where this server's user can read it. Servers that
    /// keep a list of the plugins they allow get it on the list; it concerns this private server alone.
    /// </summary>
    static async Task<bool> OfferWal2JsonAsync(PostgresServer postgres)
    {
        const string plugin = "wal2json", file = $"{plugin}.so", list = "output_plugin_libraries";
        string? installed = await postgres.ScalarAsync<string>("select setting from pg_config where name = 'PKGLIBDIR'");
        string fetched = Repository.At("artifacts", "peers", "postgres", file);
        if (!File.Exists(Path.Combine(installed ?? "", file)))
        {
            if (!File.Exists(fetched)) return false;
            string folder = postgres.SocketFolder;
            File.Copy(fetched, Path.Combine(folder, file));
            await postgres.ConfigureAsync($"dynamic_library_path = '$libdir:{folder}'");
        }
        if (await postgres.ScalarAsync<string>($"select current_setting('{list}', true)") is { } allowed)
            await postgres.ConfigureAsync($"{list} = '{string.Join(", ", (string[])[.. allowed.Split(',', StringSplitOptions.RemoveEmptyEntries), plugin])}'");
        await postgres.ReloadAsync();
        return true;
    }

    /// <summary>The value of one line of Redis' INFO.</summary>
    public static string InfoLine(string info, string name) =>
        info.Split("\r\n").First(l => l.StartsWith(name + ":", StringComparison.Ordinal))[(name.Length + 1)..];

    /// <summary>
    /// Runs one statement, however long it takes, outside of any transaction. Its commits don't wait for the disk; those of the latency part
    /// do, because a walsender sends only what is written out, which without waiting is up to 200 ms later (wal_writer_delay).
    /// </summary>
    public async Task ExecuteAsync(string sql, string database = "postgres")
    {
        await using var connection = await Postgres.OpenAsync(database);
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
